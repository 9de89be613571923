"""Rows whose splits are given: all held out, by a column, or by a second file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.datasets.service import DatasetService
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

Caller = Callable[..., Outcome]
ROWS = [
    {"text": f"message {i} about the {word} that came {i * 7} days ago", "label": "ab"[i % 2]}
    for i, word in enumerate(f"thing{n}" for n in range(60))
]


def jsonl(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def parted(column: str, parts: Sequence[str] = ("train", "dev", "test")) -> list[dict[str, str]]:
    return [{**row, column: parts[i % len(parts)]} for i, row in enumerate(ROWS)]


def profile_of(outcome: Outcome) -> dict[str, Any]:
    return outcome.result.model_dump()["profile"]


def proved(outcome: Outcome) -> bool:
    """True if the stored rows, read back, have the hash of what was added."""
    facts = {e.fact: e.value for e in outcome.receipt.evidence}
    found = next(value for fact, value in facts.items() if fact.startswith("SHA-256"))
    return found == outcome.result.model_dump()["sha256"]


def test_a_test_set_only_holds_every_row_out_and_trains_nothing(call: Caller, tmp_path: Path):
    path = jsonl(tmp_path / "gold.jsonl", ROWS)
    added = call("datasets.add", path=path, splits="test-only")
    assert profile_of(added)["splits"] == {"test": 60}
    assert "Every row is held out" in added.receipt.says
    assert proved(added)
    assert "all held out" in call("datasets.describe", dataset="gold").receipt.says
    for operation in ("training.start", "training.estimate", "training.tune"):
        with pytest.raises(InvalidInput, match="All 60 rows of gold v1 are held out") as caught:
            call(operation, dataset="gold")
        assert "evaluate on gold" in str(caught.value.hint)


def test_pairs_that_are_a_test_set_only_train_nothing_either(call: Caller, tmp_path: Path):
    pairs = [{"anchor": row["text"], "positive": f"about {row['text']}"} for row in ROWS]
    call("datasets.add", path=jsonl(tmp_path / "pairs.jsonl", pairs), splits="test-only")
    with pytest.raises(InvalidInput, match="added as a test set only"):
        call("training.start", dataset="pairs")


def test_the_way_of_splitting_makes_another_version_and_the_same_one_again_does_not(
    call: Caller, tmp_path: Path
):
    path = jsonl(tmp_path / "mails.jsonl", ROWS)
    versions = [
        call("datasets.add", path=path, name="mails", splits=splits).result.model_dump()["version"]
        for splits in ("auto", "test-only", "test-only", "80-10-10")
    ]
    assert versions == [1, 2, 2, 1]


def test_a_column_of_another_name_gives_the_splits_when_it_is_named(call: Caller, tmp_path: Path):
    path = jsonl(tmp_path / "mails.jsonl", parted("part"))
    assert profile_of(call("datasets.add", path=path, name="whole"))["split_from"] == "assigned"
    added = call("datasets.add", path=path, name="parted", split_column="Part")
    assert profile_of(added)["splits"] == {"train": 20, "validation": 20, "test": 20}
    assert "split by their column `part`: train 20, validation 20, test 20" in added.receipt.says
    assert proved(added)


@pytest.mark.parametrize("column", ["split", "fold", "Subset"])
def test_a_column_that_tells_splits_is_found_and_shown_before_anything_is_stored(
    kernel: Kernel, context: RequestContext, tmp_path: Path, column: str
):
    path = jsonl(tmp_path / "mails.jsonl", parted(column))
    preview = kernel.gate.preview("datasets.add", {"path": path}, context)
    assert f"split by their column `{column}`: train 20, validation 20, test 20" in preview.summary


def test_a_fold_that_tells_no_splits_is_a_column_like_others(
    call: Caller, kernel: Kernel, tmp_path: Path
):
    path = jsonl(tmp_path / "mails.jsonl", parted("fold", ("0", "1", "2")))
    assert profile_of(call("datasets.add", path=path))["split_from"] == "assigned"
    rows = kernel.get(DatasetService).rows("default", "mails")
    assert {row.extra["fold"] for row in rows} == {"0", "1", "2"}
    with pytest.raises(InvalidInput, match="the column fold holds no splits; it has '0', '1', '2'"):
        call("datasets.add", path=path, split_column="fold")


def test_unknown_and_missing_splits_are_named_with_their_lines(call: Caller, tmp_path: Path):
    rows = parted("fold")
    rows[3]["fold"] = rows[8]["fold"] = "holdback"
    rows[5]["fold"] = ""
    path = jsonl(tmp_path / "mails.jsonl", rows)
    with pytest.raises(InvalidInput) as caught:
        call("datasets.add", path=path)
    assert "3 of 60 rows cannot be used" in str(caught.value)
    assert "the fold 'holdback' (known are train, validation, dev, val and test)" in str(
        caught.value
    )
    assert "at lines 4, 9" in str(caught.value)
    assert "no fold at line 6" in str(caught.value)
    skipped = call("datasets.add", path=path, skip_bad_rows=True)
    assert profile_of(skipped)["rows"] == 57


def test_a_column_that_is_not_there_is_told_with_those_that_are(call: Caller, tmp_path: Path):
    path = jsonl(tmp_path / "mails.jsonl", ROWS)
    with pytest.raises(InvalidInput, match=r"no column 'fold'\. The columns are text, label"):
        call("datasets.add", path=path, split_column="fold")


def test_a_split_column_can_be_left_aside_and_says_so(call: Caller, kernel: Kernel, tmp_path: Path):
    rows = parted("split", ("yes", "no"))
    path = jsonl(tmp_path / "mails.jsonl", rows)
    with pytest.raises(InvalidInput, match="the column split holds no splits") as caught:
        call("datasets.add", path=path)
    assert "split the rows yourself" in str(caught.value.hint)
    added = call("datasets.add", path=path, splits="80-10-10")
    assert profile_of(added)["split_from"] == "assigned"
    assert "The column `split` does not count: the rows are split 80/10/10." in added.receipt.says
    assert proved(added)
    stored = kernel.get(DatasetService).rows("default", "mails")
    assert {row.extra["split_column"] for row in stored} == {"yes", "no"}
    assert {row.split for row in stored} == {"train", "validation", "test"}


def test_other_columns_called_text_and_label_do_not_take_the_place_of_those_chosen(
    call: Caller, kernel: Kernel, tmp_path: Path
):
    rows = [
        {"text": f"id {i}", "label": "x", "body": row["text"], "queue": row["label"]}
        for i, row in enumerate(ROWS)
    ]
    path = jsonl(tmp_path / "mails.jsonl", rows)
    added = call("datasets.add", path=path, text_column="body", label_column="queue")
    assert proved(added)
    first = kernel.get(DatasetService).rows("default", "mails")[0]
    assert (first.text, first.label) == (ROWS[0]["text"], "a")
    assert first.extra == {"text_column": "id 0", "label_column": "x"}


def test_a_second_file_is_the_test_split_and_validation_is_taken_from_train(
    call: Caller, kernel: Kernel, tmp_path: Path
):
    train = jsonl(tmp_path / "march.jsonl", ROWS[:50])
    test = jsonl(tmp_path / "april.jsonl", ROWS[50:])
    added = call("datasets.add", path=train, test_path=test, name="mails")
    profile = profile_of(added)
    assert (profile["rows"], profile["splits"]["test"]) == (60, 10)
    assert profile["splits"]["validation"] > 0
    assert profile["taken_from_train"] == ["validation"]
    assert proved(added)
    held = kernel.get(DatasetService).rows("default", "mails", "test")
    assert [row.text for row in held] == [row["text"] for row in ROWS[50:]]
    source = call("datasets.describe", dataset="mails").result.model_dump()["source"]
    assert (train in source, test in source) == (True, True)


def test_rows_that_two_files_share_are_told_and_flaws_name_their_file(call: Caller, tmp_path: Path):
    train = jsonl(tmp_path / "march.jsonl", ROWS[:50])
    test = jsonl(tmp_path / "april.jsonl", [*ROWS[50:], ROWS[4]])
    shared = call("datasets.add", path=train, test_path=test, name="mails")
    assert profile_of(shared)["leaked"] == 1
    assert "test line 11 as train line 5" in shared.receipt.says
    flawed = jsonl(tmp_path / "may.jsonl", [*ROWS[50:], {"text": "no label"}])
    worse = jsonl(tmp_path / "feb.jsonl", [*ROWS[:50], {"text": "none either"}])
    with pytest.raises(InvalidInput, match=r"at feb.jsonl line 51; no label at may.jsonl"):
        call("datasets.add", path=worse, test_path=flawed)


def test_ways_of_splitting_that_contradict_each_other_are_refused(call: Caller, tmp_path: Path):
    path = jsonl(tmp_path / "mails.jsonl", ROWS)
    folder = tmp_path / "parts"
    folder.mkdir()
    jsonl(folder / "train.jsonl", ROWS[:50])
    jsonl(folder / "test.jsonl", ROWS[50:])
    with pytest.raises(InvalidInput, match="contradict each other"):
        call("datasets.add", path=path, test_path=path, splits="test-only")
    with pytest.raises(InvalidInput, match="cannot hold both"):
        call("datasets.add", path=path, test_path=path)
    with pytest.raises(InvalidInput, match="has test rows of its own"):
        call("datasets.add", path=str(folder), test_path=path)
    with pytest.raises(InvalidInput, match="by the files or by a column"):
        call("datasets.add", path=str(folder), split_column="fold")


def test_a_folder_of_test_files_alone_is_taken_as_a_test_set_only(call: Caller, tmp_path: Path):
    folder = tmp_path / "gold"
    folder.mkdir()
    jsonl(folder / "test.jsonl", ROWS)
    with pytest.raises(InvalidInput, match="has no train file") as caught:
        call("datasets.add", path=str(folder))
    assert "as a test set only" in str(caught.value.hint)
    added = call("datasets.add", path=str(folder), splits="test-only")
    assert profile_of(added)["splits"] == {"test": 60}


def test_a_column_that_says_train_of_none_is_told_and_trains_nothing(call: Caller, tmp_path: Path):
    path = jsonl(tmp_path / "mails.jsonl", parted("split", ("test",)))
    added = call("datasets.add", path=path)
    assert "models can be judged on them, but none can be trained on them" in added.receipt.says
    with pytest.raises(InvalidInput, match="its column `split` says train of none"):
        call("training.start", dataset="mails")
