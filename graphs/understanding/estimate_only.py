"""`train on tickets with rank 16, estimate only`: asks for the estimate, and trains nothing."""

from __future__ import annotations

import re

_ONLY = re.compile(
    r"^(?P<lead>\s*(?:please\s+|can you\s+|could you\s+)?)"
    r"(?:re-?train|train|fine-?tune|fine tune)\b(?P<rest>[^.;!?\n]*?)"
    r"\s*(?:[,:(-]+\s*)?(?:but\s+|and\s+)?"
    r"(?:estimates?\s+only|(?:only|just)\s+(?:the\s+|an\s+)?estimates?(?:\s+(?:it|that|this))?"
    r"|(?:only|just)\s+(?:as\s+)?an\s+estimate|as\s+an\s+estimate\s+only)\)?(?P<end>\s*[.!?]?\s*)$",
    re.IGNORECASE,
)


def estimates_said(text: str) -> str:
    """The text with such a wish said as `estimate the training …`."""
    found = _ONLY.match(text)
    if found is None:
        return text
    return f"{found['lead']}estimate the training{found['rest']}{found['end']}"
