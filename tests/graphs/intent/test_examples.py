"""Rows of a file are read whole, or refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.understanding.intent import Example, read_examples, read_texts
from graphs.understanding.intent.examples import check_labels, check_trainable, name_words
from tools.kernel.errors import InvalidInput

GOOD = '{"text": "where is my card", "label": "card_arrival"}\n'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "hello"}', "no field `label`"),
        ('{"label": "greet"}', "no field `text`"),
        ('{"text": "  ", "label": "greet"}', "`text` is empty"),
        ('{"text": 7, "label": "greet"}', "`text` is not a text"),
        ('{"text": "hello", "label": null}', "`label` is not a text"),
        ('["hello", "greet"]', "not a JSON object"),
        ("hello", "not JSON"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")

    with pytest.raises(InvalidInput) as caught:
        read_examples(path)

    assert f"{path}, line 3" in caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe\x00"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=str(path)):
        read_examples(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        read_examples(tmp_path / "none.jsonl")
    with pytest.raises(InvalidInput, match="is a folder"):
        read_examples(tmp_path)


def test_rows_out_of_scope_need_no_label(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "hello"}\n{"text": "you", "label": null}\n')

    assert read_texts(path) == ["hello", "you"]


def test_numbers_may_be_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "hello", "label": 3}\n')

    assert read_examples(path) == [Example("hello", "3")]


def test_one_label_or_single_rows_alone_cannot_be_learnt_from() -> None:
    with pytest.raises(InvalidInput, match="at least two labels"):
        check_trainable([Example("a", "x"), Example("b", "x")])
    with pytest.raises(InvalidInput, match="no label has two different ones"):
        check_trainable([Example("a", "x"), Example("c", "y")])
    check_trainable([Example("a", "x"), Example("b", "x"), Example("c", "y")])


def test_a_test_row_with_a_label_never_learnt_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"B\.jsonl, row 2 is labelled 'z'"):
        check_labels([Example("a", "x"), Example("b", "z")], {"x"}, "B.jsonl")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("PlayMusic", "play music"),
        ("alarm/set-one", "alarm set one"),
        ("17", ""),
        ("c_3", ""),
    ],
)
def test_a_label_is_said_in_words(label: str, words: str) -> None:
    assert name_words(label) == words
