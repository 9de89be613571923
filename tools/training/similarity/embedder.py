"""A trained embedding as it was trained: its weights, mean over the tokens, vectors of length 1.

`SentenceEncoder` of `folder` computes with the int8 file that takes the bundled encoder's place;
this one with the weights in full precision, so that what is measured is what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.training.optimizing import manifest as manifests
from tools.training.similarity.finding import Found, Search, find
from tools.training.similarity.folder import FACTS, read_facts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from tools.training.encoder import Encoder
    from tools.training.similarity.finding import Vectors

Embed = Callable[[Sequence[str]], "Vectors"]
Told = Callable[[float], None]
_BATCH = 32


class Embedder:
    """Turns texts into vectors of length 1; not safe to use from several threads at once.

    Args:
        encoder: its weights, low-rank matrices added in.
        tokenizer: set to cut at the longest text.
    """

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer

    def embed(self, texts: Sequence[str], told: Told | None = None) -> Vectors:
        """The vectors of texts, in their order.

        Args:
            texts: any texts.
            told: is called with the share that is done.
        """
        import torch

        from tools.training.batching import even_batches, pad
        from tools.training.encoder import mean_pool

        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        found = torch.zeros(len(ids), self._encoder.embeddings.word_embeddings.embedding_dim)
        batches = even_batches([len(row) for row in ids], _BATCH)
        with torch.inference_mode():
            for number, batch in enumerate(batches, 1):
                input_ids, mask = pad([ids[i] for i in batch])
                pooled = mean_pool(self._encoder(input_ids, mask), mask)
                found[batch] = torch.nn.functional.normalize(pooled, dim=1)
                if told is not None:
                    told(number / len(batches))
        return found.numpy()


def is_embedding(folder: Path) -> bool:
    """Whether a model's folder holds a trained embedding."""
    return (folder / FACTS).is_file()


def load_embedder(folder: Path) -> Embedder:
    """The embedding in a folder as its training made it: pooling, length of vectors, longest text.

    A variant that was made for another runtime computes in that.

    Raises:
        InvalidInput: if the folder is no trained embedding.
    """
    from tools.training.encoder import load_encoder
    from tools.training.export import load_tokenizer

    if manifests.is_variant(folder) and manifests.read(folder).runtime != "torch":
        from tools.training.optimizing.vector_runners import embedder_of

        return embedder_of(folder)
    longest = int(read_facts(folder)["max_length"])
    return Embedder(load_encoder(folder), load_tokenizer(folder, longest))


def untrained_embedder(base_model: str, max_length: int) -> Embedder:
    """The encoder as it is before the first training step.

    Args:
        base_model: the base model's name or folder.
        max_length: tokens after which a text is cut.
    """
    from tools.training.base_models import folder as base_folder
    from tools.training.encoder import load_encoder
    from tools.training.export import load_tokenizer

    base = base_folder(base_model)
    return Embedder(load_encoder(base), load_tokenizer(base, max_length))


def found_by(embed: Embed, search: Search) -> Found:
    """What a model's vectors find; a text that is query and candidate is embedded once.

    Args:
        embed: turns texts into vectors of length 1, such as `Embedder.embed`.
        search: what is searched for what.
    """
    texts = list(dict.fromkeys([*search.queries, *search.candidates]))
    places = {text: place for place, text in enumerate(texts)}
    vectors = embed(texts)
    queries = vectors[np.array([places[text] for text in search.queries])]
    return find(search, queries, vectors[np.array([places[text] for text in search.candidates])])
