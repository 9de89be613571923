"""Paraphrases change words and clauses, and tell in which rows they could not."""

from __future__ import annotations

import numpy as np
import pytest

from tools.evaluation.paraphrase import reworded
from tools.evaluation.perturb import perturb
from tools.evaluation.robustness import perturbed


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (
            "My screen is broken because I dropped it.",
            "because I dropped it, My screen is not working.",
        ),
        ("When I log in, the page shows nothing", "the page displays nothing when I log in"),
        ("I can't delete my account", "I cannot remove my account"),
        ("test files for AutoDock", "test files for AutoDock"),
    ],
)
def test_words_and_clauses_are_exchanged_where_rules_find_any(text: str, other: str):
    assert reworded(text) == other


def test_the_same_text_is_paraphrased_the_same_way():
    text = "I can't delete my account"
    assert perturb(text, "paraphrase") == perturb(text, "paraphrase")
    assert "cannot remove" in perturb(text, "paraphrase")


def test_a_report_says_in_how_many_rows_more_than_a_courtesy_changed():
    truth = np.zeros(2, dtype=np.int64)
    texts = ["I can't delete my account", "test files for AutoDock"]
    found = perturbed("paraphrase", texts, truth, truth, lambda t: np.zeros(len(t), dtype=np.int64))
    assert found.reworded == 1
    assert perturbed("case", texts, truth, truth, lambda t: truth).reworded is None
