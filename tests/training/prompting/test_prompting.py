"""Prompts are found through the gate, and no gain is claimed that the test split does not show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.openai_server import Say, openai_server
from tools.kernel.errors import Conflict
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.training.prompting.instructions import and_none, distinct, edited, written
from tools.training.prompting.search import Search, interval, run
from tools.training.prompting.worker import prompt

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]
PAIRS = [(f"code of {n}", f"c{n}") for n in range(60)]
SEARCH = Search(
    ["Answer.", "Give the code."], PAIRS[:20], PAIRS[20:40], PAIRS[40:], "exact_match", 8, 3, 1
)


def pupil(instruction: str, examples: Any, questions: Any) -> list[str]:
    """Knows the code of even numbers, and with worked examples before it all of them."""
    return [
        f"c{q.split()[-1]}" if examples or int(q.split()[-1]) % 2 == 0 else "?" for q in questions
    ]


def quiet(share: float, message: str) -> None:
    assert 0 <= share <= 1


def test_worked_examples_that_help_are_found_and_proven_on_unseen_questions(tmp_path: Path):
    found = run(SEARCH, pupil, tmp_path, quiet)
    assert (found["start_test"], found["best_test"]) == (0.5, 1.0)
    assert 0 < found["low"] <= found["gain"] == 0.5 <= found["high"]
    assert found["trials"][0]["value"] == 0.5
    assert all(tuple(pair) in PAIRS[:20] for pair in found["examples"])


def test_where_nothing_helps_the_starting_prompt_stays(tmp_path: Path):
    found = run(SEARCH, lambda i, e, questions: ["?"] * len(questions), tmp_path, quiet)
    assert (found["best"], found["gain"], found["low"], found["high"]) == (1, 0, 0, 0)


def test_no_instruction_is_tried_second_and_chosen_where_it_is_best(tmp_path: Path):
    def bare(instruction: str, examples: Any, questions: Any) -> list[str]:
        return [f"c{q.split()[-1]}" if not instruction else "?" for q in questions]

    search = replace(SEARCH, instructions=and_none(["Answer.", "Give the code."]), trials=2)
    found = run(search, bare, tmp_path, quiet)
    assert (found["best"], found["instruction"], found["gain"]) == (2, "", 1.0)
    assert prompt("", [("a", "b")])[0]["role"] == "user"


def test_a_search_that_was_cut_off_goes_on_where_it_was(tmp_path: Path):
    left = 80

    def dying(instruction: str, examples: Any, questions: Any) -> list[str]:
        nonlocal left
        left -= len(questions)
        if left < 0:
            raise KeyboardInterrupt
        return pupil(instruction, examples, questions)

    with pytest.raises(KeyboardInterrupt):
        run(SEARCH, dying, tmp_path, quiet)
    asked = 0

    def counting(instruction: str, examples: Any, questions: Any) -> list[str]:
        nonlocal asked
        asked += len(questions)
        return pupil(instruction, examples, questions)

    found = run(SEARCH, counting, tmp_path, quiet)
    assert len(found["trials"]) == SEARCH.trials
    assert asked <= SEARCH.questions() - 60
    assert found["best_test"] == 1.0


def test_a_difference_that_may_be_chance_has_an_interval_around_nothing():
    low, high = interval([0, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1])
    assert low < 0 < high


def test_instructions_are_edited_written_by_a_model_and_never_repeated():
    made = edited("Tell the code.", ["c1", "c2 c3"])
    assert any("at most 2 words" in one for one in made)
    told = written(lambda system, asked: "1. Name it.\n\n- Say the code.", "Tell.", PAIRS, 2)
    assert told == ["Name it.", "Say the code."]
    assert distinct(["A b.", "a  B.", "", "C."]) == ["A b.", "C."]


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    """A home whose language model is a double that says the same to everything."""
    with openai_server(*[Say("it is blue")] * 80) as script:
        opened = Kernel(
            Settings(home=home, model="double-1", model_url=script.url, model_input_price=1.0)
        )
        opened.start()
        yield opened
        opened.stop()


@pytest.fixture
def colours(tmp_path: Path, call: Caller) -> str:
    rows = [
        {"prompt": f"colour of {split} {n}", "completion": "it is blue", "split": split}
        for split, count in (("train", 12), ("validation", 6), ("test", 6))
        for n in range(count)
    ]
    path = tmp_path / "colours.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return call("datasets.add", path=str(path)).result.name


def test_the_configured_language_model_is_asked_paid_for_and_no_gain_is_claimed(
    kernel: Kernel, finished: Finisher, colours: str
):
    found = finished("training.optimize_prompt", dataset=colours, trials=3, rows=4, shots=2)
    assert (found["model"], found["metric"]) == ("double-1", "f1")
    assert (found["start_score"], found["gain"], found["improved"]) == (1.0, 0.0, False)
    assert found["cost"] > 0
    assert found["asked"] <= 12 + 3 * 4 + 2 * 4
    told = json.loads(Path(found["artifact"]).read_text())
    assert told["messages"] == found["prompt"]
    assert found["prompt"][0]["role"] == "system"
    assert Path(found["plot"]).is_file()
    receipt = kernel.receipts.for_job(found["job"])
    assert receipt is not None
    assert "no gain is shown" in receipt.says
    facts = {e.fact: e.value for e in receipt.evidence}
    assert facts["SHA-256 of the prompt"] == found["artifact_sha256"]


def test_a_dataset_without_answers_is_refused(kernel: Kernel, call: Caller, tmp_path: Path):
    path = tmp_path / "labels.csv"
    path.write_text("text,label\n" + "".join(f"text {n},l{n % 2}\n" for n in range(20)))
    call("datasets.add", path=str(path))
    with pytest.raises(Conflict, match="holds no answers"):
        call("training.optimize_prompt", dataset="labels")
