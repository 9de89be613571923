"""From data to a challenger in one conversation, through kill -9, a closed terminal, and regret.

The tests go on from one another, on one platform, as a person's day does.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.journeys.people import Json, Person, until
from tests.registry.trained import add_training
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # one conversation, in order


def first(events: list[Json], kind: str) -> Json:
    return next(e for e in events if e["kind"] == kind)


def test_kill_9_in_the_middle_of_a_training_does_nothing_twice_and_the_turn_goes_on(
    person: Person, mails: Path
) -> None:
    person.asks(f"add the dataset {mails} and call it mails", "morning")
    text = "train a mail sorter on mails for two epochs, then evaluate it on the test split"
    for event in person.client().ask(text, "morning", auto_confirm=True):
        assert event["kind"] not in ("step_finished", "done", "confirm", "question"), event
        if event["kind"] == "progress" and event["fraction"] > 0.02:
            break
    killed = person.kills_the_platform()

    assert person.runs("status", code=4)["status"] == "stopped"
    events = person.hears("morning")  # the first command after it starts the platform again
    assert person.runs("status")["pid"] != killed
    assert first(events, "done")["status"] == "done", events[-3:]

    for operation in ("training.start", "evaluation.run"):
        (job,) = person.jobs(operation)
        assert job["status"] == "done", job
    assert person.jobs("training.start")[0]["attempts"] == 2
    told = [(r["operation"], r["status"]) for r in person.receipts("morning")]
    assert told == [
        ("datasets.add", "done"),
        ("training.start", "started"),
        ("training.start", "done"),
        ("evaluation.run", "started"),
        ("evaluation.run", "done"),
    ]
    assert len(person.calls("training.list")["trainings"]) == 1


def test_it_points_to_what_was_made_and_a_closed_terminal_ends_nothing(person: Person) -> None:
    told = person.asks("register it and make it the challenger", "morning")
    assert [r["operation"] for r in told["receipts"]] == ["registry.register", "registry.promote"]
    described = person.calls("registry.describe", model="mail-sorter")
    assert described["aliases"] == {"challenger": 1}
    assert [v["version"] for v in described["versions"]] == [1]

    before = len(person.jobs("evaluation.run"))
    terminal = person.begins(
        "ask", "evaluate it on the held-out split again", "--yes", "--thread", "morning"
    )
    until(lambda: len(person.jobs("evaluation.run")) > before, "the evaluation is under way")
    terminal.kill()
    terminal.wait()
    events = person.hears("morning")
    assert first(events, "done")["status"] == "done"
    result = first(events, "step_finished")["result"]
    assert (result["model"], result["split"]) == ("mail-sorter", "test")
    shown = person.calls("evaluation.results", model="mail-sorter")
    assert str(result["accuracy"])[:4] in json.dumps(shown)
    assert person.runs("audit", "verify")["intact"]


def test_words_in_another_thread_stop_a_training_and_its_process(person: Person) -> None:
    text = "train a mail sorter on mails for fifty epochs, then evaluate it on the test split"
    turn = person.client().ask(text, "noon", auto_confirm=True)
    next(e for e in turn if e["kind"] == "progress" and e["fraction"] > 0)
    (child,) = children(person)
    told = person.asks("cancel the training", "afternoon")
    assert told["plan"]["steps"][0]["operation"] == "training.cancel"
    rest = list(turn)
    assert rest[-1]["status"] == "cancelled"
    assert first(rest, "step_failed")["error"]["code"] == "cancelled"
    assert "cancelled" in first(rest, "step_skipped")["reason"]
    until(lambda: not child.is_running(), "the training process is gone", 20)
    assert person.jobs("training.start")[0]["status"] == "cancelled"
    assert person.receipts("noon")[-1]["status"] == "cancelled"


def test_ctrl_c_stops_the_turn_and_its_process_and_says_what_was_not_done(person: Person) -> None:
    text = "train a mail sorter on mails for fifty epochs, then evaluate it on the test split"
    before = person.jobs("training.start")[0]["job"]
    terminal = person.begins("ask", text, "--yes", "--thread", "evening")
    until(
        lambda: (job := person.jobs("training.start")[0])["job"] > before and job["progress"] > 0,
        "the training is under way",
    )
    (child,) = children(person)
    terminal.send_signal(signal.SIGINT)
    out, err = terminal.communicate(timeout=40)
    assert terminal.returncode == 4
    assert "not done s1, s2" in " ".join(err.split()) or "s1" in err, err
    assert "Traceback" not in out + err
    until(lambda: not child.is_running(), "the training process is gone", 20)
    assert person.jobs("training.start")[0]["status"] == "cancelled"
    assert person.client().get("/api/v1/conversations/evening")[-1]["status"] == "cancelled"
    assert len(person.jobs("evaluation.run")) == 2


def test_acts_are_undone_in_order_and_not_when_the_world_has_moved(person: Person) -> None:
    person.asks("make mail-sorter v1 staging", "regret")
    person.asks("undo that", "regret")
    assert person.calls("registry.describe", model="mail-sorter")["aliases"] == {"challenger": 1}
    made = {r["operation"]: r for r in person.receipts("morning")}
    challenger, registered = made["registry.promote"], made["registry.register"]

    job = another_training(person)
    person.asks(f"register job {job} as mail-sorter and make it the challenger", "regret")
    assert person.calls("registry.describe", model="mail-sorter")["aliases"] == {"challenger": 2}
    told = person.runs("undo", f"R{challenger['number']}", code=4)["error"]
    assert told["code"] == "conflict" and "challenger" in told["message"]

    person.asks("undo that", "regret")
    assert person.calls("registry.describe", model="mail-sorter")["aliases"] == {"challenger": 1}
    person.runs("undo", f"R{challenger['number']}")
    assert person.calls("registry.describe", model="mail-sorter")["aliases"] == {}
    asked = person.runs("undo", f"R{registered['number']}", code=3)["approval"]
    person.runs("approvals", "grant", asked["id"], "--confirm", asked["confirm"])
    described = person.calls("registry.describe", model="mail-sorter")
    assert [v["version"] for v in described["versions"]] == [2]
    assert person.runs("audit", "verify")["intact"]


def children(person: Person) -> list[psutil.Process]:
    """The processes that the platform computes in."""
    state = person.home.files.read()
    assert state is not None
    found = psutil.Process(state.pid).children(recursive=True)
    return [p for p in found if "tools.training.child" in p.cmdline()]


def another_training(person: Person) -> int:
    """A finished training, without training."""
    kernel = Kernel(Settings(home=person.home.path))
    try:
        return add_training(kernel, name="mail-sorter")
    finally:
        kernel.stop()


def test_how_it_goes_is_answered_in_the_conversation_that_waits_for_it(person: Person) -> None:
    waiting = person.client().ask("train on mails for 40 epochs", "noon", auto_confirm=True)
    begun = next(event for event in waiting if event["kind"] == "progress" and event.get("job"))

    told = person.asks("how is the training going?", "noon")
    (asked,) = told["receipts"]
    assert (asked["operation"], told["status"]) == ("training.status", "done")
    (result,) = told["results"].values()
    assert result["job"] == begun["job"]

    stopped = person.client().post("/api/v1/conversations/noon/cancel")
    assert stopped["jobs"] == [begun["job"]]
    assert list(waiting)[-1]["status"] == "cancelled"
