"""From a path, and what a person says of it, to rows that are read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tools.datasets import columns as columns_
from tools.datasets import kinds, splitting, store
from tools.datasets.columns import Columns, Row
from tools.datasets.problems import Problem, refuse
from tools.datasets.reading import Table, read
from tools.datasets.splitting import Given
from tools.datasets.types import Kind, Splits


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person says of a file.

    Attributes:
        text: the column that holds the text; None to detect it.
        label: the column that holds the label; None to detect it.
        skip_bad_rows: leave out rows that cannot be used instead of refusing the file.
        splits: how rows come to their splits.
        split_column: the column that gives them; None to detect it.
        test: a file whose rows are the test split; None if there is none of its own.
    """

    text: str | None = None
    label: str | None = None
    skip_bad_rows: bool = False
    splits: Splits = "auto"
    split_column: str | None = None
    test: Path | None = None


@dataclass(slots=True)
class Loaded:
    """A dataset read and checked; splits that nothing gives are not assigned yet.

    Attributes:
        problems: the rows that were left out.
    """

    table: Table
    columns: Columns
    given: Given
    kind: Kind
    rows: list[Row]
    sha256: str
    problems: list[Problem] = field(default_factory=list[Problem])


def load(path: Path, chosen: Chosen) -> Loaded:
    """Read and check everything at a path.

    Raises:
        InvalidInput: naming the file and the lines of what is wrong.
        NotFound: if there is nothing at the path.
    """
    table = read(path, chosen.test, whole=chosen.splits != "auto")
    given = splitting.given(table, chosen.splits, chosen.split_column, path)
    problems = table.problems
    shape = None if chosen.text and chosen.label else kinds.recognise(table)
    kind: Kind = "classification"
    if shape is None:
        columns = columns_.choose(table, str(path), chosen.text, chosen.label, given.column)
        rows = columns_.rows_of(table, columns, given, problems)
        if rows and rows[0].labels is not None:
            kind = "multilabel"
    else:
        columns = Columns(shape.asks, shape.answers, detected=False)
        rows, kind = kinds.rows_of(table, shape, given, problems), shape.kind
    if not chosen.skip_bad_rows or not rows:
        refuse(problems, len(problems) + len(rows), str(path))
    sha256 = store.content_hash(rows, with_split=given.source != "assigned")
    return Loaded(table, columns, given, kind, rows, sha256, problems)
