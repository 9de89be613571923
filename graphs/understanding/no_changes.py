"""`no changes to the kiosks until friday` declares a freeze; it denies no wish."""

from __future__ import annotations

import re

_NO_CHANGES = re.compile(
    r"(?P<lead>^\s*(?:please\s*,?\s*|ok\s*,?\s*|and\s+)?|[.;]\s+)"
    r"no\s+(?:more\s+|new\s+|further\s+)?"
    r"(?:changes|deployments|deploys|rollouts|roll-outs|releases|updates)\s+"
    r"(?:any\s*more\s+)?(?:to|on|for)\s+(?!me\b|now\b|that\b|this\b|it\b|them\b)(?=(?:the\s+)?\w)",
    re.IGNORECASE,
)


def freezes_said(text: str) -> str:
    """The text with `no changes to X` said as `freeze X`."""
    return _NO_CHANGES.sub(lambda found: f"{found['lead']}freeze ", text)
