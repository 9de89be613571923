"""Files as they really come: bad rows, several labels, leaks, personal data, one class."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tools.datasets import lengths, personal
from tools.datasets.profile import Chosen, prepare
from tools.datasets.service import DatasetService
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Caller = Callable[..., Outcome]
ROWS = [
    {"text": f"message {i} about the {word} that came {i * 7} days ago", "label": "ab"[i % 2]}
    for i, word in enumerate(f"thing{n}" for n in range(60))
]


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flawed(path: Path) -> Path:
    """60 good rows, and four bad ones on lines 3, 5, 7 and 9."""
    lines = [json.dumps(row).encode() for row in ROWS]
    lines.insert(2, b'{"text": "caf\xe9 is closed", "label": "a"}')
    lines.insert(4, b'{"text": "no label here"}')
    lines.insert(6, b'{"text": "cut off", "lab')
    lines.insert(8, b'{"text": "  ", "label": "b"}')
    path.write_bytes(b"\n".join(lines))
    return path


def test_every_bad_row_is_named_by_its_line_and_nothing_is_added(call: Caller, tmp_path: Path):
    with pytest.raises(InvalidInput) as caught:
        call("datasets.add", path=str(flawed(tmp_path / "mails.jsonl")))
    told = str(caught.value)
    assert "4 of 64 rows cannot be used" in told
    assert "not UTF-8 (byte 0xe9) at line 3" in told
    assert "no label at line 5" in told
    assert "at line 7" in told
    assert "no text at line 9" in told
    assert "skip the bad rows" in str(caught.value.hint)
    names = [d["name"] for d in call("datasets.list").result.model_dump()["datasets"]]
    assert names == ["tickets"]


def test_bad_rows_are_left_out_on_request_and_listed(call: Caller, tmp_path: Path):
    path = str(flawed(tmp_path / "mails.jsonl"))
    profile = call("datasets.add", path=path, skip_bad_rows=True).result.model_dump()["profile"]
    assert (profile["rows"], profile["skipped_rows"]) == (60, 4)
    assert profile["skipped"][0] == "mails.jsonl line 3: not UTF-8 (byte 0xe9)"
    assert any("4 rows were left out" in warning for warning in profile["warnings"])


def test_a_csv_in_another_encoding_is_refused_with_how_to_convert_it(tmp_path: Path):
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\ncafé,a\nfaçade,b\n".encode("latin-1"))
    with pytest.raises(InvalidInput) as caught:
        prepare(path)
    assert "at line 2" in str(caught.value)
    assert "at line 3" in str(caught.value)
    assert "iconv" in str(caught.value.hint)


@pytest.mark.parametrize("form", ["list", "|", ";"])
def test_several_labels_a_text_are_recognised(tmp_path: Path, kernel: Kernel, form: str):
    many = [["red"], ["red", "round"], ["round"], []]
    rows = [{"text": row["text"], "labels": many[i % 4]} for i, row in enumerate(ROWS)]
    if form != "list":
        full = [row for row in rows if row["labels"]]
        rows = [{**row, "labels": f"{form} ".join(row["labels"])} for row in full]
    path = jsonl(tmp_path / "things.jsonl", rows)
    service = kernel.get(DatasetService)
    profile = service.add("default", str(path), "things").profile
    assert profile.kind == "multilabel"
    assert profile.classes == {"red": 30, "round": 30}
    stored = service.rows("default", "things")
    assert {row.labels for row in stored} >= {("red",), ("red", "round"), ("round",)}
    evidence = service.evidence("default", "things", 1)
    assert evidence[1].value == service.resolve("default", "things").sha256


def test_leaks_between_given_splits_are_told_with_both_lines(tmp_path: Path):
    folder = tmp_path / "leaky"
    folder.mkdir()
    long = "the quick brown fox jumps over the lazy dog while nobody at all is looking"
    jsonl(folder / "train.jsonl", [*ROWS[:30], {"text": long, "label": "a"}])
    near = {"text": long + " today", "label": "a"}
    jsonl(folder / "test.jsonl", [*ROWS[40:50], {**ROWS[3], "text": ROWS[3]["text"].upper()}, near])
    profile = prepare(folder).profile
    assert (profile.leaked, profile.nearly_leaked) == (1, 1)
    assert any("test line 11 as train line 4" in warning for warning in profile.warnings)


def test_splits_are_the_same_every_time_and_hold_every_class(tmp_path: Path):
    first, second = (prepare(jsonl(tmp_path / name, ROWS)) for name in ("a.jsonl", "b.jsonl"))
    assert [r.split for r in first.rows] == [r.split for r in second.rows]
    held_out = {(r.split, r.label) for r in first.rows}
    assert held_out == {(s, c) for s in ("train", "validation", "test") for c in "ab"}


def test_very_long_texts_and_one_class_are_warned_of(tmp_path: Path):
    rows = [{"text": row["text"], "label": "only"} for row in ROWS]
    rows[4]["text"] = "word " * 10_000
    profile = prepare(jsonl(tmp_path / "a.jsonl", rows)).profile
    told = " ".join(profile.warnings)
    assert "one class only (only)" in told
    assert profile.tokens is not None
    assert profile.tokens.longest > 10_000
    assert "1 text is longer than 512 tokens" in told
    assert "line 5" in told


def test_a_label_that_is_an_amount_is_warned_of(tmp_path: Path):
    rows = [{"text": f"a parcel with number {i}", "label": f"{i * 1.37:.2f}"} for i in range(40)]
    warned = prepare(jsonl(tmp_path / "amounts.jsonl", rows)).profile.warnings
    assert any("40 classes in 40 rows: the label may be an amount" in told for told in warned)


def test_personal_data_is_counted_and_not_shown(tmp_path: Path):
    rows = [dict(row) for row in ROWS]
    rows[0]["text"] += " write to jane.doe@acme-mail.io"
    rows[1]["text"] += " my card is 4111 1111 1111 1111"
    rows[2]["text"] += " transfer it to DE89 3704 0044 0532 0130 00"
    rows[3]["text"] += " call +49 30 901820 today"
    rows[4]["text"] += " key AKIAABCDEFGHIJKLMNOP"
    rows[5]["text"] += " order 4111 1111 1111 1112 of 2026-01-31, write to a@example.com"
    profile = prepare(jsonl(tmp_path / "a.jsonl", rows)).profile
    assert profile.personal == dict.fromkeys(
        ["e-mail addresses", "card numbers", "IBANs", "phone numbers", "keys or tokens"], 1
    )
    assert "jane.doe" not in " ".join(profile.warnings)


def test_what_only_looks_like_personal_data_is_let_be():
    for text in (
        "order 12345678",
        "since 2026-01-31 10:15",
        "version 1.2.3.4567890",
        "1,000,000,000",
    ):
        assert personal.kinds_in(text) == set()


def test_columns_may_be_named(tmp_path: Path):
    rows = [{"one": r["text"], "two": r["text"][::-1], "sort": r["label"]} for r in ROWS]
    path = jsonl(tmp_path / "a.jsonl", rows)
    profile = prepare(path, Chosen(text="two", label="Sort")).profile
    assert (profile.text_column, profile.label_column) == ("two", "sort")
    with pytest.raises(InvalidInput, match="no column 'three'"):
        prepare(path, Chosen(text="three"))


def test_a_csv_file_without_names_is_refused_and_does_not_lose_its_first_row(tmp_path: Path):
    path = tmp_path / "mails.csv"
    path.write_text("".join(f"{row['text']},{row['label']}\n" for row in ROWS))
    with pytest.raises(InvalidInput, match="line 1 should name the columns"):
        prepare(path)
    assert len(prepare(path, Chosen(label="a")).rows) == len(ROWS) - 1


def test_a_quote_that_is_not_closed_is_named_by_the_line_where_its_row_begins(tmp_path: Path):
    path = tmp_path / "mails.csv"
    good = [f"{row['text']},{row['label']}" for row in ROWS]
    path.write_text("\n".join(["text,label", *good[:9], '"not closed,a', *good[9:]]))
    with pytest.raises(InvalidInput, match="line 11 is not valid CSV"):
        prepare(path)


def test_spellings_disagreements_and_repeated_ids_are_named_by_line(tmp_path: Path):
    rows = [*ROWS, {"text": "one more", "label": " A "}, {**ROWS[0], "label": "b"}]
    rows = [{**row, "id": i % 60} for i, row in enumerate(rows)]
    told = " ".join(prepare(jsonl(tmp_path / "mails.jsonl", rows)).profile.warnings)
    assert "several spellings: a, A (line 61)." in told
    assert "1 text occurs with different labels (a at line 1 and b at line 62)." in told
    assert "2 rows repeat the id of an earlier row (lines 61, 62)." in told


def test_long_texts_are_named_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lengths, "_SAMPLE", 10)
    rows = [*ROWS, {"text": "refund " * 10_000, "label": "a"}]
    profile = prepare(jsonl(tmp_path / "mails.jsonl", rows)).profile
    assert any("1 text is longer than 512 tokens" in told for told in profile.warnings)
    assert "line 61" in " ".join(profile.warnings)
    assert profile.tokens is not None
    assert profile.tokens.longest > 10_000
