"""Versions as they are written: `v3`, `version3`, `@champion`, `ticket-router:3`."""

from __future__ import annotations

import re

from graphs.understanding.lexicon import fields

_VERSION = re.compile(r"^(?:v|ver\.?|version|rev)?\.?(\d{1,6})$", re.I)
ATTACHED = re.compile(
    r"^(?P<name>.+?)(?:@(?P<at>[\w-]+)|[-_:/.]?v(?P<v>\d+)|[:/](?P<n>\d+))$", re.I
)
"""A model's name with its version written to it: `ticket-router@champion`, `ticket-router:3`."""


def read_version(written: str) -> int | str | None:
    """`v3`, `3`, `version3` as a number; an alias's other words as the alias."""
    if match := _VERSION.match(written):
        return int(match[1])
    return alias_of(written)


def alias_of(word: str) -> str | None:
    """The alias that a word means, if it means one."""
    for alias, others in fields()["choices"]["alias"].items():
        if word == alias or word in others:
            return alias
    return None
