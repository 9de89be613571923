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


def said_plainly(text: str) -> str:
    """The text with each such wording in its plain form."""
    for wording, plain in _PLAIN:
        text = wording.sub(plain, text)
    return text
