"""Which rows a training saw in another dataset, word for word or nearly so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.evaluation.subjects import Subject


def text_hash(text: str) -> str:
    """SHA-256 of a text without differences of case and spacing."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()


def told_of_seen(live: Sequence[Row], trained: Iterable[Row], subject: Subject) -> list[str]:
    """That rows which should be new are ones that a version learnt from; nothing if none is."""
    known = {text_hash(row.text) for row in trained}
    seen = sum(text_hash(row.text) in known for row in live)
    if not seen:
        return []
    were = "row was" if seen == 1 else "rows were"
    return [
        f"{seen} of the {len(live)} {were} in the training of {subject} ({subject.dataset}): drift "
        "is measured too low there, and accuracy too high. Take rows that it has not met."
    ]


def nearly_seen(rows: Sequence[Row], trained: Iterable[Row]) -> int:
    """How many rows nearly repeat one that a training saw, as `tools.datasets.similar` tells."""
    from tools.datasets.splits import groups

    known = [*dict.fromkeys(row.text for row in trained)]
    if not known:
        return 0
    group = groups([*known, *(row.text for row in rows)])
    learnt = set(group[: len(known)])
    return sum(number in learnt for number in group[len(known) :])
