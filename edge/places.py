"""Where texts lie among others: which of 16 fixed directions their embedding is nearest to.

A model's pooled embedding of a text is put on 16 pseudo-random directions (signs, as in Achlioptas
2003, "Database-friendly random projections"), and the mean of the texts that the model was measured
on is taken away. The largest that remains is the text's place. It depends on the whole embedding,
so that counts of places move when the meaning of inputs moves, and one of 16 numbers tells nothing
of a single text. The directions come from a hash: devices and platform have the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.inputs import PLACES

Floats = NDArray[np.float64]


def projected(embeddings: Floats) -> Floats:
    """Embeddings on the directions, texts × `PLACES`; how long an embedding is does not matter.

    Args:
        embeddings: texts × dimensions.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.maximum(lengths, 1e-12)) @ _directions(embeddings.shape[1]).T


def places(found: Floats, centre: Sequence[float]) -> list[int]:
    """The place of each text, 0 to `PLACES` - 1.

    Args:
        found: as `projected` gives them.
        centre: the mean of what the model was measured on, `PLACES` numbers.
    """
    return (found - np.asarray(centre)).argmax(axis=1).tolist()


@lru_cache(maxsize=4)
def _directions(size: int) -> Floats:
    rows = [
        hashlib.shake_256(f"pilothouse-place-v1:{number}".encode()).digest(-(-size // 8))
        for number in range(PLACES)
    ]
    bits = np.unpackbits(np.frombuffer(b"".join(rows), np.uint8).reshape(PLACES, -1), axis=1)
    return (2.0 * bits[:, :size] - 1.0) / np.sqrt(size)
