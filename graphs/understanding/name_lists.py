"""Several new names in one breath: `enroll laptops l1, l2 and l3`."""

from __future__ import annotations

from graphs.understanding.lexicon import words
from graphs.understanding.reading import Reading

BETWEEN = frozenset([",", "and", "&", "plus"])
_EMPTY = words("words", "stop") | words("words", "determiners") | words("words", "prepositions")


def further_names(r: Reading, name: str, end: int) -> None:
    """Read the names that follow the first, each of which makes a step of its own.

    They are listed (`alice, bob and carol`), or stand side by side where their digits tell that
    they are names (`l1 l2 l3`).

    Args:
        r: the reading, in which the first name is set.
        name: the argument.
        end: where the first name ends.
    """
    tokens, found = r.clause.tokens, list[str]()
    at = end
    while at < len(tokens):
        start = at
        while at < len(tokens) and tokens[at].low in BETWEEN:
            at += 1
        if at == len(tokens) or not _is_name(r, at):
            break
        if at == start and not (_has_digit(tokens[at].text) and _has_digit(tokens[at - 1].text)):
            break
        found.append(tokens[at].text)
        r.clause.claim(start, at + 1, by=name)
        at += 1
    if found:
        r.out.several[name] = found


def _is_name(r: Reading, at: int) -> bool:
    token = r.clause.tokens[at]
    if r.clause.claimed[at] or token.kind not in ("word", "quote"):
        return False
    return token.kind == "quote" or not (
        token.low in _EMPTY | r.scope.verbs | words("naming", "generic") or token.low.endswith("'s")
    )


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)
