"""What may stand at a path, and what is said of it when it cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tools.datasets.profile import Chosen, prepare
from tools.kernel.errors import InvalidInput, NotFound

ROWS = [
    {"text": f"{word} {i} is what this message is about", "label": "ab"[i % 2]}
    for i, word in enumerate(f"w{n}x w{n}y w{n}z" for n in range(20))
]


def jsonl(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def delimited(path: Path, separator: str = ",") -> Path:
    lines = [separator.join(("text", "label"))]
    lines += [separator.join((row["text"], row["label"])) for row in ROWS]
    path.write_text("\r\n".join(lines))
    return path


def parquet(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def test_the_same_rows_have_one_hash_in_every_format(tmp_path: Path):
    paths = [
        jsonl(tmp_path / "a.jsonl", ROWS),
        delimited(tmp_path / "a.csv"),
        delimited(tmp_path / "a.tsv", "\t"),
        delimited(tmp_path / "semicolon.csv", ";"),
        parquet(tmp_path / "a.parquet"),
        jsonl(tmp_path / "bom.jsonl", ROWS),
    ]
    paths[-1].write_bytes(b"\xef\xbb\xbf" + paths[-1].read_bytes())
    array = tmp_path / "array.json"
    array.write_text(json.dumps(ROWS))
    assert len({prepare(path).sha256 for path in [*paths, array]}) == 1


def test_content_decides_over_the_suffix(tmp_path: Path):
    named_csv = jsonl(tmp_path / "really.csv", ROWS)
    found = prepare(named_csv).profile
    assert found.rows == 20
    assert "holds jsonl" in found.warnings[0]
    assert prepare(parquet(tmp_path / "really.jsonl")).profile.rows == 20


def test_quoted_line_breaks_keep_line_numbers_right(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"two\nlines, here",a\nfine text,b\nno label here,\n')
    with pytest.raises(InvalidInput, match="no label at line 5"):
        prepare(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.jsonl",
            b'{"text": "x", "label": "a"}\n{"text": broken}\n',
            "(Expecting value) at line 2",
        ),
        ("a.jsonl", b'{"text": "x", "label": "a"}\n[1]\n', "a JSON list, not an object"),
        ("a.csv", b"text,label\ncaf\xe9,a\n", "not UTF-8 (byte 0xe9) at line 2"),
        ("a.jsonl", b"", "is empty"),
        ("a.csv", b"\n \n", "is empty"),
        ("a.csv", b"text,label\n", "holds no rows"),
        ("a.csv", b"text,label\nfine,a\nt,o,o many\n", "3 fields where the header has 2 at line 3"),
        ("a.csv", b'text,label\n"never closed,a\n', "is not valid CSV"),
        ("a.csv", b"text,text\nx,y\n", "several columns named text"),
        ("a.csv", b"text,label\nnul\x00,a\n", "a NUL byte at line 2"),
        ("a.xlsx", b"PK\x03\x04rest", "zip archive or an office document"),
        ("a.jsonl.gz", b"\x1f\x8brest", "gzip archive"),
        ("a.doc", b"some words", "unknown type (.doc)"),
        ("plain", b"some words", "unknown type (no extension)"),
        ("a.parquet", b"text,label\nx,y\n", "is not Parquet"),
        ("a.parquet", b"PAR1 and nothing more", "damaged Parquet"),
        ("a.json", b'[{"text": "x", "label": "a"}, {"text": ', "not valid JSON"),
        ("a.jsonl", b"[" * 100_000, "nested too deeply"),
        ("a.jsonl", b'{"text": "x", "text": "y", "label": "a"}', "the key 'text' twice at line 1"),
        ("a.json", b'[{"text": "x", "label": "a", "label": "b"}]', "'label' twice at item 1"),
        ("a.jsonl", b'{"messages": [{"role": "user", "role": "x"}]}', "'role' twice at line 1"),
    ],
)
def test_bad_files_are_refused_by_name_and_line(
    tmp_path: Path, name: str, content: bytes, message: str
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        prepare(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_labels_are_listed(tmp_path: Path):
    rows: list[dict[str, object]] = [dict(row) for row in ROWS]
    for i in (2, 4, 7, 9, 11, 13, 15):
        rows[i]["label"] = None if i % 2 else " "
    with pytest.raises(InvalidInput, match=r"no label at lines 3, 5, 8, 10, 12 and 2 more"):
        prepare(jsonl(tmp_path / "a.jsonl", rows))


def test_columns_are_detected_and_named(tmp_path: Path):
    rows = [{"id": i, "message": row["text"], "queue": row["label"]} for i, row in enumerate(ROWS)]
    profile = prepare(jsonl(tmp_path / "a.jsonl", rows)).profile
    assert (profile.text_column, profile.label_column) == ("message", "queue")
    assert profile.columns_from == "detected"
    assert profile.columns == {"id": "integer", "message": "string", "queue": "string"}


def test_ambiguous_columns_are_refused_with_their_names(tmp_path: Path):
    rows = [{"one": row["text"], "two": row["text"][::-1], "label": row["label"]} for row in ROWS]
    with pytest.raises(InvalidInput, match=r"text column could be any of one, two"):
        prepare(jsonl(tmp_path / "a.jsonl", rows))
    with pytest.raises(InvalidInput, match=r"label column was not found. The columns are text"):
        prepare(jsonl(tmp_path / "b.jsonl", [{"text": row["text"]} for row in ROWS]))


def test_numbers_are_labels_and_one_class_is_a_warning(tmp_path: Path):
    rows = [{"text": row["text"], "label": 1.0} for row in ROWS]
    profile = prepare(jsonl(tmp_path / "a.jsonl", rows)).profile
    assert profile.classes == {"1": 20}
    assert "one class only" in profile.warnings[0]


def test_a_misspelt_file_name_gets_its_sibling(tmp_path: Path):
    jsonl(tmp_path / "complaints_march.jsonl", ROWS)
    with pytest.raises(NotFound) as caught:
        prepare(tmp_path / "complaints_marhc.jsonl")
    assert caught.value.suggestions[0].endswith("complaints_march.jsonl")
    with pytest.raises(NotFound, match="There is no folder"):
        prepare(tmp_path / "nowhere" / "deep" / "a.csv")


def test_what_is_no_file_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InvalidInput, match="not a regular file"):
        prepare(tmp_path / "pipe.csv")
    (tmp_path / "folder").mkdir()
    jsonl(tmp_path / "folder" / "things.jsonl", ROWS)
    with pytest.raises(InvalidInput, match="without train, validation or test files") as caught:
        prepare(tmp_path / "folder")
    assert "things.jsonl" in str(caught.value)


def test_a_folder_with_splits_is_a_dataset(tmp_path: Path):
    jsonl(tmp_path / "train-00000.jsonl", ROWS[:14])
    delimited(tmp_path / "dev.csv")
    (tmp_path / "dev.csv").write_text(f"text,label\n{ROWS[14]['text']},a\n{ROWS[15]['text']},b\n")
    jsonl(tmp_path / "test.jsonl", ROWS[16:])
    profile = prepare(tmp_path).profile
    assert profile.splits == {"train": 14, "validation": 2, "test": 4}
    assert profile.split_from == "files"


def test_a_split_column_is_used_and_completed_from_train(tmp_path: Path):
    rows = [{**row, "split": "testing" if i < 4 else "train"} for i, row in enumerate(ROWS)]
    found = prepare(jsonl(tmp_path / "a.jsonl", rows))
    assert found.profile.split_from == "column"
    assert found.profile.splits["test"] == 4
    assert found.profile.splits["validation"] == 2
    rows[3]["split"] = "holdback"
    with pytest.raises(InvalidInput, match=r"the split .holdback. .known are train.* at line 4"):
        prepare(jsonl(tmp_path / "a.jsonl", rows))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from tools.datasets import reading

    path = jsonl(tmp_path / "a.jsonl", ROWS)
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput, match="too large"):
        prepare(path)
    monkeypatch.undo()
    monkeypatch.setattr(reading, "MAX_ROWS", 5)
    with pytest.raises(InvalidInput, match="more than 5 rows"):
        prepare(path)


def test_a_tsv_file_is_told_as_such_and_one_of_commas_is_not(tmp_path: Path):
    assert prepare(delimited(tmp_path / "a.tsv", "\t")).profile.format == "tsv"
    wrong = prepare(delimited(tmp_path / "b.tsv")).profile
    assert wrong.format == "csv"
    assert "is named .tsv but holds csv" in wrong.warnings[0]


def test_quotes_of_a_tsv_file_that_do_not_pair_up_are_read_as_they_stand(tmp_path: Path):
    lines = [f"{row['text']}\t{row['label']}" for row in ROWS]
    lines[3] = '"not now" said the clerk of window three\ta'
    lines[5] = '"the ""best"" window of them all"\tb'
    lines[7] = '"never closed and still a text\ta'
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(["text\tlabel", *lines]))
    found = prepare(path)
    assert found.profile.rows == 20
    texts = [row.text for row in found.rows]
    assert texts[3] == '"not now" said the clerk of window three'
    assert texts[5] == 'the "best" window of them all'
    assert texts[7] == '"never closed and still a text'
    assert "quotes that do not pair up" in found.profile.warnings[0]


def test_a_bad_row_beside_quotes_that_do_not_pair_up_is_named_and_can_be_left_out(tmp_path: Path):
    lines = [f"{row['text']}\t{row['label']}" for row in ROWS]
    lines[3:5] = ['"not now" said the clerk of window three\ta', "cut off here"]
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(["text\tlabel", *lines]))
    with pytest.raises(InvalidInput, match="1 field where the header has 2 at line 6"):
        prepare(path)
    assert prepare(path, Chosen(skip_bad_rows=True)).profile.rows == 19


def test_a_file_of_texts_alone_is_refused_with_why(tmp_path: Path):
    with pytest.raises(InvalidInput) as caught:
        prepare(jsonl(tmp_path / "a.jsonl", [{"text": row["text"]} for row in ROWS]))
    assert "Texts without labels cannot be added yet" in str(caught.value.hint)
