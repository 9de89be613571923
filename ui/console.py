"""What a command writes to: colours and bars only where a person looks at a terminal."""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 110


@lru_cache(maxsize=2)
def console(*, errors: bool = False) -> Console:
    """The terminal, or the pipe, that answers go to (or errors and notes, with `errors`)."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    tty = stream.isatty()
    width = None if tty or os.environ.get("COLUMNS") else PIPED_WIDTH
    return Console(
        stderr=errors,
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=tty,
        no_color=colourless() or not tty,
        width=width,
    )


def colourless() -> bool:
    """True if the person asked for no colours (`NO_COLOR`)."""
    return bool(os.environ.get("NO_COLOR"))


def interactive() -> bool:
    """True if there is a person who can be asked: input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def note(line: str) -> None:
    """Say something that is not the answer."""
    print(line, file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """Write one JSON document, on one line where a program reads it."""
    indent = 2 if sys.stdout.isatty() else None
    print(json.dumps(data, ensure_ascii=False, indent=indent), flush=True)
