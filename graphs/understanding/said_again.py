"""What repeats the wish before it or adds to it: `is v4 better than v3? run the comparison`."""

from __future__ import annotations

from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read

_MEASURES = "evaluation."
_SPLITS = "deployment.ab_test"
_ADDING = frozenset(["let", "give", "have", "send", "with", "it"])
_REPEATING = frozenset(
    ["measure", "test", "check", "evaluate", "run", "do", "make", "find", "out", "try", "it",
     "that", "this", "the", "a", "comparison", "measurement", "evaluation", "please", "for", "me",
     "us", "now"]
)  # fmt: skip


def without_repeats(reads: list[Read]) -> list[Read]:
    """Reads without those that only say once more that something asked for is to be measured.

    Args:
        reads: the wishes of a sentence; a question about a model comes before its repetition.
    """
    kept: list[Read] = []
    for read in reads:
        before = kept[-1] if kept else None
        asked = before is not None and before.clause.asks and _measures(before)
        if asked and _measures(read) and _only_repeats(read):
            continue
        if asked and before is not None and _measures(read) and _goes_on(read):
            before.clause = _joined(before.clause, read.clause)
            continue
        if before is not None and before.operation and before.clause.asks and _told_anyway(read):
            continue
        if before is not None and _adds_share(before, read):
            before.clause = _joined(before.clause, read.clause)
            continue
        kept.append(read)
    return kept


def _goes_on(read: Read) -> bool:
    """True for `… with typos? test that on the validation split`: where the same is measured."""
    low = [t.low for t in read.clause.tokens if t.kind != "punctuation"]
    again = low[0] in _REPEATING and low[1:2] and low[1] in {"that", "it", "this"}
    return bool(again) and not read.clause.condition and low[2:3] != ["against"]


def _adds_share(before: Read, read: Read) -> bool:
    """True for `… beside what they serve, and let it answer 30 percent`: one split, no second."""
    clause = read.clause
    same = before.operation == read.operation == _SPLITS
    adds = clause.tokens[0].low in _ADDING and clause.link == "and"
    return same and adds and not clause.mentions and not clause.condition


def _joined(first: Clause, second: Clause) -> Clause:
    joint = Clause([*first.tokens, *second.tokens], first.link, first.condition)
    joint.mentions, joint.governed = first.mentions, first.governed
    return joint


def _measures(read: Read) -> bool:
    return (read.operation or "").startswith(_MEASURES)


def _told_anyway(read: Read) -> bool:
    """True for what an answer shows anyway: `any old reports? show them`, `…? job, data`."""
    low = [t.low for t in read.clause.tokens if t.kind != "punctuation"]
    if read.clause.condition or read.clause.mentions:
        return False
    shows = low[0] in _SHOWING and set(low[1:]) & _POINTING and set(low[1:]) <= _POINTING | _BESIDE
    return bool(shows) or (len(low) > 1 and set(low) <= _FACETS)


_SHOWING = frozenset(["show", "list", "display", "give", "print", "see", "let"])
_POINTING = frozenset(["it", "them", "that", "those", "these", "all"])
_BESIDE = frozenset(["me", "us", "to", "please", "of", "then", "see", "have", "a", "look", "at"])
_FACETS = frozenset(
    ["dataset", "data", "run", "base", "model", "job", "training", "and", "the", "its", "method",
     "settings", "metrics", "author", "date", "owner", "source", "parent", "origin", "lineage"]
)  # fmt: skip
"""What a description tells anyway, in a list behind the question for it."""


def _only_repeats(read: Read) -> bool:
    low = {t.low for t in read.clause.tokens if t.kind != "punctuation"}
    return not read.clause.condition and low <= _REPEATING
