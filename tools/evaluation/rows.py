"""The rows that a model is measured on: held out, and checked against what it was trained on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.datasets.dated import rows_from
from tools.datasets.kinds import alike
from tools.evaluation.seen import nearly_seen, text_hash
from tools.kernel.errors import Conflict

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import DatasetService
    from tools.evaluation.subjects import Subject

FIELDS = frozenset(["anchor", "positive", "negative", "prompt", "completion", "system"])
"""Columns that say which texts belong together, so that they are no way to slice."""
MOST_OVERLAP = 0.5
"""Above this share of rows that the model was trained on, the split is not held out at all."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows fit for measuring.

    Attributes:
        rows: those that no subject was trained on and whose label all subjects know.
        overlap: rows left out because a training saw their text.
        skipped: rows left out because of their label.
        majority: the commonest class of the first subject's training split; None without classes.
        chosen_by: True if these rows chose which weights the training kept.
        period: the time that they are from, if only some were asked for.
        absent: what is told of models that are not measured on them.
        nearly_seen: rows among them that nearly repeat one of another dataset that a training saw.
        pairs: True if they are pairs or triplets of texts, without classes.
    """

    rows: list[Row]
    overlap: int
    skipped: int
    majority: str | None
    chosen_by: bool = False
    period: str | None = None
    absent: tuple[str, ...] = ()
    nearly_seen: int = 0
    pairs: bool = False

    @property
    def warnings(self) -> list[str]:
        """What a reader must know about the rows."""
        told: list[str] = [*self.absent]
        if self.period:
            told.append(f"Only rows from {self.period} were taken: {len(self.rows)}.")
        told += self.left_out
        if self.nearly_seen:
            repeat = "row nearly repeats" if self.nearly_seen == 1 else "rows nearly repeat"
            told.append(
                f"{self.nearly_seen} {repeat} a row that the training saw in another dataset: "
                "what is right there may be memory."
            )
        if self.chosen_by:
            told.append("The validation split chose the weights; the test split is the fair one.")
        if len(self.rows) < 100:
            told.append(f"Only {len(self.rows)} rows: the interval is wide.")
        return told

    @property
    def left_out(self) -> list[str]:
        """Why rows of the split cannot be used, a sentence for each reason."""
        told: list[str] = []
        if self.overlap:
            told.append(f"{self.overlap} rows were left out: the training saw their text.")
        if self.skipped:
            told.append(f"{self.skipped} rows were left out: the model does not know their label.")
        return told

    def majority_accuracy(self) -> float | None:
        """Accuracy of always answering the majority class; None without classes."""
        if self.majority is None:
            return None
        return sum(r.label == self.majority for r in self.rows) / len(self.rows)

    def write(self, path: Path) -> None:
        """Write what is known of every row, one JSON object a line.

        Of a labelled text `text`, `label` and `labels`; of a pair or triplet its `texts`; of both
        the other columns as `extra`.
        """
        told = _pair if self.pairs else _labelled
        lines = (json.dumps(told(row), default=str) for row in self.rows)
        path.write_text("".join(f"{line}\n" for line in lines))


def _labelled(row: Row) -> dict[str, Any]:
    return {"text": row.text, "label": row.label, "labels": row.labels, "extra": row.extra}


def _pair(row: Row) -> dict[str, Any]:
    extra = {name: value for name, value in row.extra.items() if name not in FIELDS}
    return {"texts": alike(row), "extra": extra}


def refuse_trained_on(overlap: int, rows: int, split: str, dataset: str) -> None:
    """Refuse a split of which most rows were trained on.

    Raises:
        Conflict: if they were.
    """
    if overlap > MOST_OVERLAP * rows:
        raise Conflict(
            f"{overlap} of {rows} {split} rows of {dataset} were trained on: "
            "this would measure memory, not skill.",
            hint="Name a dataset that the model has not seen.",
        )


def rows_to_measure(
    datasets: DatasetService, tenant: str, dataset: str, split: str, period: str | None
) -> list[Row]:
    """The rows of a split, of a period only if one is given, whether trained on or not.

    Raises:
        NotFound: if there is no such dataset or split.
        InvalidInput: if no row is from the period, or none says when it is from.
    """
    every = datasets.rows(tenant, dataset, split)
    if period is None:
        return every
    return rows_from(every, period, f"{split} rows of {dataset}", datetime.now(UTC))


def used_before(split: str) -> tuple[str, ...]:
    """The splits that a model has learned from before it is measured on `split`.

    The validation split chose which weights were kept, so it is not held out from a test either.
    """
    return ("train", "validation") if split == "test" else ("train",)


def held_out(
    datasets: DatasetService,
    tenant: str,
    dataset: str,
    split: str,
    subjects: Sequence[Subject],
    period: str | None = None,
) -> HeldOut:
    """The rows of a split on which all subjects can be measured.

    Args:
        datasets: where rows come from.
        tenant: whose datasets.
        dataset: the dataset to measure on.
        split: its part.
        subjects: the models, at least one.
        period: only rows from then, such as `last week`; all if not given.

    Raises:
        NotFound: if there is no such dataset or split.
        InvalidInput: if no row is from the period, or none says when it is from.
        Conflict: if most rows were trained on, or no label is known.
    """
    every = rows_to_measure(datasets, tenant, dataset, split, period)
    trained = {s.dataset: datasets.rows(tenant, s.dataset) for s in subjects}
    used = used_before(split)
    seen = {text_hash(r.text) for rows in trained.values() for r in rows if r.split in used}
    unseen = [row for row in every if text_hash(row.text) not in seen]
    overlap = len(every) - len(unseen)
    refuse_trained_on(overlap, len(every), split, dataset)
    known = set.intersection(*(set(s.labels) for s in subjects))
    rows = [
        row for row in unseen if known.issuperset([row.label] if row.labels is None else row.labels)
    ]
    if not rows:
        raise Conflict(
            f"No {split} row of {dataset} has a label that {subjects[0]} knows.",
            hint=f"It knows: {', '.join(sorted(known)[:12]) or 'none in common'}.",
        )
    first = Counter(r.label for r in trained[subjects[0].dataset] if r.split == "train")
    majority = min(first, key=lambda label: (-first[label], label))
    # Within a dataset such rows are kept on one side, or told of when it is added.
    elsewhere = [r for name in trained if name != dataset for r in trained[name] if r.split in used]
    return HeldOut(
        rows,
        overlap,
        skipped=len(unseen) - len(rows),
        majority=majority,
        chosen_by=split != "test",
        period=period,
        nearly_seen=nearly_seen(rows, elsewhere),
    )
