"""A router learns, answers, abstains, and says the same after it was kept and loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphs.understanding.intent import Example, IntentRouter
from graphs.understanding.intent.heads import Heads, nearest, softmax
from graphs.understanding.intent.learning import steps_for
from graphs.understanding.intent.measuring import measure
from graphs.understanding.intent.words import Words
from tools.kernel.errors import InvalidInput

FRESH = [
    Example("could you play a rock song", "play_music"),
    Example("is it raining in Paris", "get_weather"),
    Example("please wake me up at eight", "set_alarm"),
]
FAR = ["my loss is not going down", "transfer fifty euros to my sister", "who wrote Hamlet"]


def test_it_answers_fresh_sentences_and_abstains_on_far_ones(router: IntentRouter) -> None:
    found = router.predict([example.text for example in FRESH])

    assert [p.label for p in found] == [example.label for example in FRESH]
    assert not any(p.abstain for p in found)
    assert all(p.abstain for p in router.predict(FAR))


def test_an_answer_depends_on_its_own_text_alone(router: IntentRouter) -> None:
    assert router.predict([FAR[0], FRESH[0].text])[1] == router.predict([FRESH[0].text])[0]


def test_it_says_the_same_after_it_was_kept(router: IntentRouter, tmp_path: Path) -> None:
    router.save(tmp_path / "kept")
    router.save(tmp_path / "kept")  # an older router is replaced

    loaded = IntentRouter.load(tmp_path / "kept")

    kept = loaded.predict([e.text for e in FRESH] + FAR)
    told = router.predict([e.text for e in FRESH] + FAR)
    assert [(p.label, p.abstain) for p in kept] == [(p.label, p.abstain) for p in told]
    assert np.allclose([p.score for p in kept], [p.score for p in told], atol=2e-3)
    on_disk = sum(p.stat().st_size for p in (tmp_path / "kept").iterdir())
    assert on_disk == pytest.approx(router.size(), rel=0.01)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_a_folder_of_something_else_is_left_alone(router: IntentRouter, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(InvalidInput, match=r"thesis\.txt"):
        router.save(tmp_path)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["router.json", "heads.npz", "encoder.onnx", "tokenizer.json"])
def test_a_damaged_router_is_told(router: IntentRouter, tmp_path: Path, name: str) -> None:
    router.save(tmp_path / "kept")
    (tmp_path / "kept" / name).write_bytes(b"{}")

    with pytest.raises(InvalidInput):
        IntentRouter.load(tmp_path / "kept")


def test_a_folder_without_a_router_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no router"):
        IntentRouter.load(tmp_path)


def test_the_figures_are_complete_and_plain(router: IntentRouter) -> None:
    figures = measure(router, FRESH, FAR)

    assert figures["accuracy"] == figures["macro_f1"] == 1.0
    assert figures["oos_auroc"] == figures["oos_recall"] == 1.0
    assert figures["rows"] == {"train": 15, "test": 3, "oos": 3}
    assert json.loads(json.dumps(figures)) == figures
    assert measure(router, FRESH)["oos_auroc"] is None


@pytest.mark.slow
def test_tuning_draws_labels_together_and_the_seed_decides_it(examples: list[Example]) -> None:
    first = IntentRouter.train(examples, seed=3, steps=4, threads=1)
    again = IntentRouter.train(examples, seed=3, steps=4, threads=1)

    assert first.threshold == again.threshold
    assert first.predict(FAR) == again.predict(FAR)
    assert [p.label for p in first.predict([e.text for e in FRESH])] == [e.label for e in FRESH]


def test_odd_rows_are_learnt_from(examples: list[Example]) -> None:
    odd = [
        *examples,
        *examples[:3],  # said twice
        Example("stop", "17"),  # a label that is a number, with a single row
        Example("", "play_music"),
        Example("sehr laut " * 2000, "play_music"),
        Example("今日の天気は", "get_weather"),
    ]

    router = IntentRouter.train(odd, steps=0, threads=1)

    assert router.labels == ("17", "get_weather", "play_music", "set_alarm")
    assert router.predict(["stop"])[0].label == "17"
    assert [p.label for p in router.predict([e.text for e in FRESH])] == [e.label for e in FRESH]
    assert router.predict([""])[0].label in router.labels


def test_of_very_many_rows_every_label_keeps_a_share_as_neighbours() -> None:
    random = np.random.default_rng(3)
    truth = np.concatenate([np.zeros(9_000, int), np.full(4_000, 1), np.full(3, 2)])
    vectors = random.normal(size=(len(truth), 8)).astype(np.float32)
    vectors[np.arange(len(truth)), truth] += 6.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    heads = Heads.fit(vectors, truth, None)
    kept = heads.arrays()["truth"]
    assert len(kept) <= 10_000
    assert list(np.bincount(kept)) == [3_333, 3_333, 3]
    said = np.zeros((len(truth), 3), np.float32)
    assert (heads.judge(vectors, said).chances.argmax(1) == truth).mean() > 0.99


@pytest.mark.parametrize("classes", [2, 4])
def test_the_heads_find_what_they_were_fitted_on(classes: int) -> None:
    truth = np.repeat(np.arange(classes), 3)
    random = np.random.default_rng(0)
    rows = np.eye(8)[truth] + random.normal(0, 0.05, (len(truth), 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    heads = Heads.fit(rows, truth, None)
    again = Heads(heads.arrays())
    unsaid = np.zeros((len(rows), classes), np.float32)
    found = heads.judge(rows, unsaid).chances

    assert (found.argmax(1) == truth).all()
    assert np.allclose(found.sum(1), 1, atol=1e-4)
    assert np.allclose(found, again.judge(rows, unsaid).chances, atol=1e-2)


def test_neighbours_vote_by_their_kernel() -> None:
    similar = np.array([[0.9, 0.85, 0.2, 0.88]], dtype=np.float32)
    kernel = np.exp((similar[0] - 1) / 0.05)

    chances = softmax(nearest(similar, np.array([0, 3]), 0.05) / 0.05)[0]

    assert chances[0] == pytest.approx(kernel[:3].sum() / kernel.sum(), abs=1e-4)


def test_work_is_bounded_however_many_and_long_the_rows() -> None:
    assert steps_for([12] * 35) < steps_for([12] * 1500) < steps_for([12] * 10_000)
    assert steps_for([64] * 15_000) * 128 * 64 <= 800_000
    assert steps_for([12] * 1_000_000) == steps_for([12] * 15_000)


def test_words_tell_labels_apart_whose_vectors_are_the_same() -> None:
    texts = ["pause the job", "please pause it", "resume the job", "please resume it"]
    truth = np.array([0, 0, 1, 1])
    vectors = np.tile(np.eye(1, 8, dtype=np.float32), (4, 1))
    heads, words = Heads.fit(vectors, truth, None), Words.fit(texts, truth)
    asked = ["can you pause", "resume now", "fortfahren bitte"]

    chances = heads.judge(vectors[:3], words.outputs(asked)).chances

    assert (chances.argmax(1)[:2] == [0, 1]).all()
    assert chances[2] == pytest.approx([0.5, 0.5], abs=0.01)


def test_the_words_say_the_same_after_they_were_kept() -> None:
    words = Words.fit(["größer bitte", "kleiner", "今日は 雨"], np.array([0, 1, 2]))

    again = Words(words.arrays())

    asked = ["GRÖSSER größer", "kleiner", "雨", "?!"]
    assert np.allclose(again.outputs(asked), words.outputs(asked), atol=1e-2)
    assert list(again.outputs(asked[1:3]).argmax(1)) == [1, 2]


def test_words_are_read_only_where_rows_are_few(
    router: IntentRouter, examples: list[Example], tmp_path: Path
) -> None:
    many = [Example(f"{e.text} {n}", e.label) for e in examples for n in range(4, 8)]

    router.save(tmp_path / "few")
    IntentRouter.train(many, steps=0, threads=1).save(tmp_path / "many")

    with np.load(tmp_path / "few" / "heads.npz") as few:
        assert "umbrella" in few["terms"].item().split("\n")
    with np.load(tmp_path / "many" / "heads.npz") as kept:
        assert kept["terms"].item() == ""
