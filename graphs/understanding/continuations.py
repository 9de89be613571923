"""How a sentence goes on from the act before it: a correction, an ellipsis, or bare words."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import strip_leading
from graphs.understanding.lexicon import phrases
from graphs.understanding.text import Token, find_phrase


def as_continuation(tokens: Sequence[Token]) -> tuple[list[Token], str | None]:
    """What a sentence says of the act before it, and how.

    Args:
        tokens: the sentence.

    Returns:
        As `continuation`, with what is denied or said at its end in its plain form: `blue-green
        instead` and `not iphones, pixels` are corrections.
    """
    return continuation(_without_tail(_not_but(_without_too(list(tokens)))))


def continuation(tokens: list[Token]) -> tuple[list[Token], str | None]:
    """The words without those that lead up to them, and what these make of them.

    Args:
        tokens: the sentence.

    Returns:
        The words, and `correction`, `ellipsis` or `bare`.
    """
    stripped = [t for t in tokens]
    while stripped and stripped[0].kind == "punctuation":
        stripped = stripped[1:]
    for how in ("correction", "ellipsis"):
        rest, found = stripped, False
        while rest:
            size = _leading(rest, how)
            if not size:
                break
            rest, found = rest[size:], True
            while rest and rest[0].kind == "punctuation":
                rest = rest[1:]
        if found and rest:
            return stripped if how == "ellipsis" else rest, how
    return stripped, "bare"


def _leading(tokens: list[Token], how: str) -> int:
    for phrase in phrases("dialogue", how):
        if find_phrase(tokens, phrase, 0, len(phrase)) == 0:
            return len(phrase)
    return 0


def _without_too(tokens: list[Token]) -> list[Token]:
    """`tobias too please`, `and the phones as well` as `and tobias`, `and the phones`."""
    kept = list(tokens)
    while len(kept) > 1 and (kept[-1].kind == "punctuation" or kept[-1].low == "please"):
        kept.pop()
    for tail in (("as", "well"), ("too",), ("also",)):
        size = len(tail)
        if len(kept) > size + 1 and tuple(t.low for t in kept[-size:]) == tail:
            led = kept[0].low == "and"
            also = Token("and", "and", kept[0].start, kept[0].start, "word")
            return kept[:-size] if led else [also, *kept[:-size]]
    return tokens


def _without_denied_tail(tokens: list[Token]) -> list[Token]:
    """`staging I mean, not champion`, `phones instead of kiosks` as `no, staging`, `no, phones`."""
    for at in range(1, len(tokens) - 2):
        if (tokens[at].low, tokens[at + 1].low) in {("instead", "of"), ("rather", "than")}:
            no = Token("no", "no", tokens[0].start, tokens[0].start, "word")
            return [no, *tokens[:at]]
    for at in range(1, len(tokens) - 1):
        said_last = at == len(tokens) - 2 and tokens[at + 1].low.isalpha()
        if tokens[at].low == "not" and at > 1 and (tokens[at - 1].low == "," or said_last):
            low = tokens[0]
            kept = [t for t in tokens[: at - (tokens[at - 1].low == ",")]]
            while len(kept) > 2 and kept[-2].low == "i" and kept[-1].low in {"mean", "meant"}:
                kept = kept[:-2]
            return [Token("no", "no", low.start, low.start, "word"), *kept]
    return tokens


def _not_but(tokens: list[Token]) -> list[Token]:
    """`not iphones, pixels` as the correction `no, pixels`."""
    led = strip_leading(list(tokens), (*phrases("dialogue", "leading"), *_HESITATING))
    tokens = led if led and led[0].low == "not" else _without_denied_tail(tokens)
    if len(tokens) < 4 or tokens[0].low != "not":
        return tokens
    for at, token in enumerate(tokens[2:-1], start=2):
        if token.low in {",", "but", ":", "-", "–", "!", ".", ";"}:
            no = Token("no", "no", tokens[0].start, tokens[0].end, "word")
            return [no, *_meant(tokens[at + 1 :])]
    return tokens


_HESITATING = ((",",), ("wait",), ("oh",), ("hm",), ("hmm",), ("sorry",), ("no",), ("oops",))
_POINTING = (("it's",), ("its",), ("it", "is"), ("that's",), ("that", "is"), ("i", "meant"))


def _meant(tokens: list[Token]) -> list[Token]:
    """The `owen` of `it's owen who left`."""
    said = strip_leading(tokens, _POINTING)
    end = next((i for i, t in enumerate(said) if i and t.low in {"who", "that", "which"}), None)
    return said[:end]


def _without_tail(tokens: list[Token]) -> list[Token]:
    """A correction that says so at its end, with that at its beginning: `blue-green instead`."""
    kept = list(tokens)
    while kept and kept[-1].kind == "punctuation" and kept[-1].low != "%":
        kept.pop()
    while len(kept) > 1 and kept[-1].low in {"obviously", "then", "though", "please"}:
        kept = tokens = kept[:-1]
    for phrase in _MISTAKEN:
        size = len(phrase)
        if len(kept) > size and tuple(t.low for t in kept[-size:]) == phrase:
            said = kept[:-size]
            while said and said[-1].kind == "punctuation" and said[-1].low != "%":
                said.pop()
            no = Token("no", "no", kept[0].start, kept[0].start, "word")
            return [no, *said]
    if len(kept) > 1 and kept[-1].low in {"instead", "sorry", "rather"}:
        return [kept[-1], *kept[:-1]]
    return tokens


_MISTAKEN = (
    ("my", "mistake"), ("my", "bad"), ("i", "mean"), ("i", "meant"), ("that", "was", "a", "typo"),
    ("i", "mistyped"), ("typo",), ("my", "error"), ("of", "course"),
)  # fmt: skip
