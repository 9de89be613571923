"""From what a person typed as a path to the files that are meant, each with its split."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from tools.kernel.entities import nearest
from tools.kernel.errors import InvalidInput, NotFound

_SPLIT = re.compile(
    r"^(?:(?P<train>train(?:ing)?)|(?P<validation>val(?:id(?:ation)?)?|dev(?:elopment)?)"
    r"|(?P<test>test(?:ing)?|held[-_ ]?out|eval(?:uation)?))(?=$|[-_.\s\d])",
    re.I,
)


def split_name(text: str) -> str | None:
    """`train`, `validation` or `test` for the usual spellings of it, else None."""
    match = _SPLIT.match(text.strip())
    return match.lastgroup if match else None


Found = list[tuple[Path, str | None]]


def locate(
    path: Path, suffixes: frozenset[str], test: Path | None = None, *, whole: bool = False
) -> Found:
    """The data files at a path, each with the split that its name gives it.

    Args:
        path: the file or folder.
        suffixes: of data files.
        test: a further file, whose rows are the test split.
        whole: True if a folder may lack a train file.

    Raises:
        NotFound: if nothing is there; suggests siblings with a similar name.
        InvalidInput: if it is no regular file, or a folder without train, validation, test files.
    """
    found = _at(path, suffixes, whole)
    if test is None:
        return found
    further = _at(test, suffixes, whole)
    if len(further) != 1 or further[0][0] != test:
        raise InvalidInput(f"{test} is a folder.", hint="Name the file with the test rows.")
    if any(file.samefile(test) for file, _ in found):
        raise InvalidInput(f"{test} cannot hold both the rows to train on and those to test on.")
    if any(split == "test" for _, split in found):
        raise InvalidInput(f"{path} has test rows of its own.", hint=f"Leave {test.name} out.")
    return [*((file, split or "train") for file, split in found), (test, "test")]


def _at(path: Path, suffixes: frozenset[str], whole: bool) -> Found:
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise InvalidInput(f"{path} may not be read by this user.") from None
    except OSError:
        raise _missing(path) from None
    if stat.S_ISDIR(mode):
        return _folder(path, suffixes, whole)
    if not stat.S_ISREG(mode):
        raise InvalidInput(f"{path} is not a regular file.")
    return [(path, None)]


def _missing(path: Path) -> NotFound:
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    if parent != path.parent:
        wanted = path.relative_to(parent).parts[0]
        siblings = [p.name for p in _children(parent) if p.is_dir()]
        near = [str(parent / name) for name in nearest(wanted, siblings)]
        return NotFound(f"There is no folder {path.parent}.", suggestions=near)
    siblings = [p.name for p in _children(parent)]
    near = [str(parent / name) for name in nearest(path.name, siblings)]
    hint = None if near else _listing(parent, siblings)
    return NotFound(f"There is no file {path}.", suggestions=near, hint=hint)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError:
        return []


def _listing(folder: Path, names: list[str]) -> str:
    if not names:
        return f"{folder} is empty."
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{folder} has {', '.join(names[:8])}{more}."


def _folder(path: Path, suffixes: frozenset[str], whole: bool) -> Found:
    files = [p for p in _children(path) if p.is_file() and p.suffix.lower() in suffixes]
    found = [(p, split) for p in files if (split := split_name(p.stem))]
    if not found:
        names = [p.name for p in _children(path)]
        raise InvalidInput(
            f"{path} is a folder without train, validation or test files.",
            hint=f"Name one file of it. {_listing(path, names)}",
        )
    if not whole and "train" not in {split for _, split in found}:
        raise InvalidInput(
            f"{path} has no train file, only {', '.join(p.name for p, _ in found)}.",
            hint="To judge models on these rows and train on none, say `as a test set only`.",
        )
    return [(p, split) for p, split in found]
