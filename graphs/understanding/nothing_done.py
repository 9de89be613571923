"""Words by which a branch has no act: `if 3 is better do nothing`, `otherwise leave it`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from graphs.understanding.clause import Clause, join
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.text import Token, phrase_at

_AS_IT_IS = r"(?:(?:as|where) (?:it|they|that|things) (?:is|are)|alone|be|untouched|unchanged)"
_ALL = r"(?:it|things|everything|them|all of it|all|that)"
_NOTHING = re.compile(
    r"(?:please )?(?:just |simply )?(?:do )?nothing(?: (?:happens|at all|more))?"
    rf"|(?:please )?(?:just )?leave {_ALL}(?: {_AS_IT_IS})?"
    rf"|(?:please )?(?:just )?keep {_ALL} {_AS_IT_IS}"
    r"|(?:please )?(?:just )?keep (?:the )?(?:old|current|present|existing)"
    r"(?: (?:one|version|champion))?"
    r"|(?:please )?let (?:it|things|them) be|(?:everything|all|it) stays (?:as it is|the same)"
    r"|(?:please )?(?:don't|do not)(?: (?:do anything|touch (?:it|anything|them)|bother))?"
)
_FIRST = frozenset(
    ["please", "just", "simply", "do", "nothing", "leave", "keep", "let", "everything", "all", "it",
     "don't"]
)  # fmt: skip


def does_nothing(tokens: Sequence[Token]) -> bool:
    """True for words that leave everything as it is.

    Args:
        tokens: a wish, or the end of one.
    """
    if not tokens or tokens[0].low not in _FIRST:
        return False
    return bool(_NOTHING.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation")))


def no_act(clause: Clause) -> bool:
    """True for the `otherwise leave it` of a condition, whose other branch does nothing."""
    return clause.link == "otherwise" and does_nothing(clause.tokens)


def leading_negation(tokens: Sequence[Token]) -> int:
    """How many tokens say "not" at the beginning; 0 if none do."""
    if phrase_at(tokens, 0, phrases("guards", "negation_kept")):
        return 0
    return phrase_at(tokens, 0, phrases("guards", "negation"))


def takes_back(rest: list[Token], clauses: Sequence[Clause], verbs: frozenset[str]) -> bool:
    """True for the `don't deploy it` of `deploy X to Y, but if they are unhealthy don't …`."""
    size = leading_negation(rest)
    said = [t.low for t in rest[size:] if t.kind != "punctuation"]
    if not size or len(clauses) != 1 or not said:
        return False
    small = words("references", "it") | words("words", "prepositions") | _DOING
    return said[0] in {clauses[0].tokens[0].low, "do"} and set(said[1:]) <= small


_DOING = frozenset(["it", "that", "this", "them", "there", "so", "out", "back", "up", "please"])


def inverted(condition: list[Token]) -> list[Token]:
    """The condition of the act behind `if C do nothing, otherwise …`: `unless C`."""
    word = "if" if condition[0].low == "unless" else "unless"
    size = phrase_at(condition, 0, phrases("segment", "conditions"))
    return [replace(condition[0], text=word, low=word), *condition[max(size, 1) :]]


def said_behind(clauses: Sequence[Clause]) -> str | None:
    """What stands behind a comma in a wish that is denied, and would be dropped with it.

    Args:
        clauses: the wishes of a sentence.

    Returns:
        The `20 percent` of `deploy X to Y, without waiting, 20 percent`; None if there is nothing.
    """
    for clause in clauses[1:] if len(clauses) > 1 else ():
        at = next((i for i, t in enumerate(clause.tokens) if t.low == ","), None)
        rest = clause.tokens[at + 1 :] if at is not None and clause.negated else []
        counted = any(any(c.isdigit() for c in t.low) for t in rest)
        if rest and (counted or clause.without):
            return join(rest)
    return None
