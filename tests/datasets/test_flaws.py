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


def test_a_text_that_is_a_number_is_named_as_such_and_not_as_missing(call: Caller, tmp_path: Path):
    rows = [*ROWS, {"text": 12345, "label": "a"}]
    with pytest.raises(InvalidInput, match="a text that is no string but of type integer at line"):
        call("datasets.add", path=str(jsonl(tmp_path / "mails.jsonl", rows)))


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
        "0.25 0.33 0.00360392 and 0.9924 0.0075",
        "arXiv:0909.4061, ISBN 0-471-05669-3 and 9780898717952",
        "[0 1 1 1 0 0 1 0 1] and 174 201 231",
        "1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1",
        "0.2572053268208538",
        "Annals 28 (2) 337 - 407, pages 211-252 (1964)",
        "SIAM (1996) 329-359 and 014006 (2012)",
        "write to user@example.org",
    ):
        assert personal.kinds_in(text) == set(), text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("call +49 30 901820", "phone numbers"),
        ("call +1 555 123 4567", "phone numbers"),
        ("call +44 (0)20 7946 0958", "phone numbers"),
        ("ring 030 901820 or so", "phone numbers"),
        ("ring 0171/1234567", "phone numbers"),
        ("ring 030.901.820", "phone numbers"),
        ("ring (555) 123-4567", "phone numbers"),
        ("ring 555-123-4567", "phone numbers"),
        ("card 4111111111111111.", "card numbers"),
        ("card 4111-1111-1111-1111", "card numbers"),
        ("card 3782 822463 10005", "card numbers"),
        ("from joe.smith@example.org", "e-mail addresses"),
    ],
)
def test_personal_data_is_found_as_people_write_it(text: str, kind: str):
    assert personal.kinds_in(text) == {kind}


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


def labelled(path: Path, odd: dict[int, Any]) -> Path:
    """60 rows with lists of labels, but for those given by their line."""
    lists = [["red"], ["red", "round"], ["round"]]
    return jsonl(
        path,
        [{"text": r["text"], "labels": odd.get(i, lists[i % 3])} for i, r in enumerate(ROWS, 1)],
    )


def test_a_list_of_nothing_usable_is_a_bad_row_even_where_columns_are_detected(tmp_path: Path):
    path = labelled(tmp_path / "a.jsonl", {4: ["", None], 6: "red", 9: {"red": 1}})
    with pytest.raises(InvalidInput) as caught:
        prepare(path)
    assert "only empty labels at line 4; no labels at line 9" in str(caught.value)
    assert prepare(path, Chosen(skip_bad_rows=True)).profile.rows == 58


def test_lists_that_are_empty_or_repeat_and_bare_labels_are_told_with_their_lines(tmp_path: Path):
    odd = {4: [], 6: "red", 9: ["red", "red"], 12: ["red", ""], 15: 7}
    found = prepare(labelled(tmp_path / "a.jsonl", odd))
    told = " ".join(found.profile.warnings)
    for expected in (
        "1 row has no label (line 4)",
        "1 row has a label in no list (line 6)",
        "1 row has a label twice (line 9)",
        "1 row has an empty label beside others (line 12)",
        "1 row has a number or a truth value as the label (line 15)",
    ):
        assert expected in told
    assert [found.rows[i].labels for i in (3, 5, 8, 11)] == [(), ("red",), ("red",), ("red",)]


def test_a_column_that_mixes_types_is_named_with_the_lines_of_each(tmp_path: Path):
    path = labelled(tmp_path / "a.jsonl", {line: {"red": 1} for line in range(1, 31)})
    with pytest.raises(InvalidInput, match=r"labels mixes types of value: object at lines 1, 2, 3"):
        prepare(path)


def test_labels_that_look_like_missing_values_are_told_with_their_lines(tmp_path: Path):
    odd = {3: "null", 4: "N/A", 5: "NaN", 6: "-"}
    lines = [f"{row['text']},{odd.get(i, row['label'])}" for i, row in enumerate(ROWS, 2)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *lines]))
    told = " ".join(prepare(path).profile.warnings)
    assert "4 rows have labels that may stand for a missing value" in told
    for expected in ("null (line 3)", "N/A (line 4)", "NaN (line 5)", "- (line 6)"):
        assert expected in told


def test_a_number_as_a_label_is_kept_as_text_and_told(tmp_path: Path):
    rows: list[dict[str, Any]] = [dict(row) for row in ROWS]
    rows[7]["label"] = 3
    profile = prepare(jsonl(tmp_path / "a.jsonl", rows)).profile
    assert profile.classes["3"] == 1
    assert any("as the label (line 8): it is kept as text" in w for w in profile.warnings)


def test_mostly_repeated_texts_and_splits_that_do_not_come_about_are_told(tmp_path: Path):
    rows = [ROWS[i % 4] for i in range(40)]
    told = " ".join(prepare(jsonl(tmp_path / "a.jsonl", rows)).profile.warnings)
    assert "36 of 40 rows repeat an earlier text: there are only 4 different texts" in told
    assert "There are no validation and no test rows" in told
    usual = prepare(jsonl(tmp_path / "b.jsonl", ROWS)).profile.warnings
    assert not any("repeat" in warning or "test rows" in warning for warning in usual)


def test_personal_data_is_told_with_the_lines_it_stands_in(tmp_path: Path):
    rows = [dict(row) for row in ROWS]
    for i in (2, 4):
        rows[i]["text"] += " write to jane.doe@acme-mail.io"
    told = " ".join(prepare(jsonl(tmp_path / "a.jsonl", rows)).profile.warnings)
    assert "e-mail addresses in 2 rows (lines 3, 5)" in told


def test_all_leaks_are_listed_in_the_description(call: Caller, tmp_path: Path):
    long = "the quick brown fox jumps over the lazy dog while nobody at all is looking"
    train = [*ROWS[:50], {"text": long, "label": "a"}]
    test = [*ROWS[10:20], {"text": long + " today", "label": "a"}]
    rows = [{**row, "split": "train"} for row in train] + [{**row, "split": "test"} for row in test]
    call("datasets.add", path=str(jsonl(tmp_path / "leaky.jsonl", rows)))
    profile = call("datasets.describe", dataset="leaky").result.model_dump()["profile"]
    assert (profile["leaked"], profile["nearly_leaked"], len(profile["leaks"])) == (10, 1, 11)
    assert "test line 52 as train line 11" in profile["leaks"]
    assert "nearly test line 62 as train line 51" in profile["leaks"]
    assert any("7 more: see `leaks`" in warning for warning in profile["warnings"])
