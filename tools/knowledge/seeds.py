"""The documents that come with the platform, and their vectors, made beforehand.

Making the vectors takes seconds, and the texts never change between releases: so they are shipped,
each under the hash of the text that it was made from. A text without its vector there is embedded
like any other. `python -m tools.knowledge.seeds` makes the file anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.embedding import get_embedder
from tools.knowledge.library import document_passages
from tools.knowledge.reading import read

if TYPE_CHECKING:
    from tools.kernel.embedding import Vectors

BUNDLED = Path(__file__).parent / "bundled"
VECTORS = BUNDLED / "vectors.npz"


@lru_cache(maxsize=1)
def bundled_files() -> tuple[Path, ...]:
    """The built-in documents."""
    return tuple(sorted(BUNDLED.glob("*.md")))


def embed(texts: Sequence[str]) -> Vectors:
    """The vectors of `texts`: shipped ones where there are, made now otherwise."""
    import numpy as np

    keys = [_key(text) for text in texts]
    shipped = _shipped()
    missing = [n for n, key in enumerate(keys) if key not in shipped]
    vectors = np.zeros((len(texts), 384), dtype=np.float32)
    for number, key in enumerate(keys):
        if key in shipped:
            vectors[number] = shipped[key]
    if missing:
        vectors[missing] = get_embedder().embed([texts[n] for n in missing], 256)
    return vectors


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Vectors]:
    import numpy as np

    if not VECTORS.exists():
        return {}
    with np.load(VECTORS, allow_pickle=False) as archive:
        rows = archive["vectors"].astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return dict(zip(archive["keys"].tolist(), rows, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def make() -> int:
    """Write the file of vectors; returns how many it holds."""
    import numpy as np

    texts = [
        passage.embedded
        for path in bundled_files()
        for passage in document_passages("", path.name, read(path))
    ]
    vectors = get_embedder().embed(texts, 256).astype(np.float16)
    np.savez_compressed(VECTORS, keys=np.array([_key(t) for t in texts]), vectors=vectors)
    return len(texts)


if __name__ == "__main__":
    print(f"{make()} vectors in {VECTORS.name}")
