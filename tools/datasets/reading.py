"""From a path to records: finds the files, recognises their format, and says where they are bad.

Owns bytes, encodings and syntax. Which column means what belongs to `columns`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tools.datasets import delimited
from tools.datasets.locating import locate
from tools.datasets.problems import Problem
from tools.kernel.errors import InvalidInput

MAX_BYTES = 256 * 1024 * 1024
MAX_ROWS = 1_000_000
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_SUPPORTED = "Supported are JSONL, CSV, TSV and Parquet."
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"%PDF": "a PDF",
    b"BZh": "a bzip2 archive; unpack it first",
    b"SQLite format 3": "an SQLite database",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One row as the file has it, and where it stands there."""

    values: dict[str, Any]
    place: str
    split: str | None = None
    file: str = ""


@dataclass(slots=True)
class Table:
    """All rows of one dataset.

    Attributes:
        columns: the columns in order of appearance, each with its type.
        records: the rows.
        warnings: what was unusual about the files.
        problems: the rows that could not be read.
        formats: the formats of the files (`jsonl`, `csv`, `tsv`, `parquet`).
    """

    columns: dict[str, str]
    records: list[Record]
    warnings: list[str] = field(default_factory=list[str])
    problems: list[Problem] = field(default_factory=list[Problem])
    formats: list[str] = field(default_factory=list[str])


def read(path: Path, test: Path | None = None, *, whole: bool = False) -> Table:
    """Read a file, or a folder with one file or more a split.

    Args:
        path: the file or folder.
        test: a file whose rows are the test split; None if there is none of its own.
        whole: True if a folder may lack a train file.

    Raises:
        InvalidInput: if a file cannot be read at all; rows that cannot are in `problems`.
        NotFound: if there is nothing at the path, with the nearest sibling's name.
    """
    table = Table({}, [])
    records = table.records
    for file, split in locate(path, frozenset(SUFFIXES), test, whole=whole):
        for place, values in _read_file(file, table):
            fault = values if isinstance(values, str) else _encoding_fault(values)
            if fault is None and not isinstance(values, str):
                records.append(Record(values, place, split, file.name))
            else:
                table.problems.append(Problem(place, str(fault), file.name))
            if len(records) > MAX_ROWS:
                raise InvalidInput(f"{path} has more than {MAX_ROWS:,} rows.")
    if not records and not table.problems:
        raise InvalidInput(f"{path} holds no rows.")
    table.columns = _columns(records)
    return table


_Rows = Iterator[tuple[str, dict[str, Any] | str]]
"""Places with the values that stand there, or with what is wrong there."""


def _encoding_fault(values: Any) -> str | None:
    """What is wrong with the bytes behind a value, `_text` having let them through."""
    if isinstance(values, str):
        found = next((c for c in values if "\udc80" <= c <= "\udcff"), None)
        if found is not None:
            return f"not UTF-8 (byte 0x{ord(found) - 0xDC00:02x})"
        return "a NUL byte" if "\0" in values else None
    parts: list[Any] = []
    if isinstance(values, dict):
        parts = [*cast("dict[str, Any]", values).values()]
    elif isinstance(values, list):
        parts = cast("list[Any]", values)
    return next((fault for part in parts if (fault := _encoding_fault(part))), None)


def _read_file(path: Path, table: Table) -> _Rows:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidInput(
                f"{path} is too large: {size / 1e6:.0f} MB, at most {MAX_BYTES / 1e6:.0f} MB.",
                hint="Add a sample of it, or split it into several datasets.",
            )
        data = path.read_bytes()
    except PermissionError:
        raise InvalidInput(f"{path} may not be read by this user.") from None
    except OSError as error:
        raise InvalidInput(f"{path} could not be read: {error.strerror}.") from error
    if not data.strip():
        raise InvalidInput(f"{path} is empty.")
    kind, reader = _reader(path, data, table.warnings)
    named = SUFFIXES.get(path.suffix.lower())
    table.formats.append(kind)
    if named is not None and named != kind:
        table.warnings.append(
            f"{path.name} is named {path.suffix} but holds {kind}; read as {kind}."
        )
    return reader(path, data)


