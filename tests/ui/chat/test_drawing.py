"""What the chat draws, without a browser: text stays text, and events make one conversation."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from tools.kernel.events import Event
from ui.chat.answers import answer
from ui.chat.markdown import plain, prose
from ui.chat.plots import confusion, curves, of_result
from ui.chat.transcript import Transcript
from ui.chat.uploads import rest_of

Json = dict[str, Any]
PLAN = {
    "text": "train it, then evaluate it",
    "steps": [
        {"id": "s1", "operation": "training.start", "arguments": {"dataset": "tickets"}},
        {"id": "s2", "operation": "evaluation.run", "arguments": {}, "depends_on": ["s1"]},
    ],
}


class Told:
    """A conversation whose events are handed to transcripts."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.approval: Json = {
            "id": "A1",
            "operation": "deployment.start",
            "arguments": {"group": "phones"},
            "status": "pending",
            "proposer": "ana",
            "channel": "chat",
            "confirm": "phones",
            "preview": {"summary": "Roll out", "changes": [], "risk": "some"},
        }
        self._number = count(1)

    def assistant(self, kind: str, turn: int = 1, **data: Any) -> Event:
        return self._add("assistant", {"kind": kind, "turn": turn, **data})

    def said(self, text: str, message: str) -> Event:
        return self._add("chat", {"kind": "said", "id": message, "text": text})

    def decided(self, status: str) -> Event:
        self.approval = {**self.approval, "status": status, "decided_by": "otto"}
        return self._add(f"approval.{status}", {"approval": "A1"})

    def _add(self, kind: str, data: Json) -> Event:
        at = datetime(2026, 11, 25, tzinfo=UTC)
        event = Event(next(self._number), "conversation:t", kind, data, at, "default")
        self.events.append(event)
        return event

    def drawn(self) -> Transcript:
        transcript = Transcript("t", "default/ana", lambda _id: self.approval, "EUR")
        for event in self.events:
            transcript.take(event)
        return transcript


def shown(transcript: Transcript) -> str:
    return "\n".join(s["output"] for s in transcript.steps.values())


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://evil.example/p.png)",
        "[click](http://evil.example)",
        "<img src=x onerror=alert(1)>",
        "<https://evil.example>",
        "see http://evil.example/a?b=c now",
        "www.evil.example",
        "[a]: http://evil.example",
        "| a | b |",
        ":::alert",
    ],
)
def test_text_from_elsewhere_has_no_mark_up(hostile: str) -> None:
    for told in (plain(hostile), prose(hostile)):
        bare = told
        for escaped in ("\\!", "\\[", "\\]", "\\<"):
            bare = bare.replace(escaped, "")
        assert "![" not in bare and "](" not in bare and "<img" not in bare
        assert "http" not in told or "`http" in told
        assert "www" not in told or "`www" in told


def test_a_conversation_opened_later_looks_as_it_did_live() -> None:
    told = Told()
    told.said("train it, then evaluate it", "m1")
    told.assistant("plan", plan=PLAN)
    told.assistant("step_started", step="s1", operation="training.start", agent="trainer")
    for share in (0.1, 0.5, 0.9):
        told.assistant("progress", step="s1", job=7, fraction=share, metrics={"loss": 1 - share})
    live, later = told.drawn(), told.drawn()
    assert live.steps == later.steps
    assert live.elements == later.elements
    assert live.actions == later.actions
    assert "50%" not in shown(live) and "90%" in shown(live)
    assert [e["type"] for e in live.elements.values()] == ["tasklist", "plotly"]


def test_what_is_said_during_a_job_gets_its_own_answer() -> None:
    told = Told()
    told.said("train it", "m1")
    told.assistant("plan", plan=PLAN)
    told.assistant("step_started", step="s1", operation="training.start", agent="trainer")
    told.assistant("progress", step="s1", job=7, fraction=0.1)
    told.said("what is there?", "m2")
    told.assistant("plan", turn=2, plan={"text": "what is there?", "steps": []})
    told.assistant("message", turn=2, text="Nothing yet.")
    told.assistant("done", turn=2, status="done")
    told.assistant("progress", step="s1", job=7, fraction=0.8, message="nearly")
    drawn = told.drawn()
    runs = {t.number: t.run for t in drawn.turns.values()}
    outputs = {s["output"]: s["parentId"] for s in drawn.steps.values()}
    assert outputs["Nothing yet."] == runs[2]
    nearly = next(p for o, p in outputs.items() if "nearly" in o and "can go on talking" in o)
    assert nearly == runs[1]
    assert [t.number for t in drawn.running] == [1]


