"""Which split each row is in, as far as a person, the files or a column of theirs say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.datasets.locating import split_name
from tools.datasets.reading import Record, Table
from tools.datasets.types import Splits
from tools.kernel.errors import InvalidInput

USUAL = "split"
_LIKELY = ("subset", "partition", "fold", "data_split", "dataset_split")
_MOSTLY = 0.9
_SHOWN = 5
_LONGEST = 40
_KNOWN = "train, validation, dev, val and test"
ANYWAY = "To have the rows split 80/10/10 whatever it says, say `split the rows yourself` (splits)."


@dataclass(frozen=True, slots=True)
class Given:
    """What gives rows their splits.

    Attributes:
        source: `files`, `column`, `test-only` (every row is held out), or `assigned` where nothing
            does.
        column: the column that does, or one named `split` that is not heeded.
        warnings: what a person should know about that.
    """

    source: str
    column: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def heeded(self) -> str | None:
        """The column, if splits come from it."""
        return self.column if self.source == "column" else None

    def split_of(self, record: Record) -> str:
        """The split of a row without a `fault`; empty where it is yet to be assigned."""
        if self.source == "test-only":
            return "test"
        if self.source == "files":
            return record.split or ""
        return split_name(_value(record, self.column)) or "" if self.heeded else ""

    def fault(self, record: Record) -> str | None:
        """What is wrong with what the column says of a row; None if nothing is."""
        if not self.heeded:
            return None
        value = _value(record, self.column)
        if not value:
            return f"no {self.column}"
        if split_name(value) is None:
            return f"the {self.column} {value[:_LONGEST]!r} (known are {_KNOWN})"
        return None


def given(table: Table, splits: Splits, named: str | None, where: Path) -> Given:
    """Find out what gives the rows of a table their splits.

    Args:
        table: the rows as the files have them.
        splits: as a person wants them.
        named: the column that a person named.
        where: the file or folder, for messages.

    Raises:
        InvalidInput: if there is no such column, or it holds no splits.
    """
    by_files = bool(table.records) and table.records[0].split is not None
    usual = _usual(table)
    if named is not None:
        if by_files or splits != "auto":
            other = "the files" if by_files else f"`{splits}`"
            raise InvalidInput(f"Rows are split by {other} or by a column, not by both.")
        column = _named(table, named, where)
        return _by_column(table, column, where, "")
    if splits != "auto" or by_files:
        source = {"auto": "files", "80-10-10": "assigned"}.get(splits, splits)
        return Given(source, usual, _unheeded(usual, source))
    if usual is not None:
        return _by_column(table, usual, where, ANYWAY)
    likely = next((name for name in table.columns if _likely(table.records, name)), None)
    return Given("column", likely) if likely else Given("assigned")


def _usual(table: Table) -> str | None:
    return next((name for name in table.columns if name.strip().casefold() == USUAL), None)


def _named(table: Table, named: str, where: Path) -> str:
    for column in table.columns:
        if column.strip().casefold() == named.strip().casefold():
            return column
    raise InvalidInput(
        f"{where} has no column {named!r}. The columns are {', '.join(table.columns)}."
    )


def _by_column(table: Table, column: str, where: Path, hint: str) -> Given:
    values = dict.fromkeys(v for r in table.records if (v := _value(r, column)))
    if not any(map(split_name, values)):
        shown = ", ".join(repr(value[:_LONGEST]) for value in [*values][:_SHOWN])
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        raise InvalidInput(
            f"{where}: the column {column} holds no splits; it has {shown or 'no values'}{more}. "
            f"Known are {_KNOWN}.",
            hint=hint or None,
        )
    return Given("column", column)


def _likely(records: Sequence[Record], column: str) -> bool:
    """True for a column of a telling name that says of nearly all rows in which split they are."""
    if column.strip().casefold() not in _LIKELY:
        return False
    found = [split_name(_value(record, column)) for record in records]
    known = [split for split in found if split]
    return len(known) >= _MOSTLY * len(found) and "train" in known and len(set(known)) > 1


def _unheeded(column: str | None, source: str) -> tuple[str, ...]:
    if column is None:
        return ()
    instead = {
        "files": "each file is a split",
        "test-only": "every row is held out",
        "assigned": "the rows are split 80/10/10",
    }[source]
    return (f"The column `{column}` does not count: {instead}.",)


def _value(record: Record, column: str | None) -> str:
    value = record.values.get(column or "")
    return "" if value is None else str(value).strip()
