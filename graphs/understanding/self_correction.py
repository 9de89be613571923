"""A wish corrected in the same breath: `pause the lobby, sorry, the pool`; only the last counts."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.lexicon import phrases
from graphs.understanding.text import Token, phrase_at

_LONGEST = 6
_WAITS = frozenset(["wait", "hold", "stop"])
_FOR = frozenset(["for", "until", "till", "before", "after", "a", "an", "one", "two", "some", "at"])
_MARKS = frozenset([",", "-", "–", "—", ".", "…", "("])


def corrected_at(
    tokens: Sequence[Token], verbs: frozenset[str]
) -> tuple[list[Token], list[Token]] | None:
    """A sentence apart into what was said first and what is meant instead.

    Args:
        tokens: the sentence.
        verbs: the words that begin commands: a further command is no correction.

    Returns:
        The sentence without the correction, and the correction led by `no`; None if there is none.
    """
    for at in range(2, len(tokens) - 1):
        size = phrase_at(tokens, at, phrases("dialogue", "self_correction"))
        if not size or tokens[at - 1].low not in _MARKS:
            continue
        begin = at + size
        if tokens[begin - 1].low == "no" and tokens[begin].low != ",":
            continue  # `no password` says something else
        if tokens[begin - 1].low in _WAITS and tokens[begin].low in _FOR:
            continue  # `wait for my ok` is to wait
        while begin < len(tokens) and tokens[begin].kind == "punctuation":
            begin += 1
        end = next((i for i in range(begin, len(tokens)) if tokens[i].low == ","), len(tokens))
        said = list(tokens[begin:end])
        if not said or len(said) > _LONGEST or said[0].low in verbs:
            return None
        no = Token("no", "no", said[0].start, said[0].start, "word")
        return [*tokens[: at - 1], *tokens[end + 1 :]], [no, *said]
    return None
