"""From a path to records: finds the files, recognises their format, and says where they are bad.

Owns bytes, encodings and syntax. Which column means what belongs to `columns`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.datasets.locating import locate
from tools.kernel.errors import InvalidInput

MAX_BYTES = 256 * 1024 * 1024
MAX_ROWS = 1_000_000
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
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


@dataclass(slots=True)
class Table:
    """All rows of one dataset.

    Attributes:
        columns: the columns in order of appearance, each with its type.
        records: the rows.
        warnings: what was unusual about the files.
    """

    columns: dict[str, str]
    records: list[Record]
    warnings: list[str] = field(default_factory=list[str])


def read(path: Path) -> Table:
    """Read a file, or a folder with one file or more a split.

    Raises:
        InvalidInput: naming the file and the line, if anything is wrong with them.
        NotFound: if there is nothing at the path, with the nearest sibling's name.
    """
    warnings: list[str] = []
    records: list[Record] = []
    for file, split in locate(path, frozenset(SUFFIXES)):
        for place, values in _read_file(file, warnings):
            records.append(Record(values, place, split))
            if len(records) > MAX_ROWS:
                raise InvalidInput(f"{path} has more than {MAX_ROWS:,} rows.")
    if not records:
        raise InvalidInput(f"{path} holds no rows.")
    return Table(_columns(records), records, warnings)


_Rows = Iterator[tuple[str, dict[str, Any]]]


def _read_file(path: Path, warnings: list[str]) -> _Rows:
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
    kind, reader = _reader(path, data)
    named = SUFFIXES.get(path.suffix.lower())
    if named is not None and named != kind:
        warnings.append(f"{path.name} is named {path.suffix} but holds {kind}; read as {kind}.")
    return reader(path, data)


def _reader(path: Path, data: bytes) -> tuple[str, Callable[[Path, bytes], _Rows]]:
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
    return ("jsonl", _jsonl) if SUFFIXES[suffix] == "jsonl" else ("csv", _delimited)


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "Latin-1 or Windows-1252"
        raise InvalidInput(
            f"{path} is not UTF-8: byte 0x{data[error.start]:02x} on line {line}.",
            hint=f"It may be {guess}; convert it, for example with `iconv -t UTF-8`.",
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidInput(f"{path} has a NUL byte on line {line}; it is no text file.")
    return text


def _jsonl(path: Path, data: bytes) -> _Rows:
    for number, line in enumerate(_text(path, data).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            raise InvalidInput(
                f"{path} line {number} is not valid JSON: {reason}.",
                hint="Each line must be one complete JSON object.",
            ) from None
        yield f"line {number}", _object(path, f"line {number}", value)


def _json_list(path: Path, data: bytes) -> _Rows:
    text = _text(path, data)
    try:
        values: list[Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path} line {error.lineno} is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply.") from None
    for number, value in enumerate(values, 1):
        yield f"item {number}", _object(path, f"item {number}", value)


def _object(path: Path, place: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise InvalidInput(
        f"{path} {place} is a JSON {type(value).__name__}, not an object.",
        hint='Each row must look like {"text": "...", "label": "..."}.',
    )


def _delimited(path: Path, data: bytes) -> _Rows:
    text = _text(path, data)
    header_line = text.lstrip().split("\n", 1)[0]
    delimiter = max("\t,;|", key=header_line.count)
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    start = 1
    try:
        for fields in reader:
            place, start = f"line {start}", reader.line_num + 1
            if not any(f.strip() for f in fields):
                continue
            if not header:
                header = _header(path, fields)
                continue
            if len(fields) != len(header):
                raise InvalidInput(
                    f"{path} {place} has {len(fields)} fields, the header has {len(header)}.",
                    hint=f"Put texts that contain {delimiter!r} or line breaks in double quotes.",
                )
            yield place, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise InvalidInput(f"{path} line {reader.line_num} is not valid CSV: {error}.") from None


def _header(path: Path, fields: list[str]) -> list[str]:
    names = [f.strip() for f in fields]
    if "" in names:
        raise InvalidInput(f"{path} has a column without a name (column {names.index('') + 1}).")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InvalidInput(f"{path} has several columns named {', '.join(twice)}.")
    return names


def _parquet(path: Path, data: bytes) -> _Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows > MAX_ROWS:
            raise InvalidInput(f"{path} has more than {MAX_ROWS:,} rows.")
        rows: list[dict[str, Any]] = file.read().to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is damaged Parquet: {error}.") from None
    for number, values in enumerate(rows, 1):
        yield f"row {number}", values


def _columns(records: list[Record]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.values.items():
            types = found.setdefault(name, set())
            if value is not None:
                types.add(_TYPES.get(type(value), type(value).__name__))
    return {name: " or ".join(sorted(types)) or "empty" for name, types in found.items()}


_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "list",
    dict: "object",
}
