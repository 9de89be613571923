"""Paths that people typed, made absolute; what can be no path is told before a call fails."""

from __future__ import annotations

import os
from pathlib import Path

from tools.kernel.errors import InvalidInput

LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes, as Linux has them (NAME_MAX, PATH_MAX without its end)."""
_SHOWN = 40


def absolute(text: str) -> Path:
    """A path as typed, with `~` expanded and quotes removed, made absolute.

    Raises:
        InvalidInput: if no file can have that path: a NUL character, a name that is too long or
            cannot be written, the home of nobody.
    """
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "'\"":
        stripped = stripped[1:-1]
    if "\0" in stripped:
        raise InvalidInput("A path cannot contain a NUL character.")
    try:
        path = Path(stripped).expanduser().absolute()
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
        whole = len(os.fsencode(path))
    except RuntimeError as error:
        raise InvalidInput(f"{stripped[:_SHOWN]} cannot be expanded: {error}.") from None
    except UnicodeError:
        raise InvalidInput("A path cannot contain half of a character.") from None
    if longest > LONGEST_NAME or whole > LONGEST_PATH:
        raise InvalidInput(
            f"{stripped[:_SHOWN]}… is no path: a name has at most {LONGEST_NAME} bytes, "
            f"a whole path {LONGEST_PATH}."
        )
    return path
