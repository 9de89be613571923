"""The evaluation set as a floor, and what must hold for every sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pytest
from rapidfuzz import fuzz, process

from evals.parse_eval import load, run, score
from graphs.understanding import Understanding
from graphs.understanding.lexicon import masked_routes, routes
from graphs.understanding.parse_lines import FileNames, parse_lines, parse_turns
from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.operations import Effect

NEAR_COPY = 92


def test_the_evaluation_set_is_understood(understanding: Understanding) -> None:
    figures = score(run(load("dev"), understanding), understanding.operations)
    assert figures["exact_match"] >= 0.93
    assert figures["false_dangerous_actions"] == 0
    assert figures["false_action_rate"] <= 0.02
    assert figures["right_question_rate"] >= 0.9


@pytest.mark.slow
def test_sentences_that_others_wrote_are_understood(understanding: Understanding) -> None:
    figures = score(run(load("fresh"), understanding), understanding.operations)
    assert figures["exact_match"] >= 0.8
    assert figures["false_action_rate"] <= 0.03


def test_no_sentence_of_the_evaluation_trains_the_router(understanding: Understanding) -> None:
    learnt = [e for o in understanding.operations for e in o.examples]
    learnt += [s for group in routes()["more"].values() for s in group]
    learnt += routes()["outside"]["sentences"]
    learnt += [s for group in masked_routes().values() for s in group]
    folded = [_folded(sentence) for sentence in learnt]
    copies: list[tuple[str, str]] = []
    for case in [*load("all"), *load("fresh")]:
        for turn in case["turns"]:
            if len(turn.split()) < 4:
                continue  # "yes", "undo it": there are not many ways to say so little
            found = process.extractOne(
                _folded(turn), folded, scorer=fuzz.ratio, score_cutoff=NEAR_COPY
            )
            if found:
                copies.append((turn, learnt[found[2]]))
    assert not copies


def _folded(sentence: str) -> str:
    return " ".join(sentence.casefold().replace("-", " ").strip(" ?.!").split())


def test_the_evaluation_covers_every_operation(understanding: Understanding) -> None:
    cases = load("all")
    planned = {s["operation"] for c in cases for s in c["steps"]}
    asked = {c["question"]["operation"] for c in cases if c["question"]}
    wanted = {o.name for o in understanding.operations if o.spoken}
    assert wanted <= planned | asked
    assert len({c["id"] for c in cases}) == len(cases)


@pytest.mark.parametrize(
    "sentence",
    [
        "do NOT, I repeat NOT, roll back the kiosks",
        "how do I roll back the kiosks?",
        "is rolling back the kiosks a good idea?",
        "nadia asked whether we should roll back the kiosks",
        "roll back everything except the kiosks",
        "would it hurt to retire tp-14? only asking",
        "don't roll back the kiosks yet",
        "do not deploy mail-triage v3 to the kiosks",
        "I never said you should retire tp-14",
        'the log says: "roll back the kiosks"',
        "2026-01-02 03:04:05 INFO deploy ticket-router v3 to kiosks",
        "```\nretire tp-14\n```",
        "> roll back the kiosks",
        "every other night roll back the kiosks",
        "roll back the kiosks until friday",
        "rolle die kiosks bitte zurück auf das alte modell",
        "what would happen if I rolled back the kiosks?",
    ],
)
def test_nothing_dangerous_is_planned(
    understanding: Understanding, names: FileNames, sentence: str
) -> None:
    plan = understanding.parse(sentence, names)
    if not plan.dry_run:
        effects = {understanding.operations.get(s.operation).effect for s in plan.steps}
        assert Effect.DANGEROUS not in effects


@pytest.mark.parametrize(
    ("sentence", "slot", "candidate"),
    [
        ("roll back the thinkpds", "group", "thinkpads"),
        ("deploy ticket-ruter v3 to the kiosks", "model", "ticket-router"),
        ("archive mial-triage v1", "model", "mail-triage"),
        ("describe sentiment-fr", "model", "sentiment-de"),
        ("describe invoices-2025", "dataset", "invoices-2026"),
        ("call off the nightly evaluation", "schedule", "nightly-training"),
        ("roll back the phones", "group", "phones-office"),
        ("promote ticket-router v12 to champion", "version", "4"),
    ],
)
def test_names_that_danger_unsureness_or_distance_forbid_to_take_are_asked_about(
    understanding: Understanding, names: FileNames, sentence: str, slot: str, candidate: str
) -> None:
    plan = understanding.parse(sentence, names)
    assert not plan.steps
    assert plan.question and plan.question.slot == slot
    assert candidate in plan.question.candidates


@pytest.mark.parametrize(
    ("sentence", "arguments"),
    [
        ("evaluate tikcet-router:3 on tickts", ("ticket-router", 3, "tickets")),
        ("evaluate mail-trage v2 on complants-q2", ("mail-triage", 2, "complaints-q2")),
        ("evaluate tiket router v2 on chat-turn", ("ticket-router", 2, "chat-turns")),
    ],
)
def test_one_name_misspelt_in_what_is_not_dangerous_is_taken_and_the_explanation_says_so(
    understanding: Understanding,
    names: FileNames,
    sentence: str,
    arguments: tuple[str, int, str],
) -> None:
    plan = understanding.parse(sentence, names)
    (step,) = plan.steps
    assert tuple(step.arguments[k] for k in ("model", "version", "dataset")) == arguments
    assert any("taken as" in words for words in plan.reasons[0].arguments.values())


def test_yes_to_the_only_candidate_takes_it(understanding: Understanding, names: FileNames) -> None:
    line = parse_turns(["deploy tikcet-router v3 to the kiosks", "yes"], understanding, names)
    assert [s.arguments["model"] for s in line.steps] == ["ticket-router"]


@pytest.mark.parametrize(
    "sentence",
    [
        "evaluate ticket-router v2 on tickets. Best, Anna",
        "Hi team, evaluate ticket-router v2 on tickets please. Kind regards, Joao Silva",
        "good morning all, evaluate ticket-router v2 on tickets, thanks Priya",
    ],
)
def test_salutations_and_signatures_ask_for_nothing(
    understanding: Understanding, names: FileNames, sentence: str
) -> None:
    (step,) = understanding.parse(sentence, names).steps
    assert step.arguments == {"model": "ticket-router", "version": 2, "dataset": "tickets"}


@pytest.mark.parametrize(
    "sentence",
    [
        "deploy Ticket Router v3 to the Kiosks",
        "deploy ticketrouter v3 to the kiosk",
        "deploy ticket_router version three to kiosks",
        "deploy ticket-router/3 to KIOSKS",
        "deploy ticket-router@3 to the kiosks",
    ],
)
def test_spellings_that_differ_in_nothing_that_matters_are_the_name(
    understanding: Understanding, names: FileNames, sentence: str
) -> None:
    (step,) = understanding.parse(sentence, names).steps
    assert step.arguments == {"model": "ticket-router", "version": 3, "group": "kiosks"}


def test_lines_in_lines_out(understanding: Understanding, names: FileNames) -> None:
    lines = [
        '{"text": "list the models"}',
        "",
        "not json",
        '{"turns": ["deploy ticket-router v3", "kiosks"]}',
    ]
    first, second, third = parse_lines(lines, understanding, names)
    assert [s["operation"] for s in first["steps"]] == ["registry.list"]
    assert {"steps", "question", "abstained", "dry_run", "confidence", "ms"} <= set(first)
    assert set(first["steps"][0]) == {
        "id", "operation", "arguments", "depends_on", "condition", "schedule",
    }  # fmt: skip
    assert "error" in second
    assert third["steps"][0]["arguments"]["group"] == "kiosks"
    json.dumps([first, second, third])


class _Many:
    def __init__(self, count: int) -> None:
        self._names = {
            EntityKind.MODEL: tuple(EntityName(f"model-{i:06d}-north") for i in range(count)),
            EntityKind.DATASET: (EntityName("tickets"),),
            EntityKind.DEVICE_GROUP: tuple(EntityName(f"group-{i}") for i in range(50)),
        }

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        return self._names.get(kind, ())


def test_a_large_catalogue_does_not_slow_a_sentence(understanding: Understanding) -> None:
    sentence = "deploy model-000123-north v3 to group-7 and evaluate modle-000200-north v1"
    times: list[float] = []
    for count in (5_000, 100_000):
        catalogue = _Many(count)
        understanding.prepare(catalogue)
        best = min(_seconds(understanding, sentence + f" please {i}", catalogue) for i in range(7))
        times.append(best)
    assert times[1] < times[0] * 2 + 0.01


def _seconds(understanding: Understanding, sentence: str, catalogue: _Many) -> float:
    started = time.process_time()
    understanding.parse(sentence, catalogue)
    return time.process_time() - started


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("train on tickets as alpha", [("tickets", "alpha")]),
        (
            "train on tickets as alpha and on chat-turns as beta",
            [("tickets", "alpha"), ("chat-turns", "beta")],
        ),
        ("train on tickets as fast as possible", [("tickets", None)]),
    ],
)
def test_each_training_keeps_the_name_that_it_is_given(
    understanding: Understanding,
    names: FileNames,
    said: str,
    made: list[tuple[str, str | None]],
) -> None:
    steps = understanding.parse(said, names).steps
    assert [(s.arguments["dataset"], s.arguments.get("name")) for s in steps] == made