def _reader(
    path: Path, data: bytes, warnings: list[str]
) -> tuple[str, Callable[[Path, bytes], _Rows]]:
    if data.startswith(b"PAR1"):
        return "parquet", _parquet
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise InvalidInput(f"{path} is {what}.", hint=_SUPPORTED)
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return "jsonl", _jsonl
    if start.startswith(b"[") and path.suffix.lower() in {".json", ".jsonl", ".ndjson"}:
        return "jsonl", _json_list
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(
            f"{path} is of an unknown type ({suffix or 'no extension'}).", hint=_SUPPORTED
        )
    if SUFFIXES[suffix] == "parquet":
        raise InvalidInput(f"{path} is not Parquet, whatever its name says.", hint=_SUPPORTED)
    if SUFFIXES[suffix] == "jsonl":
        return "jsonl", _jsonl
    text = _text(path, data)
    delimiter = delimited.delimiter_of(text, SUFFIXES[suffix])
    kind = "tsv" if delimiter == "\t" else "csv"
    return kind, lambda path, _: delimited.rows_of(path, text, delimiter, warnings)


def _text(path: Path, data: bytes) -> str:
    """The text of a file; bytes that are no UTF-8 are kept as surrogates, and their rows found."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidInput(
            f"{path} is UTF-16, not UTF-8.", hint="Convert it with `iconv -f UTF-16 -t UTF-8`."
        )
    return data.decode("utf-8-sig", errors="surrogateescape")


def _jsonl(path: Path, data: bytes) -> _Rows:
    for number, line in enumerate(_text(path, data).split("\n"), 1):
        if line.strip():
            yield f"line {number}", _json_row(line)


def _json_row(line: str) -> dict[str, Any] | str:
    if (fault := _encoding_fault(line)) is not None:
        return fault
    try:
        return _object(json.loads(line, object_pairs_hook=_pairs))
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        return f"not valid JSON ({reason})"


def _json_list(path: Path, data: bytes) -> _Rows:
    text = _text(path, data)
    try:
        values: list[Any] = json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path} line {error.lineno} is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply.") from None
    for number, value in enumerate(values, 1):
        yield f"item {number}", _object(value)


class _Repeating(dict[str, Any]):
    """An object in which a key stands twice, itself or in what it holds; `what` names the key."""

    what = ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; one that would lose a value because its key is repeated is marked."""
    made = dict(pairs)
    what = ""
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        what = f"the key {next(n for n in names if names.count(n) > 1)!r} twice"
    for value in made.values():
        parts = cast("list[Any]", value) if isinstance(value, list) else [value]
        what = what or next((part.what for part in parts if isinstance(part, _Repeating)), "")
    if not what:
        return made
    marked = _Repeating(made)
    marked.what = what
    return marked


def _object(value: Any) -> dict[str, Any] | str:
    if isinstance(value, _Repeating):
        return value.what
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    return f'a JSON {type(value).__name__}, not an object like {{"text": "...", "label": "..."}},'


def _parquet(path: Path, data: bytes) -> _Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows > MAX_ROWS:
            raise InvalidInput(f"{path} has more than {MAX_ROWS:,} rows.")
        rows: list[dict[str, Any]] = file.read().to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is damaged Parquet: {str(error).rstrip('.')}.") from None
    for number, values in enumerate(rows, 1):
        yield f"row {number}", values


def _columns(records: list[Record]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.values.items():
            types = found.setdefault(name, set())
            if value is not None:
                types.add(TYPES.get(type(value), type(value).__name__))
    return {name: " or ".join(sorted(types)) or "empty" for name, types in found.items()}


TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "list",
    dict: "object",
}
