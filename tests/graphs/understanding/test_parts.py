"""Clauses, values and conditions by themselves."""

from __future__ import annotations

import pytest

from graphs.understanding import guards
from graphs.understanding.clause import Clause, join
from graphs.understanding.conditions import read_condition
from graphs.understanding.lexicon import fields
from graphs.understanding.segment import Segmenter
from graphs.understanding.text import tokenise
from graphs.understanding.understanding import Understanding
from graphs.understanding.values import number_at, read_number, read_path, read_percent, read_period


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("train on a and b", 1),
        ("train on mails and evaluate it on chats", 2),
        ("compare the champion and the challenger", 1),
        ("list models, list datasets and show jobs", 3),
        ("deploy v3 to kiosks; roll back the phones", 2),
        ("evaluate it, then, if it is better than v2, promote it", 2),
        ("check the train and test splits of tickets", 1),
        ("train on a with lora and call it b", 1),
    ],
)
def test_sentences_are_cut_into_wishes(
    understanding: Understanding, sentence: str, clauses: int
) -> None:
    found = Segmenter(understanding.verbs).clauses(tokenise(sentence))
    assert len(found) == clauses, [join(c.tokens) for c in found]


def test_a_condition_hangs_on_what_it_governs(understanding: Understanding) -> None:
    cut = Segmenter(understanding.verbs).clauses
    first, second = cut(tokenise("evaluate v3 and, if it beats v2 by two points, deploy it"))
    assert first.condition is None and second.condition is not None
    (trailing,) = cut(tokenise("promote v3 if its accuracy is above 90 percent"))
    assert trailing.condition is not None


@pytest.mark.parametrize(
    ("words", "value"),
    [("12", 12), ("2e-4", 2e-4), ("twenty-five", 25), ("three hundred", 300), ("1,500", 1500)],
)
def test_numbers_are_read_in_digits_and_words(words: str, value: float) -> None:
    found = number_at(tokenise(words), 0)
    assert found is not None and found[0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("words", "value"),
    [("with 10%", 10), ("ten percent", 10), ("half of them", 50), ("a third of the phones", 33)],
)
def test_shares_are_read(words: str, value: float) -> None:
    found = read_percent(Clause(tokenise(words)))
    assert found is not None and found[0] == value


@pytest.mark.parametrize("words", ["for 3 epochs", "three epochs", "epochs=3", "3-epoch run"])
def test_numbers_belong_to_the_word_beside_them(words: str) -> None:
    found = read_number(Clause(tokenise(words)), fields()["fields"]["epochs"])
    assert found is not None and found[0] == 3


@pytest.mark.parametrize(
    "path", ["data/x.csv", "/srv/a b.jsonl".replace(" ", "_"), "~/m.parquet", "./d", "notes.md"]
)
def test_paths_are_read_as_written(path: str) -> None:
    found = read_path(Clause(tokenise(f"add {path} please")))
    assert found is not None and found[0] == path


@pytest.mark.parametrize("words", ["last week", "last 30 days", "since monday", "march 2026"])
def test_periods_are_read(words: str) -> None:
    found = read_period(Clause(tokenise(f"a report for {words} please")))
    assert found is not None and found[0] == words


def test_conditions_are_typed() -> None:
    wanted = read_condition(tokenise("if it beats the champion by two points"))
    assert wanted and (wanted.metric, wanted.op, wanted.margin) == ("difference", ">=", 0.02)
    wanted = read_condition(tokenise("if accuracy is above 90 percent"))
    assert wanted and (wanted.metric, wanted.op, wanted.right) == ("accuracy", ">", 0.9)
    assert read_condition(tokenise("if the boss agrees")) is None


@pytest.mark.parametrize(
    ("said", "metric", "op", "bound"),
    [
        ("if recall@5 is over 0.8", "recall_at_5", ">", 0.8),
        ("if recall at 5 is over 80 percent", "recall_at_5", ">", 0.8),
        ("if recall at 10 reaches 95%", "recall_at_10", ">=", 0.95),
        ("if the hit rate is above 60%", "recall_at_1", ">", 0.6),
        ("if the mrr is at least 0.7", "mrr", ">=", 0.7),
        ("if its mean reciprocal rank exceeds 0.6", "mrr", ">", 0.6),
        ("if ndcg@10 is above 0.6", "ndcg_at_10", ">", 0.6),
        ("if triplet accuracy is over 90 percent", "triplet_accuracy", ">", 0.9),
    ],
)
def test_figures_of_embeddings_are_known_by_their_names(
    said: str, metric: str, op: str, bound: float
) -> None:
    wanted = read_condition(tokenise(said))
    assert wanted is not None
    assert (wanted.metric, wanted.op, wanted.right) == (metric, op, bound)


@pytest.mark.parametrize(
    ("said", "op", "bound", "inverted"),
    [
        ("if it loses by two points", "<=", -0.02, False),
        ("if it loses more than 2 points", "<=", -0.02, False),
        ("unless it loses more than two points", "<=", -0.02, True),
        ("if it loses less than a point", ">", -0.01, False),
        ("if it loses no more than 1.5 points", ">", -0.015, False),
        ("if it is at most one point worse than the champion", ">", -0.01, False),
        ("if it is not more than two points worse", "<=", -0.02, True),
        ("if it does not lose more than 3 points", "<=", -0.03, True),
        ("if it is two points better", ">=", 0.02, False),
        ("if it loses to the champion", "<", 0.0, False),
    ],
)
def test_winning_and_losing_by_an_amount_are_bounds_of_the_difference(
    said: str, op: str, bound: float, inverted: bool
) -> None:
    wanted = read_condition(tokenise(said))
    assert wanted is not None and wanted.metric == "difference"
    assert (wanted.op, wanted.margin, wanted.inverted) == (op, bound, inverted)
    assert wanted.subject is None


@pytest.mark.parametrize(
    "said", ["if it beats the champion by less than two points", "if it loses less than before"]
)
def test_what_one_bound_cannot_say_is_not_understood(said: str) -> None:
    assert read_condition(tokenise(said)) is None


def test_pasted_text_is_left_out() -> None:
    assert guards.own_words("look:\n2026-01-01 ERROR roll back")[0].strip() == ""
    assert guards.own_words("roll back the kiosks")[1] is False


@pytest.mark.parametrize(
    "sentence", ["zeige mir bitte alle modelle", "montre les modèles sur le serveur", "モデル一覧"]
)
def test_other_languages_are_recognised(sentence: str) -> None:
    assert guards.is_foreign(tokenise(sentence))
