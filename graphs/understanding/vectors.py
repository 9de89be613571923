"""Vectors of the training sentences, shipped so that starting up costs little.

`python -m graphs.understanding.build_vectors` writes them anew. A sentence that is not among
them is embedded when the router is made: a stale file costs time, never correctness.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphs.understanding.router import Encoder

FILE = "vectors.npz"


def sentence_vectors(texts: Sequence[str], encoder: Encoder) -> NDArray[np.float32]:
    """The unit vectors of texts: those that ship, and the encoder's own for all others."""
    known = _shipped()
    keys = [key_of(text) for text in texts]
    missing = [i for i, key in enumerate(keys) if key not in known]
    vectors = np.zeros((len(texts), 384), dtype=np.float32)
    for index, key in enumerate(keys):
        if key in known:
            vectors[index] = known[key]
    if missing:
        vectors[missing] = encoder.embed([texts[i] for i in missing])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, 1e-9)


def covered(texts: Sequence[str]) -> float:
    """The share of texts whose vectors ship."""
    known = _shipped()
    return sum(key_of(text) in known for text in texts) / max(len(texts), 1)


@lru_cache(maxsize=1)
def _shipped() -> dict[int, NDArray[np.float32]]:
    file = files("graphs.understanding") / "data" / FILE
    if not file.is_file():
        return {}
    with np.load(io.BytesIO(file.read_bytes())) as content:
        rows = content["vectors"].astype(np.float32) * content["scales"][:, None]
        return dict(zip((int(k) for k in content["keys"]), rows, strict=True))


def key_of(text: str) -> int:
    """The number under which a text's vector is kept."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
