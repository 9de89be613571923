"""From records to labelled rows: which column is the text, which the label, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.datasets.locating import split_name
from tools.datasets.reading import Record, Table
from tools.kernel.errors import InvalidInput

_TEXT_NAMES = (
    *("message", "body", "content", "sentence", "utterance", "review", "query", "question"),
    *("comment", "description", "ticket", "email", "mail", "document", "texts", "input"),
    *("prompt", "post", "tweet"),
)
_LABEL_NAMES = (
    *("labels", "class", "category", "intent", "target", "topic", "tag", "sentiment", "type"),
    *("classification", "queue", "y"),
)
_SAMPLE = 5000


@dataclass(slots=True)
class Row:
    """One labelled text.

    Attributes:
        text: what is classified.
        label: its class.
        split: `train`, `validation` or `test`; empty until assigned.
        extra: the other columns.
    """

    text: str
    label: str
    split: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Columns:
    """The two columns that matter, and whether they were named so or detected."""

    text: str
    label: str
    split: str | None
    detected: bool


def choose(table: Table, where: str) -> Columns:
    """Find the text and the label column.

    Raises:
        InvalidInput: if none or several could be meant; lists the columns.
    """
    by_name = {name.strip().casefold(): name for name in reversed(table.columns)}
    split = by_name.get("split")
    text, label = by_name.get("text"), by_name.get("label")
    detected = text is None or label is None
    rest = [c for c in table.columns if c not in {text, label, split}]
    sample = table.records[:_SAMPLE]
    if label is None:
        label = _one("label", rest, _LABEL_NAMES, lambda c: _labels_like(sample, c), table, where)
        rest.remove(label)
    if text is None:
        text = _one("text", rest, _TEXT_NAMES, lambda c: _text_like(sample, c), table, where)
    return Columns(text, label, split, detected)


def _one(
    what: str,
    columns: Sequence[str],
    names: Sequence[str],
    fits: Callable[[str], bool],
    table: Table,
    where: str,
) -> str:
    named = [c for c in columns if c.strip().casefold() in names and fits(c)]
    found = named if len(named) == 1 else [c for c in columns if fits(c)]
    if len(found) == 1:
        return found[0]
    state = f"could be any of {', '.join(found)}" if found else "was not found"
    raise InvalidInput(
        f"{where}: the {what} column {state}. The columns are {', '.join(table.columns)}.",
        hint=f"Rename the column that holds the {what} to {what!r}.",
    )


def _values(records: Sequence[Record], column: str) -> list[Any]:
    values = (r.values.get(column) for r in records)
    return [v for v in values if v is not None and v != ""]


def _text_like(records: Sequence[Record], column: str) -> bool:
    values = _values(records, column)
    if not values or not all(isinstance(v, str) for v in values):
        return False
    words = sum(len(v.split()) for v in values) / len(values)
    return words >= 2.5 and len(set(values)) > len(values) / 2


def _labels_like(records: Sequence[Record], column: str) -> bool:
    values = _values(records, column)
    if not values or any(isinstance(v, float | list | dict) for v in values):
        return False
    words = sum(len(str(v).split()) for v in values) / len(values)
    repeated = len(set(values)) <= max(1, len(values) / 2)
    return words <= 4 and repeated


def rows_of(table: Table, columns: Columns, where: str) -> list[Row]:
    """The labelled rows.

    Raises:
        InvalidInput: naming the lines that lack a text, a label or a known split.
    """
    rows: list[Row] = []
    bad: dict[str, list[str]] = {}
    taken = {columns.text, columns.label, columns.split}
    for record in table.records:
        text, label = record.values.get(columns.text), _label(record.values.get(columns.label))
        if not isinstance(text, str) or not text.strip():
            bad.setdefault(f"no {columns.text}", []).append(record.place)
        elif label is None:
            bad.setdefault(f"no {columns.label}", []).append(record.place)
        else:
            extra = {k: v for k, v in record.values.items() if k not in taken}
            rows.append(Row(text.strip(), label, _split(record, columns, bad), extra))
    if bad:
        what, where_bad = next(iter(bad.items()))
        raise InvalidInput(
            f"{where}: {what} at {places(where_bad)}.",
            hint="Every row needs a non-empty text and one label; correct or delete these rows.",
        )
    return rows


def _label(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _split(record: Record, columns: Columns, bad: dict[str, list[str]]) -> str:
    if record.split is not None or columns.split is None:
        return record.split or ""
    value = record.values.get(columns.split)
    split = split_name(str(value)) if value is not None else None
    if split is None:
        bad.setdefault("a split other than train, validation or test", []).append(record.place)
    return split or ""


def places(found: list[str]) -> str:
    """Where rows stand, the first five of them: `lines 3, 8, 9, 12, 15 and 4 more`."""
    unit, shown = found[0].split()[0], [p.split()[1] for p in found[:5]]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{unit}{'s' if len(found) > 1 else ''} {', '.join(shown)}{more}"


def label_warnings(rows: Sequence[Row]) -> list[str]:
    """What is unusual about the classes: one only, very small, very uneven, spelt in two ways."""
    counts = Counter(row.label for row in rows)
    warnings: list[str] = []
    if len(counts) == 1:
        warnings.append(f"There is one class only ({rows[0].label}); nothing can be learnt.")
    small = [label for label, count in counts.items() if count < 5]
    if small:
        shown = ", ".join(sorted(small)[:5])
        warnings.append(f"{len(small)} classes have fewer than 5 rows ({shown}).")
    most, least = max(counts.values()), min(counts.values())
    if most > 10 * least:
        warnings.append(f"The classes are uneven: from {least} to {most} rows.")
    folded: dict[str, list[str]] = {}
    for label in sorted(counts):
        folded.setdefault(label.casefold().replace("-", " ").replace("_", " "), []).append(label)
    for spellings in folded.values():
        if len(spellings) > 1:
            warnings.append(f"Perhaps one class in several spellings: {', '.join(spellings)}.")
    return warnings
