"""What is measured on a dataset when it is added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.datasets import columns as columns_
from tools.datasets import kinds, splits, store
from tools.datasets.columns import Columns, Row
from tools.datasets.reading import Table, read
from tools.datasets.types import DatasetProfile, Kind, TextLengths


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset read, checked, split and profiled, but not stored."""

    rows: list[Row]
    sha256: str
    profile: DatasetProfile


def prepare(path: Path) -> Prepared:
    """Read and check everything at a path; writes nothing.

    Raises:
        InvalidInput: naming the file and line of what is wrong.
        NotFound: if there is nothing at the path.
    """
    table = read(path)
    shape = kinds.recognise(table)
    if shape is None:
        columns = columns_.choose(table, str(path))
        rows = columns_.rows_of(table, columns, str(path))
        group = splits.groups([row.text for row in rows])
        warnings = [*table.warnings, *columns_.label_warnings(rows)]
    else:
        split = "split" if "split" in table.columns else None
        columns = Columns(shape.asks, shape.answers, split, detected=False)
        rows = kinds.rows_of(table, shape, str(path))
        # Questions of one pattern differ in a word that matters: only equal ones belong together.
        group = splits.equal([row.text for row in rows])
        warnings = table.warnings
    split_from = _split_source(table, columns)
    sha256 = store.content_hash(rows, with_split=split_from != "assigned")
    if split_from == "assigned":
        splits.assign(rows, group)
    else:
        warnings += _complete(rows, group)
    kind = shape.kind if shape else "classification"
    profile = _profile(kind, table, columns, rows, group, split_from, warnings)
    return Prepared(rows, sha256, profile)


def _split_source(table: Table, columns: Columns) -> str:
    if table.records[0].split is not None:
        return "files"
    return "column" if columns.split else "assigned"


def _complete(rows: Sequence[Row], group: Sequence[int]) -> list[str]:
    warnings: list[str] = []
    present = {row.split for row in rows}
    crossing = splits.crossing(rows, group)
    if crossing:
        warnings.append(f"{crossing} held-out rows nearly repeat a row of another split.")
    missing = [name for name in ("validation", "test") if name not in present]
    if missing and "train" in present:
        fractions = {"train": 1.0, **{name: splits.FRACTIONS[name] for name in missing}}
        train = [(row, g) for row, g in zip(rows, group, strict=True) if row.split == "train"]
        for row, _ in train:
            row.split = ""
        splits.assign([row for row, _ in train], [g for _, g in train], fractions=fractions)
        warnings.append(f"No {' or '.join(missing)} split was given; it was taken from train.")
    return warnings


def _profile(
    kind: Kind,
    table: Table,
    columns: Columns,
    rows: Sequence[Row],
    group: Sequence[int],
    split_from: str,
    warnings: list[str],
) -> DatasetProfile:
    normalised = {splits.normalise(row.text) for row in rows}
    duplicates = len(rows) - len(normalised)
    counted = Counter(row.split for row in rows)
    return DatasetProfile(
        kind=kind,
        columns=table.columns,
        text_column=columns.text,
        label_column=columns.label,
        columns_from="detected" if columns.detected else "name",
        rows=len(rows),
        classes=dict(Counter(row.label for row in rows if row.label).most_common()),
        splits={name: counted[name] for name in ("train", "validation", "test") if counted[name]},
        split_from=split_from,
        duplicates=duplicates,
        near_duplicates=max(0, len(rows) - len(set(group)) - duplicates),
        lengths=_lengths([len(row.text) for row in rows]),
        warnings=warnings + _disagreements(rows),
    )


def _disagreements(rows: Sequence[Row]) -> list[str]:
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(splits.normalise(row.text), set()).add(row.label)
    unsure = sum(len(found) > 1 for found in labels.values())
    return [f"{unsure} texts occur with different labels."] if unsure else []


def _lengths(lengths: list[int]) -> TextLengths:
    lengths.sort()

    def at(share: float) -> int:
        return lengths[min(len(lengths) - 1, int(share * len(lengths)))]

    return TextLengths(p50=at(0.5), p90=at(0.9), p99=at(0.99), longest=lengths[-1])
