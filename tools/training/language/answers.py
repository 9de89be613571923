"""How right an answer is: word for word, and by the words that it shares with the right one.

Exact match and F1 as in Rajpurkar et al., "SQuAD", 2016: without case, punctuation and articles.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the"))


def words(text: str) -> list[str]:
    """The words that count."""
    return [word for word in _WORD.findall(text.casefold()) if word not in _ARTICLES]


def f1(answer: str, right: str) -> float:
    """Harmonic mean of the shares of words that two texts have in common, 0 to 1."""
    found, wanted = Counter(words(answer)), Counter(words(right))
    shared = sum((found & wanted).values())
    if not shared:
        return float(found == wanted)
    return 2 * shared / (sum(found.values()) + sum(wanted.values()))


def exact(answer: str, right: str) -> bool:
    """Whether two texts have the same words in the same order."""
    return words(answer) == words(right)


def scored(answers: Sequence[str], right: Sequence[str]) -> tuple[float, float]:
    """Share of exact matches, and mean F1."""
    both = list(zip(answers, right, strict=True))
    if not both:
        return 0.0, 0.0
    return sum(exact(*pair) for pair in both) / len(both), sum(f1(*p) for p in both) / len(both)
