"""The pieces of a file that is being brought: which are there, which a slot has, which are missing.

The unfinished file is its own record: a piece is there if its bytes have its hash. So a download
goes on at the same place whatever moment it was cut off, and nothing that was written is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.verify import MANIFEST, BundleFile, Chunk

RANGE_BYTES = 1 << 20
"""Neighbouring pieces are asked for together, up to so many bytes."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where on this device a piece, or a whole file, lies already."""

    path: Path
    start: int
    size: int


class Local:
    """What the slots of this device hold, by hash.

    Args:
        folders: slots; what they say they hold is checked before it is used.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._files: dict[str, Source] = {}
        self._pieces: dict[str, Source] = {}
        for folder in folders:
            for name, file in _told(folder).items():
                path, start = folder / name, 0
                self._files[str(file["sha256"])] = Source(path, 0, int(file["size"]))
                for sha256, size in file.get("chunks", ()):
                    self._pieces[str(sha256)] = Source(path, start, int(size))
                    start += int(size)

    def file(self, file: BundleFile) -> Path | None:
        """A file with the same content, by what its slot says."""
        found = self._files.get(file.sha256)
        return found.path if found and found.size == file.size and found.path.is_file() else None

    def piece(self, chunk: Chunk) -> bytes | None:
        """The bytes of a piece, if a slot really has them."""
        found = self._pieces.get(chunk.sha256)
        if found is None or found.size != chunk.size:
            return None
        try:
            with found.path.open("rb") as handle:
                handle.seek(found.start)
                data = handle.read(found.size)
        except OSError:
            return None
        return data if is_piece(data, chunk) else None


def is_piece(data: bytes, chunk: Chunk) -> bool:
    """True if these are the bytes of the piece."""
    return len(data) == chunk.size and hashlib.sha256(data).hexdigest() == chunk.sha256


def missing(part: Path, chunks: Sequence[Chunk]) -> list[Chunk]:
    """The pieces that the unfinished file does not hold yet."""
    if not part.exists():
        return list(chunks)
    with part.open("rb") as handle:
        return [chunk for chunk in chunks if not is_piece(_read(handle, chunk), chunk)]


def ranges(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Neighbouring pieces together, so that few requests bring many."""
    run: list[Chunk] = []
    for chunk in chunks:
        apart = run and run[-1].start + run[-1].size != chunk.start
        if run and (apart or chunk.start + chunk.size - run[0].start > RANGE_BYTES):
            yield run
            run = []
        run.append(chunk)
    if run:
        yield run


def write_at(handle: int, data: bytes, start: int) -> None:
    """Write all of `data` at a place of an open file."""
    view = memoryview(data)
    while view:
        done = os.pwrite(handle, view, start)
        view, start = view[done:], start + done


def _read(handle: Any, chunk: Chunk) -> bytes:
    handle.seek(chunk.start)
    return handle.read(chunk.size)


def _told(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
