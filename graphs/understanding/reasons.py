"""A change with the reason for it: `make that 4. 5 still mixes up hydraulics and pitch`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphs.understanding.guards import stems
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token

_ENDS = frozenset([",", ".", ";", "-", "–", "—", "!", "\n"])
_CAUSES = frozenset(["because", "since", "cause", "cuz", "bc", "otherwise", "as"])
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
     "don't", "dont", "won't", "can't", "cannot", "isn't", "doesn't", "wait", "meant", "mean"]
)  # fmt: skip
"""Words with which what follows narrows or denies, hangs on something, or asks for more."""
_WISHES = frozenset(["wants", "want", "wanted"])
_ATTEND = frozenset(["be", "see", "watch", "attend", "sleep", "rest", "know"])
"""What people want to do beside an act: `the shop manager wants to be there`."""
_STATING = frozenset(
    ["is", "are", "was", "were", "has", "have", "had", "do", "does", "did", "can", "need", "needs",
     "use", "used", "leaves", "went", "came", "still", "always", "just", "will", "got", "get"]
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
    first, rest = said[0], said[1:]
    wishes = [i for i, t in enumerate(said) if t.low in _WISHES]
    if any(i + 2 >= len(said) or said[i + 1].low != "to" or said[i + 2].low not in _ATTEND
           for i in wishes):  # fmt: skip
        return False
    if any(t.low == "and" for t in said) and any(t.low in verbs for t in said):
        return False  # `they are nervous and pause it` orders something
    if any(t.kind in ("number", "path", "quote") for t in rest) or first.low in verbs:
        return False
    if first.low in _CAUSES:
        return True
    subject = first.low in _PERSONS | words("words", "determiners") or first.kind == "number"
    stated = any(_states(t, verbs) for t in rest[:_SUBJECT])
    return subject and (first.low in _PERSONS or stated)


def _states(token: Token, verbs: Collection[str]) -> bool:
    """True for a finite verb: `leaves`, `is`, `mixes`; of an order, only the bare form is one."""
    finite = token.low in _STATING or (token.low.endswith("s") and len(token.low) > _SUBJECT - 1)
    return (finite or bool(set(stems(token.low)))) and token.low not in verbs
