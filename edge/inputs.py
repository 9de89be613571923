"""What can be told of inputs without telling them: length, a word of each, hashed, and place.

One word of a text, chosen by the text itself, falls into one of 32 classes by its hash. Tens of
thousands of words share a class, so that no word can be read back from its count; one word a text
keeps the counts independent of each other, as the chi-square test needs them. The platform counts
the rows that a version was measured on in the same way and compares. For places see `edge.places`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

EDGES = (2, 4, 8, 16, 32, 64, 128, 256)
"""Upper ends of the classes of length, in words; what is longer is in a last class."""
CLASSES = 32
"""Classes of words."""
PLACES = 16
"""Where an embedding can lie, see `edge.places`."""


@dataclass(slots=True)
class InputCounts:
    """How many texts fell into each class.

    Attributes:
        lengths: by words, `EDGES` and longer.
        words: by the class of one of their words; texts without a word are in none.
        places: by where their embedding lies; texts whose model gives none are in none.
    """

    lengths: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    words: list[int] = field(default_factory=lambda: [0] * CLASSES)
    places: list[int] = field(default_factory=lambda: [0] * PLACES)

    @classmethod
    def of(cls, texts: Iterable[str]) -> InputCounts:
        """The counts of some texts."""
        counts = cls()
        for text in texts:
            counts.add(text)
        return counts

    def add(self, text: str, place: int | None = None) -> None:
        """Count one text, and where it lies if that is known."""
        words = text.casefold().split()
        self.lengths[sum(len(words) > edge for edge in EDGES)] += 1
        if words:
            chosen = words[_number(text) % len(words)]
            self.words[_number(chosen) % CLASSES] += 1
        if place is not None:
            self.places[place] += 1

    def told(self) -> dict[str, Any]:
        """As a report carries it."""
        return {
            "lengths": list(self.lengths),
            "words": list(self.words),
            "places": list(self.places),
        }


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
