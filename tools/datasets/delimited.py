"""Rows of CSV and TSV files, each with the line where it begins, or what is wrong there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.kernel.errors import InvalidInput

_LONGEST_FIELD = 2**31 - 1
_Lines = Iterator[tuple[str, list[str]]]


def delimiter_of(text: str, usual: str) -> str:
    """What separates the fields: the commonest in the first line, else that of the usual format.

    Args:
        text: the file's text.
        usual: `csv` or `tsv`, as the file's name has it.
    """
    header = text.lstrip().split("\n", 1)[0]
    found = max("\t,;|", key=header.count)
    return found if found in header else "\t" if usual == "tsv" else ","


def rows_of(
    path: Path, text: str, delimiter: str, warnings: list[str]
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """The rows under a header; those of another number of fields are told as such.

    In a TSV file quotes need not mean anything: where they do not pair up, they are read as they
    stand. What was done so is added to `warnings`.

    Raises:
        InvalidInput: if the header is wrong, or a quote of a CSV file.
    """
    header: list[str] = []
    lines = _tabbed(path, text, warnings) if delimiter == "\t" else _quoted(path, text, delimiter)
    for place, fields in lines:
        if not any(f.strip() for f in fields):
            continue
        if not header:
            header = _header(path, fields)
        elif len(fields) != len(header):
            count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            yield place, f"{count} where the header has {len(header)}"
        else:
            yield place, dict(zip(header, fields, strict=True))


def _tabbed(path: Path, text: str, warnings: list[str]) -> _Lines:
    try:
        found = [*_quoted(path, text, "\t")]
    except InvalidInput:
        found = []
    # A field that goes over lines and tabs began with a quote that was none.
    if found and not any("\t" in f and "\n" in f for _, fields in found for f in fields):
        return iter(found)
    warnings.append(f"{path.name} has quotes that do not pair up; they are read as they stand.")
    return (
        (f"line {number}", [_unquoted(f) for f in line.rstrip("\r").split("\t")])
        for number, line in enumerate(text.split("\n"), 1)
    )


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    paired = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if paired else field


def _quoted(path: Path, text: str, delimiter: str) -> _Lines:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for fields in reader:
            place, start = f"line {start}", reader.line_num + 1
            yield place, fields
    except csv.Error as error:
        raise InvalidInput(
            f"{path} line {start} is not valid CSV: {error}.", hint=_quoted_too_far(start, reader)
        ) from None


def _quoted_too_far(start: int, reader: Any) -> str | None:
    if reader.line_num <= start:
        return None
    return f"A quote in the row that begins on line {start} is not closed."


def _header(path: Path, fields: list[str]) -> list[str]:
    names = [f.strip() for f in fields]
    if "" in names:
        raise InvalidInput(f"{path} has a column without a name (column {names.index('') + 1}).")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InvalidInput(f"{path} has several columns named {', '.join(twice)}.")
    return names
