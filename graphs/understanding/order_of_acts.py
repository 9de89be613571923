"""`before rolling X out, evaluate it`: acts in the order in which they are to happen."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.guards import stems
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token

_DONE = frozenset(
    ["done", "finished", "you", "you've", "we", "we've", "have", "has", "had", "are", "with", "it"]
)


def in_order(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    """The words with two acts joined by before or after put in order, with `then` between them."""
    if (instead := _instead(tokens, verbs)) is not None:
        return instead
    for at, token in enumerate(tokens):
        if token.low not in {"before", "after"}:
            continue
        begin = _act_at(tokens, at + 1, verbs)
        if begin is None:
            continue
        verb, start = begin
        if at == 0:
            comma = next((i for i in range(start, len(tokens)) if tokens[i].low == ","), None)
            if comma is None:
                begins = _main_at(tokens, start + 2, verbs)
                cut = (begins, begins)
            else:
                cut = (comma, comma + 1)
            if cut[0] is None or cut[1] is None or cut[1] >= len(tokens):
                return tokens
            subordinate, main = tokens[start + 1 : cut[0]], tokens[cut[1] :]
        else:
            subordinate, main = tokens[start + 1 :], tokens[:at]
        act = [_as(verb, tokens[start]), *subordinate]
        first, second = (act, main) if token.low == "after" else (main, act)
        return [*_without_mark(first), _as("then", token), *second]
    return tokens


def _main_at(tokens: Sequence[Token], at: int, verbs: frozenset[str]) -> int | None:
    """Where the main order begins without a comma: `before deploying X evaluate it`."""
    small = words("words", "determiners") | words("words", "prepositions")
    for index in range(at, len(tokens) - 1):
        verb, before = tokens[index].low in verbs, tokens[index - 1].low
        points = tokens[index + 1].low in words("references", "it") | small
        if verb and points and before not in small:
            return index
    return None


def _instead(tokens: list[Token], verbs: frozenset[str]) -> list[Token] | None:
    """`instead of rolling X back just pause it` as `don't roll X back; pause it`."""
    low = [t.low for t in tokens]
    begin = _act_at(tokens, 2, verbs) if low[:2] == ["instead", "of"] else None
    if begin is None or begin[1] != 2:
        return None
    end = next((i for i in range(3, len(low)) if low[i] in {",", "just", "rather", "simply"}), None)
    if end is None:
        return None
    act = [_as("don't", tokens[0]), _as(begin[0], tokens[2]), *tokens[3:end]]
    mark = Token(";", ";", tokens[end].start, tokens[end].end, "punctuation")
    return [*act, mark, *tokens[end + 1 :]]


def _act_at(tokens: Sequence[Token], at: int, verbs: frozenset[str]) -> tuple[str, int] | None:
    """The verb of a command in another form that stands here, and where."""
    while at < len(tokens) and tokens[at].low in _DONE:
        at += 1
    if at >= len(tokens):
        return None
    word = tokens[at].low
    led = tokens[at - 1].low in _DONE
    if led and word in verbs:
        return word, at
    found = next((s for s in stems(word) if s in verbs and word != s), None)
    return (found, at) if found else None


def _without_mark(tokens: Sequence[Token]) -> list[Token]:
    kept = list(tokens)
    while kept and kept[-1].kind == "punctuation" and kept[-1].low not in "%?":
        kept.pop()
    return kept


def _as(word: str, token: Token) -> Token:
    return Token(word, word, token.start, token.end, "word")
