"""Terse words of tired people: slips and words of an act itself are no names that nobody knows."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("text", "operation", "arguments"),
    [
        ("resume trainig 32", "training.resume", {"job": 32}),
        (
            "add device tp-33 to thinkpads, profile laptop",
            "devices.enroll",
            {"name": "tp-33", "group": "thinkpads", "profile": "laptop"},
        ),
        (
            "retrain the router on tickets",
            "training.start",
            {"name": "ticket-router", "dataset": "tickets"},
        ),
        (
            "plz retrain triage on complaints-q2",
            "training.start",
            {"name": "mail-triage", "dataset": "complaints-q2"},
        ),
        (
            "train a router on tickets",
            "training.start",
            {"name": "router", "dataset": "tickets"},
        ),
        ("have the inputs of mail-triage drifted", "evaluation.drift", {"model": "mail-triage"}),
        (
            "robustness of mail-triage v2 against typos",
            "evaluation.robustness",
            {"model": "mail-triage", "version": 2},
        ),
    ],
)
def test_terse_words_are_no_unknown_names(
    understanding: Understanding,
    names: FileNames,
    text: str,
    operation: str,
    arguments: dict[str, object],
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert (step.operation, step.arguments) == (operation, arguments)
