"""A judge's grades, and how far the judge itself can be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.openai_server import Say, openai_server
from tools.evaluation.agreement import agreement
from tools.evaluation.judging import read_grade
from tools.kernel.errors import Conflict
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

PEOPLE = (5, 4, 1, 2, 5, 3, 1, 4, 5, 2)
JUDGE = ("5", "4", "1/5", "3", "Grade: 5", "3", "1", "4", "no idea", "2")


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        ("4", 4),
        ("Grade: 2", 2),
        ("5/5", 5),
        ("3 out of 5", 3),
        ("7", None),
        ("1 or 2", None),
        ("4.5", None),
        ("", None),
        ("excellent", None),
    ],
)
def test_a_grade_is_read_only_where_there_is_one(said, grade):
    assert read_grade(said) == grade


def test_kappa_is_agreement_beyond_chance():
    rng = np.random.default_rng(41)
    person = rng.integers(1, 6, 400)
    near = np.clip(person + rng.integers(-1, 2, 400), 1, 5)
    people: list[int] = person.tolist()
    assert agreement(people, people).kappa == 1.0
    found = agreement(near.tolist(), people)
    assert found.low < found.weighted_kappa < found.high
    assert found.weighted_kappa > 0.8 > found.kappa
    assert abs(agreement(rng.permutation(person).tolist(), people).kappa) < 0.15
    assert agreement([5] * 9, [5] * 9).kappa == 0.0


@pytest.fixture
def kernel(home) -> Iterator[Kernel]:
    """A home whose language model is a double that grades as written above."""
    with openai_server(*map(Say, JUDGE)) as script:
        opened = Kernel(Settings(home=home, model="judge-1", model_url=script.url))
        opened.start()
        yield opened
        opened.stop()


@pytest.fixture
def replies(tmp_path: Path, call: Callable) -> str:
    rows = [
        {"prompt": f"question {i}", "completion": f"answer {i}", "grade": g, "split": "test"}
        for i, g in enumerate(PEOPLE)
    ]
    path = tmp_path / "replies.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return call("datasets.add", path=str(path)).result.name


def test_a_judge_grades_and_is_compared_with_people(kernel, finished, replies):
    result = finished("evaluation.grade", dataset=replies, rubric="polite and right")
    assert (result["rows"], result["ungraded"], result["judge"]) == (9, 1, "judge-1")
    given = [5, 4, 1, 3, 5, 3, 1, 4, 2]
    assert result["mean"]["value"] == pytest.approx(np.mean(given))
    people = [p for i, p in enumerate(PEOPLE) if i != 8]
    assert result["agreement"]["weighted_kappa"] == agreement(given, people).weighted_kappa
    assert result["agreement"]["same"] == pytest.approx(8 / 9)
    assert [r["grade"] for r in result["lowest"]] == [1, 1, 2, 3, 3]
    receipt = kernel.receipts.list("default")[0]
    assert "agrees with people by a weighted kappa of" in receipt.says


def test_without_a_configured_model_nothing_is_graded(tmp_path, home):
    opened = Kernel(Settings(home=home))
    opened.start()
    try:
        from tools.kernel.identity import RequestContext

        context = RequestContext(opened.principals.local())
        path = tmp_path / "replies.jsonl"
        path.write_text(
            '{"prompt": "a", "completion": "b"}\n' * 3 + '{"prompt": "c", "completion": "d"}'
        )
        opened.gate.call("datasets.add", {"path": str(path)}, context)
        with pytest.raises(Conflict, match="No language model is configured"):
            opened.gate.call("evaluation.grade", {"dataset": "replies"}, context)
    finally:
        opened.stop()
