"""Words that several wishes of a sentence share: `show X and the Y`, `train and evaluate Z`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token
from graphs.understanding.written import alias_of

_LIST = 16
SHOWING = frozenset(["show", "list", "give", "display", "tell", "see", "print"])
SHOWN = frozenset(
    ["models", "datasets", "devices", "jobs", "risks", "approvals", "receipts", "users",
     "documents", "status", "health", "audit", "trainings", "rollouts", "sources", "groups", "roi"]
)  # fmt: skip
POINTING = frozenset(["set", "make", "point", "move", "put", "promote", "switch", "change"])


def nouns_listed(tokens: Sequence[Token], verbs: frozenset[str]) -> list[list[Token]]:
    """The parts of a list of things to be shown; none if it is no such list."""
    first = tokens[0].low
    if (first in verbs and first not in SHOWING) or len(tokens) > _LIST:
        return []
    if any(t.low in words("words", "prepositions") - {"of"} for t in tokens):
        return []
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.low in {",", "and", "&", "+", "plus"}:
            parts.append([])
        elif token.kind != "punctuation":
            parts[-1].append(token)
    parts = [part for part in parts if part]
    if len(parts) < 2:
        return []
    # `errors and calibration of X`: what the last is of, all are of
    of = next((i for i, t in enumerate(parts[-1]) if t.low == "of"), 0)
    shared = parts[-1][of:] if of else []
    return [p if any(t.low == "of" for t in p) else [*p, *shared] for p in parts]


def shared_verbs(clauses: list[Clause]) -> list[Clause]:
    """`show me X and the Y`: the second clause gets the verb of the first."""
    for before, clause in pairwise(clauses):
        nouns = [t for t in clause.tokens if t.low not in words("words", "determiners")]
        if before.tokens[0].low in SHOWING and nouns and nouns[0].low in SHOWN:
            size = 2 if len(before.tokens) > 1 and before.tokens[1].low in {"me", "us"} else 1
            clause.tokens = [*before.tokens[:size], *clause.tokens]
            clause.claimed = [""] * len(clause.tokens)
        elif before.tokens[0].low in POINTING and alias_of(clause.tokens[0].low) is not None:
            clause.tokens = [before.tokens[0], *clause.tokens]
            clause.claimed = [""] * len(clause.tokens)
    return clauses


def shared_objects(clauses: list[Clause], verbs: frozenset[str]) -> list[Clause]:
    """`train and evaluate X on Y`: the first verb shares the second's object."""
    for index in range(len(clauses) - 1):
        clause, following = clauses[index], clauses[index + 1]
        alone = len(clause.tokens) == 1 and clause.tokens[0].low in verbs
        if alone and following.link in ("and", "then") and len(following.tokens) > 1:
            clauses[index] = Clause(
                clause.tokens + following.tokens[1:], link=clause.link, condition=clause.condition,
                negated=clause.negated,
            )  # fmt: skip
    return clauses
