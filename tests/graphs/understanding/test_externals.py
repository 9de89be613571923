"""A language model that is named in a comparison takes part in it, or is asked about."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("text", "model", "external"),
    [
        ("compare ticket-router with gpt-4o-mini on tickets", "ticket-router", ["gpt-4o-mini"]),
        ("how does claude-3-haiku do on tickets against mail-triage", "mail-triage",
         ["claude-3-haiku"]),
        ("benchmark ticket-router against mistral-small on tickets", "ticket-router",
         ["mistral-small"]),
        ("frontier of all models on tickets plus qwen2.5-7b", None, ["qwen2.5-7b"]),
        (
            "put ticket-router, gpt-4o-mini and llama3.1 side by side on tickets",
            "ticket-router",
            ["gpt-4o-mini", "llama3.1"],
        ),
    ],
)  # fmt: skip
def test_it_takes_part(
    understanding: Understanding,
    names: FileNames,
    text: str,
    model: str | None,
    external: list[str],
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.operation == "evaluation.frontier"
    assert step.arguments["external_models"] == external
    assert (step.arguments["dataset"], step.arguments.get("model")) == ("tickets", model)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("compare ticket-router v3 with gpt-4o-mini on tickets", "model"),
        ("is gemini-1.5-flash better than the champion of ticket-router on tickets?", "model"),
        ("compare ticket-router v3 with moonbeam-x on tickets", "other_model"),
    ],
)
def test_what_the_comparison_cannot_take_in_is_asked_about(
    understanding: Understanding, names: FileNames, text: str, slot: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.steps == [] and plan.question is not None and plan.question.slot == slot
