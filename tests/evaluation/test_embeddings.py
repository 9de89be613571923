"""Embeddings are measured by which texts they find, compared, and judged by the promotion gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.evaluation import alike, tiny
from tests.registry.trained import add_training, classifier_folder
from tools.datasets.columns import Row
from tools.evaluation.pairs import held_out_pairs
from tools.evaluation.service import EvaluationService
from tools.evaluation.subjects import Subject
from tools.evaluation.types import CompareModels
from tools.kernel.errors import Conflict, NotFound, PolicyDenied
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Calls = Callable[..., Outcome]
Finished = Callable[..., dict[str, Any]]


@pytest.fixture
def texts(tmp_path: Path, call: Calls) -> str:
    """A dataset of pairs."""
    return call("datasets.add", path=str(alike.write_rows(tmp_path / "alike.jsonl"))).result.name


@pytest.fixture
def embed(kernel: Kernel, texts: str, base: Path, tmp_path: Path) -> Callable[..., int]:
    """Make an embedding, one that cannot tell words where it is blind, and answer with its job."""

    def made(name: str = "finder", *, blind: bool = False, dataset: str = texts) -> int:
        files = alike.write_embedding(tmp_path / f"{name}-{blind}", base, blind=blind)
        parameters = {"seed": 5, "max_length": 16}
        told: dict[str, Any] = {"base_model": str(base), "parameters": parameters}
        told |= {"task": "embedding", "dataset": dataset}
        return add_training(kernel, files=files, name=name, **told)

    return made


@pytest.fixture
def finder(call: Calls, embed: Callable[..., int]) -> str:
    """A registered model with a good version 1 and a version 2 that cannot tell words."""
    for blind in (False, True):
        call("registry.register", job=embed(blind=blind))
    return "finder"


def test_an_embedding_is_measured_by_what_it_finds(kernel, call, finished, embed):
    from tools.training.similarity.embedder import found_by, load_embedder
    from tools.training.similarity.finding import search_of

    job = embed()
    result = finished("evaluation.run", job=job)
    assert (result["task"], result["rows"], result["overlap"]) == ("embedding", 60, alike.LEAKED)
    rows = [(row["anchor"], row["positive"]) for row in alike.pairs("test", 4)]
    found = found_by(load_embedder(classifier_folder(kernel, job)).embed, search_of(rows))
    assert result["accuracy"] == pytest.approx((found.places == 1).mean())
    assert result["mrr"] == pytest.approx((1 / found.places).mean())
    assert result["candidates"] == 60
    for name in ("accuracy", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10"):
        assert result[f"{name}_low"] < result[name] <= result[f"{name}_high"]
    assert result["baseline_untrained"] == result["accuracy"]
    assert result["gain_p_value"] == 1.0
    missing = ("macro_f1", "ece", "baseline_majority", "reliability_plot", "triplet_accuracy")
    assert [result[name] for name in missing] == [None] * 5
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG")
    said = kernel.receipts.list("default")[0].says
    assert "finder of job" in said
    assert "finds the right one of 60 texts at once for" in said
    call("registry.register", job=job)
    described = call("registry.describe", model="finder").result.versions[0]
    assert described.metrics["evaluation/alike-1/test/mrr"] == result["mrr"]
    assert "evaluation/alike-1/test/ece" not in described.metrics
    shown = call("evaluation.results", model="finder")
    assert "finds the right text at once for" in shown.receipt.says


def test_triplets_also_tell_whether_the_right_text_is_nearer_than_the_wrong_one(
    call, finished, embed, tmp_path
):
    path = alike.write_rows(tmp_path / "three.jsonl", triplets=True)
    call("datasets.add", path=str(path))
    result = finished("evaluation.run", job=embed(dataset="three"))
    assert 0 <= result["triplet_accuracy_low"] <= result["triplet_accuracy"]
    assert result["candidates"] == 120


def test_the_better_of_two_embeddings_is_found_and_the_sample_size_is_said_before(
    kernel, call, finished, finder
):
    service = kernel.get(EvaluationService)
    args = CompareModels(model=finder, version=1, other_version=2)
    preview = service.preview_compare(service.normalise_compare(args, "default"), "default")
    assert "60 test rows" in preview.summary
    assert "rows would show one of 2" in preview.summary
    result = finished("evaluation.compare", model=finder, version=1, other_version=2)
    assert (result["better"], result["rows"]) == ("first", 60)
    assert result["p_value"] < 0.05
    assert result["mrr_difference"] == pytest.approx(result["mrr"] - result["other_mrr"])
    assert 0 < result["mrr_low"] < result["mrr_difference"] < result["mrr_high"]
    assert "finder v1 finds" in result["verdict"]
    assert "of the right texts at once" in result["verdict"]
    assert "a real difference" in result["verdict"]


def test_all_embeddings_are_in_one_table_and_no_language_model(
    kernel, call, finished, finder, texts
):
    result = finished("evaluation.frontier", dataset=texts, model=finder, rows=30)
    assert result["rows"] == 30
    assert [c["name"] for c in result["contenders"]] == ["finder v1", "finder v2"]
    first = result["contenders"][0]
    assert first["accuracy"] <= first["recall_at_5"]
    assert first["mrr"] > result["contenders"][1]["mrr"]
    assert first["macro_f1"] is None
    assert "mean reciprocal rank" in kernel.receipts.list("default")[0].says
    with pytest.raises(Conflict, match="gives answers, not vectors"):
        call("evaluation.frontier", dataset=texts, external_models=["gpt-x"])


def test_slices_and_errors_are_told_of_what_was_found(call, finished, finder):
    finished("evaluation.run", model=finder, version=2)
    slices = call("evaluation.slices", model=finder).result
    assert {"channel", "length"} <= {s.column for s in slices.slices}
    assert [s.accuracy for s in slices.slices] == sorted(s.accuracy for s in slices.slices)
    assert not {"anchor", "positive"} & set(slices.columns)
    shown = call("evaluation.errors", model=finder)
    errors = shown.result
    wrong = errors.examples[0]
    assert errors.wrong > 0
    assert wrong.label != wrong.predicted
    assert f"“{wrong.text}” found “{wrong.predicted}”, right is “{wrong.label}”" in (
        shown.receipt.says
    )
    assert all(c.rows > 1 for c in errors.confused)
    with pytest.raises(Conflict, match="rows have no classes"):
        call("evaluation.errors", model=finder, label="billing")
    with pytest.raises(Conflict, match="gives no probabilities") as refused:
        call("evaluation.calibration", model=finder)
    assert "show the errors of finder" in str(refused.value.hint)


def test_changed_queries_are_searched_among_the_texts_as_they_are(finished, finder):
    result = finished("evaluation.robustness", model=finder, version=1)
    kinds = {kind["kind"]: kind for kind in result["kinds"]}
    assert kinds["punctuation"]["drop"] == 0.0
    assert kinds["typos"]["drop"] > 0.0
    assert 0 < kinds["typos"]["flipped"] <= 1


class TestRefusals:
    def test_labelled_texts_with_the_datasets_that_would_be_right(self, call, finder, tickets):
        with pytest.raises(Conflict, match=r"holds texts with labels.* is an embedding") as refused:
            call("evaluation.run", model=finder, dataset=tickets)
        assert refused.value.hint == "These are right for it: alike."

    def test_a_classifier_on_pairs_with_the_datasets_whose_labels_it_knows(
        self, call, train, texts
    ):
        call("registry.register", job=train(9))
        with pytest.raises(Conflict, match=r"holds pairs of texts.* is a classifier") as refused:
            call("evaluation.run", model="mail-sorter", dataset=texts)
        assert "mails" in str(refused.value.hint)
        assert "alike" not in str(refused.value.hint)

    def test_an_embedding_against_a_classifier(self, call, finder, train):
        call("registry.register", job=train(9))
        with pytest.raises(Conflict, match="nothing measures both"):
            call(
                "evaluation.compare",
                model=finder,
                version=1,
                other_model="mail-sorter",
                other_version=1,
            )

    def test_drift_experiments_and_answers(self, call, finder, texts):
        with pytest.raises(Conflict, match="drift is told by the classes"):
            call("evaluation.drift", model=finder, dataset=texts)
        with pytest.raises(Conflict, match="depends on all texts") as refused:
            call("evaluation.declare_experiment", model=finder, version=1, other_version=2)
        assert "compare finder v1 with finder v2" in str(refused.value.hint)
        with pytest.raises(Conflict, match="no language model"):
            call("evaluation.answers", model=finder)

    def test_a_dataset_that_nobody_knows(self, call, finder):
        with pytest.raises(NotFound, match="alikes"):
            call("evaluation.run", model=finder, dataset="alikes")


class TestTheGate:
    @pytest.fixture
    def rule(self, kernel: Kernel) -> Callable[[str], None]:
        def written(rule: str) -> None:
            path = kernel.settings.home / "policies" / "promotion.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"rules:\n  - {{name: enough, alias: champion, {rule}}}\n")

        return written

    def test_a_figure_of_retrieval_decides(self, call, approved, finished, finder, rule):
        for version in (1, 2):
            finished("evaluation.run", model=finder, version=version)
        rule("measure: recall_at_5, at_least: 0.6")
        with pytest.raises(PolicyDenied, match=r"recall_at_5 is .* on alike@1"):
            call("registry.promote", model=finder, version=2, alias="champion")
        approved("registry.promote", model=finder, version=1, alias="champion")
        rule("measure: worst_slice, column: channel, at_least: 0.99")
        check = call("registry.check_promotion", model=finder, version=2).result
        assert "channel" in check.rules[0].told
        rule("measure: macro_f1, at_least: 0.5")
        check = call("registry.check_promotion", model=finder, version=2).result
        assert "an embedding names no classes; it has recall_at_5" in check.rules[0].told
        assert check.rules[0].would_pass == "a rule that asks for recall_at_5, mrr or ndcg_at_10"

    def test_a_figure_that_only_embeddings_have_is_told_of_a_classifier(
        self, call, finished, train, rule
    ):
        call("registry.register", job=train(240))
        finished("evaluation.run", model="mail-sorter")
        rule("measure: mrr, at_least: 0.5")
        check = call("registry.check_promotion", model="mail-sorter").result
        assert "a classifier finds no texts; it has gain_over_majority" in check.rules[0].told


class Datasets:
    """Rows by dataset; a double of the dataset service."""

    def __init__(self, **rows: list[Row]) -> None:
        self._rows = rows

    def rows(self, tenant: str, reference: str, split: str | None = None) -> list[Row]:
        return [r for r in self._rows[reference] if split in (None, r.split)]


SUBJECT = Subject("f", 1, 7, "r", Path("x"), "h", "old", (), "minilm", {}, "embedding")


def _pair(anchor: str, positive: str, split: str = "test") -> Row:
    return Row(anchor, "", split, {"anchor": anchor, "positive": positive})


def _held_out(*test: Row, subject: Subject = SUBJECT) -> Any:
    old = [_pair("a", "b", "train"), _pair("c", "d", "validation"), _pair("e", "f", "test")]
    datasets = cast("Any", Datasets(old=old, new=[*test]))
    return held_out_pairs(datasets, "default", "new", "test", [subject])


def test_trained_pairs_are_left_out_either_way_round_and_shared_answers_are_not():
    rows = [_pair("A ", "x"), _pair("b", "A"), _pair("n", "b"), _pair("c", "d"), _pair("e", "f")]
    held = _held_out(*rows, *[_pair(f"q{i}", "b") for i in range(3)])
    assert [row.text for row in held.rows] == ["n", "e", "q0", "q1", "q2"]
    assert held.overlap == 3
    assert held.majority_accuracy() is None


def test_one_text_to_find_is_refused_because_every_query_would_find_it():
    with pytest.raises(Conflict, match="fewer than 2 texts to find"):
        _held_out(_pair("x", "same"), _pair("y", "SAME"))
    assert replace(SUBJECT, task="classification").embeds is False


@pytest.mark.slow
@pytest.mark.timeout(290)
def test_a_really_trained_embedding_finds_more_than_its_base(call, finished, tmp_path):
    rows = alike.pairs("train", 0) + alike.pairs("validation", 2) + alike.pairs("test", 4)
    answers = {label: f"the desk for {label}" for label in tiny.LABELS}
    words = {word: label for label, each in tiny.WORDS.items() for word in each}
    told = [
        {**row, "positive": f"{answers[words[row['anchor'].split()[1]]]} {number % 4}"}
        for number, row in enumerate(rows)
    ]
    path = tmp_path / "desks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    call("datasets.add", path=str(path))
    trained = finished("training.start", dataset="desks", method="full", epochs=1, batch_size=12)
    call("registry.register", job=trained["job"])
    result = finished("evaluation.run", model=trained["model_name"])
    assert result["candidates"] <= 12
    assert result["mrr"] > result["mrr_untrained"]
