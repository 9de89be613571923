"""From records to labelled rows: which column is the text, which the label, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tools.datasets.problems import Problem, listed, refuse, told
from tools.datasets.reading import TYPES, Record, Table
from tools.datasets.splitting import Given
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
OWN = ("text", "label", "split")
"""Fields of every stored row; no other column may have their names."""
_UNLABELLED = (
    " Texts without labels cannot be added yet: a label tells what is to be learnt of a text, and "
    "what predictions on it are compared with."
)


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
    detected: bool


def choose(
    table: Table,
    where: str,
    named_text: str | None = None,
    named_label: str | None = None,
    split: str | None = None,
) -> Columns:
    """Find the text and the label column, those that a person did not name.

    Args:
        table: the rows as the files have them.
        where: the file or folder, for messages.
        named_text: the text column as a person named it.
        named_label: the label column as a person named it.
        split: the column of splits, which is neither.

    Raises:
        InvalidInput: if none or several could be meant; lists the columns.
    """
    by_name = {name.strip().casefold(): name for name in reversed(table.columns)}
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
    return Columns(text, label, detected)


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
    unlike = [] if found else [c for c in columns if c.strip().casefold() in names]
    raise InvalidInput(
        f"{where}: the {what} column {state}. The columns are {', '.join(table.columns)}."
        + "".join(_mixed(table.records, column) for column in unlike)
        + (f" Rows that cannot be read: {told(table.problems)}." if table.problems else ""),
        hint=f"Say which: `{what} column ...` ({what}_column)."
        + (_UNLABELLED if what == "label" and not found else ""),
    )


def _mixed(records: Sequence[Record], column: str) -> str:
    """Which rows have which type of value, if there are several; else nothing."""
    places: dict[str, list[str]] = {}
    for record in records:
        value = record.values.get(column)
        if value is not None:
            places.setdefault(TYPES.get(type(value), "other"), []).append(record.place)
    shown = "; ".join(f"{kind} at {listed(at)}" for kind, at in places.items())
    return f" {column} mixes types of value: {shown}." if len(places) > 1 else ""


def _require_header(table: Table, sample: Sequence[Record], label: str, where: str) -> None:
    """Refuse a CSV file whose first line is a row: taken for names, that row would be lost."""
    known = label.strip().casefold() in _LABEL_NAMES
    if (
        {"csv", "tsv"} & {*table.formats}
        and not known
        and label in {r.values.get(label) for r in sample}
    ):
        raise InvalidInput(
            f"{where} line 1 should name the columns, but looks like a row: {label!r} is a value "
            "of its column too.",
            hint="Put a line such as `text,label` before it, or, if these are names, say "
            "`label column ...` (label_column).",
        )


def _values(records: Sequence[Record], column: str) -> list[Any]:
    values = (r.values.get(column) for r in records)
    return [v for v in values if v is not None and v != ""]


def _usual(records: Sequence[Record], column: str) -> list[Any]:
    """The values of the type that most rows have, so that a few flawed rows hide no column."""
    values = _values(records, column)
    common = Counter(type(v) for v in values).most_common(1)
    if not common or common[0][1] * 3 < len(values) * 2:
        return values
    return [v for v in values if type(v) is common[0][0]]


def _text_like(records: Sequence[Record], column: str) -> bool:
    values = _usual(records, column)
    if not values or not all(isinstance(v, str) for v in values):
        return False
    words = sum(len(v.split()) for v in values) / len(values)
    return words >= 2.5 and len(set(values)) > len(values) / 2


def _labels_like(records: Sequence[Record], column: str) -> bool:
    values = _usual(records, column)
    if not values or any(isinstance(v, float | dict) for v in values):
        return False
    if any(isinstance(v, list) for v in values):
        return all(isinstance(v, list) for v in values)
    words = sum(len(str(v).split()) for v in values) / len(values)
    repeated = len(set(values)) <= max(1, len(values) / 2)
    return words <= 4 and repeated


def rows_of(table: Table, columns: Columns, given: Given, problems: list[Problem]) -> list[Row]:
    """The labelled rows; those that lack a text, a label or a known split become problems."""
    rows: list[Row] = []
    taken = {columns.text, columns.label, given.heeded}
    separator = labels_separator(table.records, columns.label)
    for record in table.records:
        text, value = record.values.get(columns.text), record.values.get(columns.label)
        extra = {_beside(k): v for k, v in record.values.items() if k not in taken}
        fault = _fault(text, value, separator, columns) or given.fault(record)
        if fault is not None:
            problems.append(Problem(record.place, fault, record.file))
            continue
        split = given.split_of(record)
        if separator is None:
            row = Row(str(text).strip(), str(_label(value)), split, extra)
        else:
            row = with_labels(str(text).strip(), labels_of(value, separator), split, extra)
        row.place = record.place
        rows.append(row)
    return rows


def _beside(name: str) -> str:
    """The name of another column; one that is called like a field of a row gets its own."""
    return f"{name}_column" if name in OWN else name


def _fault(text: Any, value: Any, separator: str | None, columns: Columns) -> str | None:
    if not isinstance(text, str | None):
        return f"a {columns.text} that is no string but of type {TYPES.get(type(text), 'other')}"
    if text is None or not text.strip():
        return f"no {columns.text}"
    if separator is None or not isinstance(value, list | str):
        if _label(value) is None:
            return f"no {columns.label}"
    elif value != [] and not labels_of(value, separator):
        return f"only empty {columns.label}" if isinstance(value, list) else f"no {columns.label}"
    return None


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


def labels_of(value: Any, separator: str) -> list[str]:
    """The labels in a value, in order, without empty ones; a bare string is one label."""
    parts = value.split(separator) if isinstance(value, str) and separator != "list" else value
    listed = cast("list[Any]", parts) if isinstance(parts, list) else [parts]
    return [label for part in listed if (label := _label(part)) is not None]


def class_counts(rows: Sequence[Row]) -> Counter[str]:
    """How many rows each label has; a row with several counts for each."""
    return Counter(
        label for row in rows for label in ([row.label] if row.labels is None else row.labels)
    )
