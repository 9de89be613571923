"""A change with the reason for it: `make that 4. 5 still mixes up hydraulics and pitch`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphs.understanding.clause import strip_leading
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token

_ENDS = frozenset([",", ".", ";", "-", "–", "—", "!", "\n"])
_CAUSES = (("because",), ("since",), ("cause",), ("cuz",), ("bc",), ("as",))
_PERSONS = frozenset(
    ["i", "we", "he", "she", "they", "it", "you", "nobody", "everybody", "everyone", "somebody",
     "someone", "people", "i'm", "we're", "they're", "it's", "its", "he's", "she's", "that's",
     "there's", "there", "i've", "we've", "i'll", "we'll", "they'll", "it'll"]
)  # fmt: skip
_BINDING = frozenset(
    ["only", "unless", "if", "when", "whenever", "once", "until", "till", "except", "instead",
     "but", "then", "please", "?", "not", "never", "without", "or", "also", "too", "should",
     "must", "shall", "would", "could", "might", "may", "says", "said", "say", "asked", "asks",
     "told", "tells", "joking", "kidding", "wish", "maybe", "no",
     "don't", "dont", "won't", "can't", "cannot", "isn't", "doesn't", "wait", "meant", "mean",
     "otherwise", "excluded", "exempt", "out", "off", "stay", "stays", "remain", "remains",
     "remaining", "left", "leave", "spared", "untouched", "rest", "others", "ones", "later"]
)  # fmt: skip
"""Words with which what follows narrows or denies, hangs on something, or asks for more."""
_WISHES = frozenset(["wants", "want", "wanted"])
_ATTEND = frozenset(["be", "see", "watch", "attend", "sleep", "rest", "know"])
"""What people want to do beside an act: `the shop manager wants to be there`."""
_STATING = frozenset(
    ["is", "are", "was", "were", "has", "have", "had", "do", "does", "did", "can", "need", "needs",
     "use", "leaves", "went", "came", "will", "got", "get", *_WISHES]
)  # fmt: skip
_SUBJECT = 5
_SHORTEST = 2


def without_reason(tokens: Sequence[Token], verbs: Collection[str]) -> list[Token]:
    """The words of a change before its reason.

    Args:
        tokens: a short sentence that changes something.
        verbs: the words that begin commands.

    Returns:
        Empty if no part of it is a reason and nothing else.
    """
    for at in range(1, len(tokens) - _SHORTEST):
        if tokens[at].low in _ENDS and _is_reason(tokens[at + 1 :], verbs):
            return list(tokens[:at])
    return []


def _is_reason(part: Sequence[Token], verbs: Collection[str]) -> bool:
    """True for `the boat leaves late`, `we do that in spring`, `5 still mixes up pitch`."""
    said = [t for t in part if t.kind != "punctuation"]
    if len(said) < _SHORTEST + 1 or {t.low for t in part} & _BINDING:
        return False
    if any(not _attends(said, at) for at, t in enumerate(said) if t.low in _WISHES):
        return False
    if any(t.low == "and" for t in said) and any(t.low in verbs for t in said):
        return False  # `they are nervous and pause it` orders something
    first, *rest = strip_leading(said, _CAUSES)
    if any(t.kind != "word" or any(c.isdigit() for c in t.low) for t in rest):
        return False
    if first.low in verbs or not rest:
        return False
    stated = any(t.low in _STATING or t.low.endswith("ed") for t in rest[:_SUBJECT])
    if first.kind == "number":
        return stated or rest[0].low == "still"
    return first.low in _PERSONS or (first.low in words("words", "determiners") and stated)


def _attends(said: Sequence[Token], at: int) -> bool:
    """True for the wish in `the shop manager wants to be there`, which asks for no other act."""
    after = [t.low for t in said[at + 1 : at + 3]]
    return len(after) == len(("to", "be")) and after[0] == "to" and after[1] in _ATTEND
