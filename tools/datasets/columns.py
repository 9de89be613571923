"""From records to labelled rows: which column is the text, which the label, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tools.datasets.locating import split_name
from tools.datasets.problems import Problem, listed, refuse
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
NO_LABELS = "(none)"


@dataclass(slots=True)
class Row:
    """One row of a dataset.

    Attributes:
        text: what is classified; without labels an anchor, a prompt, or a chat's last question.
        label: its class; all its labels in one string where it may have several; empty where a
            dataset has no labels.
        split: `train`, `validation` or `test`; empty until assigned.
        extra: the other columns, and the fields that `kinds` names where there are no labels.
        labels: the labels of a text that may have any number of them, else None.
        place: where it stands in its file; not stored.
    """

    text: str
    label: str
    split: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    labels: tuple[str, ...] | None = None
    place: str = ""

    @property
    def answer(self) -> str | list[str]:
        """The label, or the list of labels, as it is stored."""
        return self.label if self.labels is None else [*self.labels]


def with_labels(text: str, labels: Sequence[str], split: str, extra: dict[str, Any]) -> Row:
    """A row that may have any number of labels."""
    ordered = tuple(sorted(set(labels)))
    return Row(text, " + ".join(ordered) or NO_LABELS, split, extra, ordered)


@dataclass(frozen=True, slots=True)
class Columns:
    """The two columns that matter, and whether they were named so or detected."""

    text: str
    label: str
    split: str | None
    detected: bool


def choose(
    table: Table, where: str, named_text: str | None = None, named_label: str | None = None
) -> Columns:
    """Find the text and the label column, those that a person did not name.

    Raises:
        InvalidInput: if none or several could be meant; lists the columns.
    """
    by_name = {name.strip().casefold(): name for name in reversed(table.columns)}
    split = by_name.get("split")
    text = _named(named_text, table, where) or by_name.get("text")
    label = _named(named_label, table, where) or by_name.get("label")
    detected = text is None or label is None
    rest = [c for c in table.columns if c not in {text, label, split}]
    sample = table.records[:_SAMPLE]
    if not sample:
        refuse(table.problems, len(table.problems), where)
    if label is None:
        label = _one("label", rest, _LABEL_NAMES, lambda c: _labels_like(sample, c), table, where)
        _require_header(table, sample, label, where)
        rest.remove(label)
    if text is None:
        text = _one("text", rest, _TEXT_NAMES, lambda c: _text_like(sample, c), table, where)
    return Columns(text, label, split, detected)


def _named(name: str | None, table: Table, where: str) -> str | None:
    if name is None:
        return None
    for column in table.columns:
        if column.strip().casefold() == name.strip().casefold():
            return column
    raise InvalidInput(
        f"{where} has no column {name!r}. The columns are {', '.join(table.columns)}."
    )


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
        hint=f"Say which: `{what} column ...` ({what}_column).",
    )


def _require_header(table: Table, sample: Sequence[Record], label: str, where: str) -> None:
    """Refuse a CSV file whose first line is a row: taken for names, that row would be lost."""
    known = label.strip().casefold() in _LABEL_NAMES
    if "csv" in table.formats and not known and label in {r.values.get(label) for r in sample}:
        raise InvalidInput(
            f"{where} line 1 should name the columns, but looks like a row: {label!r} is a value "
            "of its column too.",
            hint="Put a line such as `text,label` before it, or, if these are names, say "
            "`label column ...` (label_column).",
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
    if not values or any(isinstance(v, float | dict) for v in values):
        return False
    if any(isinstance(v, list) for v in values):
        return all(isinstance(v, list) for v in values)
    words = sum(len(str(v).split()) for v in values) / len(values)
    repeated = len(set(values)) <= max(1, len(values) / 2)
    return words <= 4 and repeated


def rows_of(table: Table, columns: Columns, problems: list[Problem]) -> list[Row]:
    """The labelled rows; those that lack a text, a label or a known split become problems."""
    rows: list[Row] = []
    taken = {columns.text, columns.label, columns.split}
    separator = labels_separator(table.records, columns.label)
    for record in table.records:
        text, value = record.values.get(columns.text), record.values.get(columns.label)
        split = split_of(record, columns.split)
        extra = {k: v for k, v in record.values.items() if k not in taken}
        fault = _fault(text, value, split, separator, columns)
        if fault is not None:
            problems.append(Problem(record.place, fault, record.file))
            continue
        if separator is None:
            row = Row(str(text).strip(), str(_label(value)), split or "", extra)
        else:
            row = with_labels(str(text).strip(), _labels(value, separator), split or "", extra)
        row.place = record.place
        rows.append(row)
    return rows


def _fault(
    text: Any, value: Any, split: str | None, separator: str | None, columns: Columns
) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return f"no {columns.text}"
    several = separator is not None and isinstance(value, list | str)
    if _label(value) is None and not several:
        return f"no {columns.label}"
    if several and isinstance(value, str) and not value.strip():
        return f"no {columns.label}"
    if split is None:
        return "a split other than train, validation or test"
    return None


def split_of(record: Record, column: str | None) -> str | None:
    """The split that a file or a column gives, empty if none does, None if it is unknown."""
    if record.split is not None or column is None:
        return record.split or ""
    value = record.values.get(column)
    return split_name(str(value)) if value is not None else None


def _label(value: Any) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


_LISTED = ("labels", "tags", "topics", "categories", "classes", "genres", "emotions")


def labels_separator(records: Sequence[Record], column: str) -> str | None:
    """What stands between several labels of one text; None if each has one.

    Lists answer `list`. In strings a separator counts if some label that it sets apart occurs
    in several rows; a comma only in a column named in the plural, since names may hold commas.
    """
    values = _values(records[:_SAMPLE], column)
    if any(isinstance(value, list) for value in values):
        return "list"
    texts = [value for value in values if isinstance(value, str)]
    for mark in ("|", ";", *([","] if column.strip().casefold() in _LISTED else [])):
        joined = [text for text in texts if mark in text]
        parts = Counter(part.strip() for text in texts for part in text.split(mark))
        if joined and "" not in parts and len(parts) < max(3, len(set(texts))):
            return mark
    return None


def _labels(value: Any, separator: str) -> list[str]:
    parts = value.split(separator) if isinstance(value, str) and separator != "list" else value
    listed = cast("list[Any]", parts) if isinstance(parts, list) else [parts]
    return [label for part in listed if (label := _label(part)) is not None]


def class_counts(rows: Sequence[Row]) -> Counter[str]:
    """How many rows each label has; a row with several counts for each."""
    return Counter(
        label for row in rows for label in ([row.label] if row.labels is None else row.labels)
    )


def label_warnings(rows: Sequence[Row]) -> list[str]:
    """What is unusual about the classes: one only, very small, very uneven, spelt in two ways."""
    counts = class_counts(rows)
    warnings: list[str] = []
    if len(counts) < 2:
        warnings.append(f"There is one class only ({rows[0].label}); nothing can be learnt.")
    if not counts:
        return warnings
    small = [label for label, count in counts.items() if count < 5]
    if small:
        shown = ", ".join(sorted(small)[:5])
        have = "class has" if len(small) == 1 else "classes have"
        warnings.append(f"{len(small)} {have} fewer than 5 rows ({shown}).")
    if len(counts) > max(10, len(rows) / 2):
        warnings.append(
            f"There are {len(counts)} classes in {len(rows)} rows: the label may be an amount, an "
            "id or a free text, of which no classifier can be trained."
        )
    most, least = max(counts.values()), min(counts.values())
    if most > 10 * least:
        warnings.append(f"The classes are uneven: from {least} to {most} rows.")
    return [*warnings, *_spellings(rows, counts)]


def _spellings(rows: Sequence[Row], counts: Counter[str]) -> list[str]:
    """Classes that differ in case or in how words are joined, the rarer ones with their places."""
    folded: dict[str, list[str]] = {}
    for label in sorted(counts, key=lambda name: (-counts[name], name)):
        key = " ".join(label.casefold().replace("-", " ").replace("_", " ").split())
        folded.setdefault(key, []).append(label)
    rarer = {label for spellings in folded.values() for label in spellings[1:]}
    places: dict[str, list[str]] = {}
    for row in rows if rarer else ():
        for label in rarer.intersection([row.label] if row.labels is None else row.labels):
            places.setdefault(label, []).append(row.place)
    return [
        f"Perhaps one class in several spellings: {common}, "
        + ", ".join(f"{name} ({listed(places[name])})" for name in others)
        + "."
        for common, *others in folded.values()
        if others
    ]
