"""Cutting files where their content says, so that two versions share what they have in common.

A rolling sum over the last 32 bytes (gear hash, as in FastCDC, Xia et al. 2016) decides where a
chunk ends: bytes that are put in or taken out move the cuts near them and no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_CHUNKS = 1024
"""About so many a file, so that a manifest stays small; chunks of big files are longer."""
_LEAST_BITS = 16
_WINDOW = 32
_BLOCK = 1 << 22
_GEAR = np.frombuffer(
    b"".join(hashlib.sha256(bytes([i])).digest()[:4] for i in range(256)), dtype=np.uint32
)


def chunks_of(path: Path) -> list[tuple[str, int]]:
    """SHA-256 and length of every chunk of a file, in order; empty for an empty file.

    Chunks have 64 KB on average (more in files above 64 MB), at least a quarter of that and at most
    four times as much.
    """
    size = path.stat().st_size
    bits = max(_LEAST_BITS, (max(size, 1) // MOST_CHUNKS).bit_length())
    found: list[tuple[str, int]] = []
    with path.open("rb") as handle:
        for length in _lengths(_candidates(path, bits), size, 1 << bits):
            found.append((hashlib.sha256(handle.read(length)).hexdigest(), length))
    return found


def _candidates(path: Path, bits: int) -> Iterator[int]:
    """Places where a chunk may end: there the rolling sum has so many zero bits in front."""
    mask = np.uint32(((1 << bits) - 1) << (32 - bits))
    tail = b""
    start = 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            sums = _rolling(np.frombuffer(tail + block, dtype=np.uint8))[len(tail) :]
            for place in np.flatnonzero((sums & mask) == 0):
                yield start + int(place) + 1
            start += len(block)
            tail = (tail + block)[-_WINDOW:]


def _rolling(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """The gear hash at every byte: doubling the window five times makes it 32 bytes long."""
    sums = _GEAR[data]
    width = 1
    while width < _WINDOW:
        shifted = np.zeros_like(sums)
        shifted[width:] = sums[:-width] << np.uint32(width)
        sums = sums + shifted
        width *= 2
    return sums


def _lengths(candidates: Iterator[int], size: int, average: int) -> Iterator[int]:
    least, most = average // 4, average * 4
    start = 0
    for place in candidates:
        while place - start > most:
            yield most
            start += most
        if place - start >= least:
            yield place - start
            start = place
    while size - start > most:
        yield most
        start += most
    if size > start:
        yield size - start
