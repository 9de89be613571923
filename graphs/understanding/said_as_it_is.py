"""Corrections put as statements: `viewer is enough`, `14 days will do`, `it's a server really`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.text import Token, tokenise

_FITS = (
    r"(?:(?:will|would|should|'ll) (?:do|be (?:enough|plenty|better|fine))"
    r"|(?:is|are|was|were) (?:enough|plenty|better|safer|nicer|wiser|sufficient"
    r"|all (?:i|we) need|what (?:i|we) need|what i meant|what i wanted|right|correct)"
    r"|suffices?|(?:it|that) (?:is|should be|was|must be))"
)
_FOR = r"(?: for (?:a |the |our )?[a-z]+(?: [a-z]+)?)?(?: actually| really| too)?"
_ENOUGH = re.compile(
    rf"^(?:(?:no|hm|hmm|actually|oh|well|wait|sorry|ok) (?:, )?)*(?P<what>.+?) {_FITS}{_FOR}"
    r"(?: [,;.-] .*)?$"
)
_IS = re.compile(
    r"^(?:actually |sorry |no |oh |hm |wait |oops |well |ah )*"
    r"(?:it's|its|it is|it was|they're|they are|he's|he is|she's|she is"
    r"|that's|that is|that was|those are|this is)"
    r"(?: supposed to be| meant to be)? (?:an? |the |only |just )?(?P<what>.+)$"
)
_CORRECTING = re.compile(
    r"^(?:actually|sorry|no|oops|wait)\b"
    r"|\b(?:actually|in fact|really|sorry|supposed to be|meant to be)$|\b(?:supposed|meant) to be\b"
)
_LAST = re.compile(r" (?:actually|in fact|really|sorry|by the way|though)$")
_LONGEST = 7
_KEEPING = frozenset(["leave", "keep", "let", "spare", "ok", "and", "good"])
_HANGING = frozenset(["if", "unless", "when", "once", "until", "provided", "whether", "than"])


_SHOULD_BE = re.compile(
    r"^(?:(?:no|hm|hmm|actually|oh|wait|sorry) (?:, )?)*(?P<name>[a-z][\w.-]*) "
    r"(?:should be|should have been|was meant to be|is supposed to be|needs to be) "
    r"(?:at |on )?(?:version |v)?(?P<version>\d+)(?: ,? ?(?:not|instead of) (?:version |v)?\d+)?$"
)


def named_correction(tokens: Sequence[Token]) -> list[Token]:
    """`no, blade-icing 2` of `blade-icing should be 2, not 3`; empty for any other sentence.

    Args:
        tokens: the sentence.
    """
    found = _SHOULD_BE.match(" ".join(t.low for t in tokens).rstrip(" .!"))
    return tokenise(f"no, {found['name']} {found['version']}") if found else []


def as_correction(tokens: Sequence[Token]) -> list[Token]:
    """The words of a statement that says what is right, as the correction that it is.

    Args:
        tokens: the sentence.

    Returns:
        `no, viewer`; empty if the sentence is no such statement.
    """
    said = " ".join(t.low for t in tokens).rstrip(" .!")
    if {t.low for t in tokens} & _HANGING or tokens[0].low in _KEEPING:
        return []
    found = _ENOUGH.match(said) or (_IS.match(said) if _CORRECTING.search(said) else None)
    if found is None or said.endswith("?"):
        return []
    what = _LAST.sub("", found["what"].strip(" ,")).replace(" : ", ":")
    return tokenise(f"no, {what}") if 0 < len(what.split()) <= _LONGEST else []
