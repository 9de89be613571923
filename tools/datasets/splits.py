"""Near-duplicates, and splits that keep them on one side.

Two texts are near-duplicates if they are equal after normalisation, or if the Jaccard similarity of
their word sets is at least 0.8 (`similar`).
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.datasets.columns import Row
from tools.datasets.similar import similar

FRACTIONS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
_WORD = re.compile(r"\w+")


def normalise(text: str) -> str:
    """A text without case, punctuation and differences of spacing and Unicode form."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def groups(texts: Sequence[str]) -> list[int]:
    """The number of each text's group of near-duplicates (transitively)."""
    position: dict[frozenset[str], int] = {}
    place = [
        position.setdefault(frozenset(normalise(text).split()), len(position)) for text in texts
    ]
    joined = similar([*position])
    return [joined.root(i) for i in place]


def equal(texts: Sequence[str]) -> list[int]:
    """The number of each text's group of texts that are equal after normalisation."""
    first: dict[str, int] = {}
    return [first.setdefault(normalise(text), i) for i, text in enumerate(texts)]


def assign(
    rows: Sequence[Row],
    group: Sequence[int],
    *,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
) -> None:
    """Give every row without a split one, stratified by label, whole groups on one side.

    Rows whose group already has a split in another row follow it. Classes of three or more groups
    have at least one row in each split; smaller ones stay in train.

    Args:
        rows: the rows; changed in place.
        group: the group's number of each row.
        fractions: the share of each split; `train` gets what is left.
        seed: of the shuffle; the same seed and rows give the same split.
    """
    members: dict[int, list[Row]] = defaultdict(list)
    for row, number in zip(rows, group, strict=True):
        members[number].append(row)
    by_label: dict[str, list[list[Row]]] = defaultdict(list)
    for together in members.values():
        given = next((row.split for row in together if row.split), None)
        if given is None:
            label = Counter(row.label for row in together).most_common(1)[0][0]
            by_label[label].append(together)
        else:
            _put(together, given)
    for label in sorted(by_label):
        _assign_label(by_label[label], fractions, random.Random(f"{seed}:{label}"))  # noqa: S311


def _assign_label(
    parts: list[list[Row]], fractions: Mapping[str, float], shuffle: random.Random
) -> None:
    parts = sorted(parts, key=lambda rows: rows[0].text)
    shuffle.shuffle(parts)
    total = sum(len(rows) for rows in parts)
    held_out = [name for name in fractions if name != "train"]
    if len(parts) <= len(held_out):
        held_out = []
    for name in held_out:
        wanted = max(1, round(total * fractions[name]))
        remaining: list[list[Row]] = []
        for position, rows in enumerate(parts):
            last = len(remaining) == 0 and position == len(parts) - 1
            if len(rows) <= wanted and not last:
                _put(rows, name)
                wanted -= len(rows)
            else:
                remaining.append(rows)
        parts = remaining
    for rows in parts:
        _put(rows, "train")


def _put(rows: Sequence[Row], split: str) -> None:
    for row in rows:
        row.split = row.split or split


@dataclass(frozen=True, slots=True)
class Leak:
    """A held-out row that occurs in another split too.

    Attributes:
        row: the held-out row.
        other: the first row of another split that it repeats.
        exact: True if the two are equal after normalisation.
    """

    row: Row
    other: Row
    exact: bool

    @property
    def places(self) -> str:
        """Both rows by split and place."""
        return f"{self.row.split} {self.row.place} as {self.other.split} {self.other.place}"

    def __str__(self) -> str:
        """Both rows, and whether they are only nearly equal."""
        return self.places if self.exact else f"nearly {self.places}"


def leaks(rows: Sequence[Row], group: Sequence[int]) -> list[Leak]:
    """The rows outside train that have a near-duplicate in another split, an equal one first."""
    members: dict[int, list[Row]] = defaultdict(list)
    for row, number in zip(rows, group, strict=True):
        members[number].append(row)
    found: list[Leak] = []
    for together in members.values():
        if len({row.split for row in together}) > 1:
            found += [leak for row in together if (leak := _leak(row, together)) is not None]
    return found


def _leak(row: Row, together: Sequence[Row]) -> Leak | None:
    others = [other for other in together if other.split != row.split]
    if row.split in ("train", "") or not others:
        return None
    text = normalise(row.text)
    equal_one = next((other for other in others if normalise(other.text) == text), None)
    return Leak(row, equal_one or others[0], equal_one is not None)
