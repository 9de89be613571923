"""Writes the vectors that ship: `python -m graphs.understanding.build_vectors`.

Run it when example sentences or `data/routes.toml` have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphs.understanding.examples import training_sentences
from graphs.understanding.link import Linker
from graphs.understanding.router import Encoder
from graphs.understanding.vectors import FILE, key_of

_SCALE = 127.0


def write(texts: Sequence[str], encoder: Encoder, path: Path) -> None:
    """Write the vectors of texts, in eight bits a number."""
    unique = sorted(set(texts))
    vectors = encoder.embed(unique)
    scales = np.abs(vectors).max(axis=1) / _SCALE
    rows = np.round(vectors / scales[:, None]).astype(np.int8)
    keys = np.array([key_of(text) for text in unique], dtype=np.uint64)
    np.savez(path, keys=keys, vectors=rows, scales=scales.astype(np.float32))


def main() -> None:
    """Write the file anew from the operations' present sentences."""
    from tools.catalog import load_operations
    from tools.kernel.embedding import get_embedder

    texts = [s.text for s in training_sentences(load_operations(), Linker())]
    write(texts, get_embedder(), Path(__file__).parent / "data" / FILE)
    print(f"{len(set(texts))} sentences")


if __name__ == "__main__":
    main()
