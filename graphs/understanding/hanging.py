"""Comparisons that an act hangs on without an `if`: `2 better by a point? promote it`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.understanding.clause import polite, strip_leading
from graphs.understanding.conditions import read_condition
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.text import Token, phrase_at

_ENDS = frozenset(".;!?\n")
_BEFORE_IF = (
    ("check",), ("see",), ("test",), ("verify",), ("find", "out"), ("figure", "out"), ("look",),
    ("make", "sure"), ("measure",), ("determine",),
)  # fmt: skip
_TELLING = frozenset(["tell", "show", "let", "report", "say", "explain", "give", "list", "why"])


def compares(part: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True for words that compare and ask or order nothing: `2 better by 1.5 points`.

    Args:
        part: the words.
        verbs: the words that begin commands.
    """
    said = [t for t in part if t.kind != "punctuation" or t.low in "%<>="]
    if len(said) < 2 or said[0].low in verbs | words("segment", "questions"):
        return False
    return read_condition([said[0], *said]) is not None


def hanging(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    """The words with `if` where a comparison and then an act is said.

    `2 better? promote it` and `check whether 2 is better, then promote it` become
    `if 2 better, promote it`; a question about which something is only told stays one.
    """
    return _looked_up(_asked(tokens, verbs), verbs)


def _asked(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    begin = 0
    for at, token in enumerate(tokens):
        if token.low not in _ENDS:
            continue
        follows = token.low == "?" and _acts(tokens[at + 1 :], verbs)
        if follows and compares(tokens[begin:at], verbs):
            mark = replace(token, text=",", low=",")
            return [*tokens[:begin], _if(tokens[begin]), *tokens[begin:at], mark,
                    *tokens[at + 1 :]]  # fmt: skip
        begin = at + 1
    return tokens


def _looked_up(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    """`check whether 2 beats 1, then promote it` with a plain `if`."""
    for at, token in enumerate(tokens):
        if token.low not in {"if", "whether"} or not at:
            continue
        size = next((len(p) for p in _BEFORE_IF if phrase_at(tokens, at - len(p), (p,))), 0)
        end = _end(tokens, at + 1, verbs)
        if not size or at < size or end is None:
            continue
        if read_condition(tokens[at:end]) is not None:
            comma = replace(token, text=",", low=",")
            acts = _without_again(strip_leading(tokens[end:], polite()))
            return [*tokens[: at - size], _if(token), *tokens[at + 1 : end], comma, *acts]
    return tokens


def _without_again(tokens: list[Token]) -> list[Token]:
    """The acts without the `only if it does` that says the condition once more."""
    for at, token in enumerate(tokens):
        rest = [t for t in tokens[at + 1 :] if t.kind != "punctuation"]
        again = tuple(t.low for t in rest) in phrases("segment", "affirmed")
        if at and token.low == "if" and again:
            return tokens[: at - (tokens[at - 1].low == "only")]
    return tokens


def _end(tokens: Sequence[Token], begin: int, verbs: frozenset[str]) -> int | None:
    """Where what is looked up ends and an act begins."""
    for at in range(begin, len(tokens)):
        joint = tokens[at].low in {",", "then", "and", ";", "?", ".", "–", "-"}
        if joint and _acts(tokens[at:], verbs):
            return at
    return None


def _acts(tokens: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True if an order follows that does more than tell."""
    rest = strip_leading(list(tokens), polite())
    if rest and phrase_at(rest, 0, phrases("segment", "strong")):
        rest = strip_leading(rest[phrase_at(rest, 0, phrases("segment", "strong")) :], polite())
    return bool(rest) and rest[0].low in verbs and rest[0].low not in _TELLING


def _if(token: Token) -> Token:
    return replace(token, text="if", low="if", kind="word", end=token.start)
