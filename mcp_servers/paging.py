"""Lists in pages: a cursor says after which entry the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from tools.kernel.errors import InvalidInput

T = TypeVar("T")
PAGE = 100
"""Entries of a page. Some clients read the first page of tools only, so it holds them all."""


def page(
    entries: Sequence[T], cursor: str | None, key: Callable[[T], str], size: int = PAGE
) -> tuple[list[T], str | None]:
    """One page of a list, and the cursor of the next one, if there is one.

    A cursor names the entry that the page before ended with, so that entries which come or go
    meanwhile neither repeat nor hide others; where that entry itself has gone, the page begins at
    its place.

    Args:
        entries: the whole list, in an order that stays.
        cursor: what the page before gave; None for the first page.
        key: what tells entries apart.
        size: entries of a page.

    Raises:
        InvalidInput: if the cursor is none of ours.
    """
    start = 0 if cursor is None else _start(entries, cursor, key)
    found = list(entries[start : start + size])
    end = start + len(found)
    return found, write(end, key(found[-1])) if found and end < len(entries) else None


def write(end: int, last: str) -> str:
    """A cursor: opaque, because clients must not make any themselves."""
    return base64.urlsafe_b64encode(json.dumps([end, last]).encode()).decode()


def read(cursor: str) -> tuple[int, str]:
    """What `write` put in.

    Raises:
        InvalidInput: if the cursor is none of ours.
    """
    try:
        end, last = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if type(end) is int and end >= 0 and isinstance(last, str):
            return end, last
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise InvalidInput("The cursor is none of ours.", hint="Begin again without one.")


def _start(entries: Sequence[T], cursor: str, key: Callable[[T], str]) -> int:
    end, last = read(cursor)
    if end and end <= len(entries) and key(entries[end - 1]) == last:
        return end
    return next((n + 1 for n, entry in enumerate(entries) if key(entry) == last), max(end - 1, 0))
