"""An embedding's variant in its own runtime, behind one face: texts in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.training.export import load_tokenizer
from tools.training.optimizing import manifest as manifests
from tools.training.optimizing.runners import Session, each, open_session, open_trained
from tools.training.optimizing.targets import EMBEDDING
from tools.training.similarity.embedder import Embedder
from tools.training.similarity.folder import read_facts, read_size

if TYPE_CHECKING:
    from tools.training.optimizing.runners import Floats
    from tools.training.similarity.embedder import Told
    from tools.training.similarity.finding import Vectors

_AT_ONCE = 16


class VectorVariant:
    """An embedding in one runtime; not safe to use from several threads at once.

    A variant runs in its own; what a training wrote runs in torch, with the weights as they were
    trained, which is what every variant is measured against.

    Attributes:
        tokenizer: turns texts into token ids, cut but not padded.
        size: how many numbers a vector has.

    Args:
        folder: the variant's folder, or a trained embedding's.
        threads: compute threads.

    Raises:
        InvalidInput: if the folder holds no whole embedding.
        OperationFailed: if its runtime cannot load it.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.tokenizer = load_tokenizer(folder, int(read_facts(folder)["max_length"]))
        self.size = read_size(folder)
        if manifests.is_variant(folder):
            told = manifests.read(folder)
            self._session: Session = open_session(folder, told, EMBEDDING, threads)
        else:
            self._session = open_trained(folder, threads)

    def embed(self, texts: Sequence[str]) -> Floats:
        """The unit vectors of texts, in their order; one text at a time."""
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        return each(self._session, rows, self.size)


def embedder_of(folder: Path) -> Embedder:
    """A variant that does not run in torch, with an embedding's methods."""
    variant = VectorVariant(folder)

    class InItsRuntime(Embedder):
        def embed(self, texts: Sequence[str], told: Told | None = None) -> Vectors:
            found = np.zeros((len(texts), variant.size), dtype=np.float32)
            for start in range(0, len(texts), _AT_ONCE):
                chosen = texts[start : start + _AT_ONCE]
                found[start : start + len(chosen)] = variant.embed(chosen)
                if told is not None:
                    told((start + len(chosen)) / len(texts))
            return found

    encoder: Any = None
    return InItsRuntime(encoder, variant.tokenizer)
