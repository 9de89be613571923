"""`wrong model`, said of a plan that waits: it is dropped, and what is right is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.text import Token

_PARTS = {
    "model": "model", "version": "version", "group": "group", "fleet": "group",
    "devices": "group", "device": "device", "dataset": "dataset", "data": "dataset",
    "job": "job", "document": "document", "user": "user", "schedule": "schedule",
    "one": "one", "thing": "one", "receipt": "receipt", "percentage": "percentage",
    "number": "number", "name": "name", "way round": "way round",
}  # fmt: skip
_WRONG = re.compile(
    r"(?:(?:no|oh|oops|sorry|wait|hm|hmm|argh|damn|ah|stop|hold on|but|nope) )*"
    r"(?:(?:that is|that's|thats|this is|it's|it is|i said|i took|you took|you have|i have) )?"
    r"(?:the |a )?wrong (?P<part>[a-z]+(?: round)?)(?: again| sorry| there| though)*"
)


def wrong_part(tokens: Sequence[Token]) -> str:
    """What of a plan a short sentence calls wrong, without saying what is right.

    Args:
        tokens: the sentence.

    Returns:
        The part as it is asked for, such as `model`; empty if the sentence says something else.
    """
    found = _WRONG.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation"))
    return _PARTS.get(found["part"], "") if found else ""
