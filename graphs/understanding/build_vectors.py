"""Writes the vectors and the linear head that ship: `python -m graphs.understanding.build_vectors`.

Run it when example sentences or `data/routes.toml` have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphs.understanding.examples import training_sentences
from graphs.understanding.linear_head import FILE as HEAD
from graphs.understanding.linear_head import write_head
from graphs.understanding.link import Linker
from graphs.understanding.router import Encoder
from graphs.understanding.training_rows import Rows
from graphs.understanding.vectors import FILE as VECTORS
from graphs.understanding.vectors import key_of, sentence_vectors

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
    """Write the files anew from the operations' present sentences."""
    from tools.catalog import load_operations
    from tools.kernel.embedding import get_embedder

    sentences = training_sentences(load_operations(), Linker())
    texts = [s.text for s in sentences]
    data = Path(__file__).parent / "data"
    write(texts, get_embedder(), data / VECTORS)
    write_head(Rows.of(sentences, sentence_vectors(texts, get_embedder())), data / HEAD)
    print(f"{len(set(texts))} sentences")


if __name__ == "__main__":
    main()