def test_a_card_has_buttons_only_while_it_can_be_decided() -> None:
    told = Told()
    told.said("roll it out", "m1")
    told.assistant("plan", plan={"text": "roll it out", "steps": PLAN["steps"]})
    told.assistant("approval", step="s1", approval=told.approval)
    told.assistant("done", status="needs_approval")
    before = told.drawn()
    assert [a["label"] for held in before.actions.values() for a in held] == [
        "Approve",
        "Deny, with a reason",
        "Edit and plan anew",
    ]
    told.decided("granted")
    after = told.drawn()
    assert not any(after.actions.values())
    assert "Approved by otto" in shown(after)


def test_a_turn_that_was_answered_goes_on_below_the_answer() -> None:
    told = Told()
    told.said("train it", "m1")
    told.assistant("plan", plan=PLAN)
    told.assistant("confirm", text="Shall I do this?", steps=PLAN["steps"])
    told.assistant("done", status="needs_confirmation")
    told.said("yes", "m2")
    told.assistant("step_started", step="s1", operation="training.start", agent="trainer")
    drawn = told.drawn()
    assert drawn.steps[drawn.turns[1].run]["parentId"] == "m2"
    assert not any(drawn.actions.values())


def test_a_figure_shows_labels_as_text() -> None:
    drawn = confusion(["<a href='x'>b</a>", "c"], [[1, 0], [0, 1]], "t")
    assert "<" not in str(drawn["data"][0]["x"])


def test_a_curve_needs_two_points() -> None:
    assert curves([(0.1, {"loss": 1.0})], "t") is None
    drawn = curves([(0.1, {"loss": 1.0, "epoch": 1}), (0.2, {"loss": 0.5, "epoch": 1})], "t")
    assert drawn is not None
    assert [line["name"] for line in drawn["data"]] == ["loss"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("add this as march tickets", None),
        ("please upload it", None),
        ("add this, then train a ticket router on it", "train a ticket router on march"),
        ("train a ticket router on this", "train a ticket router on march"),
        ("describe the attached file", "describe march"),
        ("add this as march, as a test set only", None),
        ("add this and use every row for testing", None),
        ("add this for judging only, then evaluate router on it", "evaluate router on march"),
        ("", None),
    ],
)
def test_what_is_left_to_do_after_storing_names_what_was_stored(
    said: str, left: str | None
) -> None:
    assert rest_of(said, ["march"]) == left


def test_an_ab_test_is_drawn_as_intervals_against_no_difference() -> None:
    told: Json = {
        "effect": 0.04, "low": 0.01, "high": 0.07, "level": 0.95,
        "control": {"version": 1}, "challenger": {"version": 2},
        "guardrails": [
            {"name": "failed", "effect": 0.0, "low": -0.01, "high": 0.01},
            {"name": "p95_ms", "effect": 3.0, "low": 1.0, "high": 5.0},
        ],
    }  # fmt: skip
    name, figure = of_result("deployment.ab_result", told) or ("", {})
    (dots,) = figure["data"]
    assert name == "interval" and dots["y"] == ["successes, v2 − v1", "failed"]
    assert dots["x"][0] == pytest.approx(4) and dots["error_x"]["arrayminus"][0] == pytest.approx(3)


def test_variants_are_drawn_by_what_they_cost_and_lose_and_failures_are_left_out() -> None:
    made = [
        {"variant": "int8", "loss_points": 0.4, "cost_ratio": 0.2, "proven": True},
        {"variant": "int4", "loss_points": 3.1, "cost_ratio": 0.1, "proven": False},
        {"variant": "pte", "error": "could not be made"},
    ]
    name, figure = of_result("training.optimize", {"variants": made}) or ("", {})
    assert name == "variants" and figure["data"][0]["text"] == ["int8", "int4"]
    assert of_result("training.optimize", {"variants": made[1:]}) is None


def test_a_dataset_is_drawn_by_its_classes_and_many_small_ones_are_summed_up() -> None:
    counts = {f"c{n}": 100 - n for n in range(30)}
    told = {"name": "calls", "version": 2, "profile": {"classes": counts}}
    name, figure = of_result("datasets.describe", told) or ("", {})
    (bars,) = figure["data"]
    assert name == "classes" and bars["y"][0] == "c0" and bars["y"][-1] == "10 more"
    assert sum(bars["x"]) == sum(counts.values())
    chats = {"name": "chats", "version": 1, "profile": {"classes": {}}}
    assert of_result("datasets.add", chats) is None


def test_every_list_of_records_is_a_table_and_pictures_are_named() -> None:
    result: Json = {
        "slices": [{"slice": "short", "accuracy": 0.5}],
        "errors": [{"text": "a | b", "true": "x"}],
        "warnings": ["few rows"],
        "plot": "/home/p/errors.png",
    }
    told = answer("evaluation.errors", {"number": 3, "says": "Looked."}, result)
    assert "**slices**" in told and "**errors**" in told and "`/home/p/errors.png`" in told
    assert "```text\nA  1\n```" in answer("training.optimize", {"number": 1}, {"table": "A  1"})
