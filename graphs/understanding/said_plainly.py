"""Wordings that are said in plainer words before anything is read from them."""

from __future__ import annotations

import re

_PLAIN = (
    (re.compile(r"\b(?:an?|one) hour and a half\b|\bone and a half hours\b", re.I), "90 minutes"),
    (re.compile(r"\btwo (?:hours and a half|and a half hours)\b", re.I), "150 minutes"),
    (
        re.compile(r"\b(?:do|run|start|make) an? full fine-?tun(?:e|ing)(?: run)? on\b", re.I),
        "train with full fine-tuning on",
    ),
)


_REMARK = re.compile(
    r"(?<=\w)[.,;]\s+(?:the\s+)?(?:v\d+|champion|challenger|staging)\s+(?:is|was|has)\s+[^.,;?!]*[.!]?\s*$",
    re.I,
)
"""What is told of a version after an order: `archive v1. v2 is in use`."""
_DECIDING = re.compile(
    r"\b(?:better|worse|best|above|below|under|over|least|most|ready|enough|healthy|ok|fine|wrong)\b",
    re.I,
)
"""Words of a remark on which an act may hang."""


def said_plainly(text: str) -> str:
    """The text with each such wording in its plain form, and without a remark on how things are."""
    for wording, plain in _PLAIN:
        text = wording.sub(plain, text)
    remark = _REMARK.search(text)
    if remark is None or _DECIDING.search(remark.group()):
        return text
    return text[: remark.start()]
