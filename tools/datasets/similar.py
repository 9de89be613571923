"""Which texts are near-duplicates, found exactly and without comparing every text with every other.

Two sets of words of sizes a and b have a Jaccard similarity of at least 0.8 exactly if at most
(a + b) / 9 words stand in only one of them. In short sets that is two words at most, so a pair
meets when one or two words are left out of one or both (deletion neighbourhoods: Mor and Fraenkel,
"A hash code method for detecting and correcting spelling errors", 1982): time grows with the texts,
also where thousands come from one template. Pairs with a longer set are found by prefix filtering
(Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from math import ceil

THRESHOLD = 0.8
SHORT = 13
"""Words up to which two sets that are similar differ in at most two: (13 + 13) / 9 < 3."""

Words = frozenset[str]


class Groups:
    """Numbers from 0 that are joined into groups, transitively."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, i: int) -> int:
        """The number that stands for the group of `i`."""
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(self, a: int, b: int) -> None:
        """Make one group of the groups of `a` and `b`; the lower number stands for it."""
        first, second = sorted((self.root(a), self.root(b)))
        self._parent[second] = first


def jaccard(a: Words, b: Words) -> float:
    """Shared words over all words of two sets."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if a or b else 1.0


def similar(sets: Sequence[Words]) -> Groups:
    """The groups of distinct sets that are linked by a similarity of at least 0.8."""
    groups = Groups(len(sets))
    _join_short([(i, words) for i, words in enumerate(sets) if len(words) <= SHORT], groups)
    _join_long(sets, groups)
    return groups


def _join_short(short: Sequence[tuple[int, Words]], groups: Groups) -> None:
    """Join pairs of short sets; each set has at most 91 keys, and none is compared with another."""
    ordered = [(i, tuple(sorted(words))) for i, words in short]
    whole = {words: i for i, words in ordered}
    lacking: dict[tuple[str, ...], int] = {}
    for i, words in ordered:
        size = len(words)
        if size >= 9:  # one word replaced: (n - 1) / (n + 1) >= 0.8
            for key in combinations(words, size - 1):
                groups.join(lacking.setdefault(key, i), i)
        # One word more: (n - 1) / n >= 0.8; two words more: (n - 2) / n >= 0.8.
        for fewer in (n for n, least in ((1, 5), (2, 10)) if size >= least):
            for key in combinations(words, size - fewer):
                if key in whole:
                    groups.join(whole[key], i)


def _join_long(sets: Sequence[Words], groups: Groups) -> None:
    """Join pairs of which at least one set is long, the shorter of each pair indexed first."""
    shortest = ceil(THRESHOLD * (SHORT + 1))
    chosen = sorted(
        (i for i in range(len(sets)) if len(sets[i]) >= shortest), key=lambda i: len(sets[i])
    )
    frequency = Counter(word for i in chosen for word in sets[i])
    index: dict[str, dict[int, list[int]]] = defaultdict(dict)
    for i in chosen:
        ranked = sorted(sets[i], key=lambda word: (frequency[word], word))
        prefix = ranked[: len(ranked) - ceil(THRESHOLD * len(ranked)) + 1]
        if len(ranked) > SHORT:
            for word in prefix:
                _join_similar(i, index[word], sets, groups)
        for word in prefix:
            index[word].setdefault(groups.root(i), []).append(i)


def _join_similar(
    i: int, listed: dict[int, list[int]], sets: Sequence[Words], groups: Groups
) -> None:
    """Join a set with the groups under one word that hold a similar one.

    One similar member joins a whole group, and members of the own group are not looked at: texts of
    one template cost no more than their number.
    """
    words = sets[i]
    least = THRESHOLD * len(words)
    for first, members in listed.items():
        if groups.root(first) == groups.root(i):
            continue
        for j in reversed(members):
            if len(sets[j]) < least:
                break
            if jaccard(words, sets[j]) >= THRESHOLD:
                groups.join(j, i)
                break
