"""The sentence encoder: MiniLM in int8 ONNX on one thread, for queries and passages.

Owns the process's only encoder session. Which vectors are kept, and where, belongs to the callers.
Nothing heavy is imported until the first text is embedded.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tools.kernel.assets import asset_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MaxLength = Literal[128, 256]
"""Tokens a text is cut to: 128 for sentences and commands, 256 for passages."""

DIMENSIONS = 384
_BATCH = 32
_ONE_CACHE = 2048


class Embedder:
    """Turns texts into unit vectors of 384 numbers, so that a dot product is their cosine.

    Thread-safe. The vector of a text does not depend on the texts that are embedded with it.

    Args:
        folder: the `minilm-int8` asset; found by itself when not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._session: Any = None
        self._tokenizers: dict[int, Any] = {}
        self._ones: OrderedDict[tuple[str, int], Vectors] = OrderedDict()

    def embed(self, texts: Sequence[str], max_length: MaxLength = 256) -> Vectors:
        """The unit vectors of `texts`, in their order, as float32 of shape (n, 384).

        Mean over the tokens of the attention mask, then L2-normalised.

        Raises:
            AssetMissing: the encoder has not been fetched on this machine.
        """
        import numpy as np

        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        if not texts:
            return vectors
        session, tokenizer = self._load(max_length)
        ids: list[list[int]] = [tokenizer.encode(text).ids for text in texts]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = _forward(session, [ids[index] for index in batch])
        return vectors

    def embed_one(self, text: str, max_length: MaxLength = 128) -> Vectors:
        """The unit vector of one text, shape (384,); remembered and read-only."""
        key = (text, max_length)
        with self._lock:
            if (known := self._ones.get(key)) is not None:
                self._ones.move_to_end(key)
                return known
        vector = self.embed([text], max_length)[0]
        vector.flags.writeable = False
        with self._lock:
            self._ones[key] = vector
            while len(self._ones) > _ONE_CACHE:
                self._ones.popitem(last=False)
        return vector

    def warm_up(self) -> None:
        """Load the encoder now, so that the first request does not wait for it."""
        self.embed(["warm up"], 128)

    def words(self) -> frozenset[str]:
        """The English words that the encoder takes in whole, in small letters; 5 letters at least.

        Raises:
            AssetMissing: the encoder has not been fetched on this machine.
        """
        with self._lock:
            vocabulary = self._tokenizer(128).get_vocab()
        return frozenset(w for w in vocabulary if len(w) > 4 and w.isascii() and w.isalpha())

    def _load(self, max_length: int) -> tuple[Any, Any]:
        with self._lock:
            if self._session is not None and max_length in self._tokenizers:
                return self._session, self._tokenizers[max_length]
            if self._session is None:
                folder = self._folder or asset_path("minilm-int8")
                self._session = _open_session(folder / "model.onnx")
            return self._session, self._tokenizer(max_length)

    def _tokenizer(self, max_length: int) -> Any:
        """The tokenizer that cuts at a length; the lock is held."""
        if max_length not in self._tokenizers:
            folder = self._folder or asset_path("minilm-int8")
            self._tokenizers[max_length] = _open_tokenizer(folder / "tokenizer.json", max_length)
        return self._tokenizers[max_length]


_shared: Embedder | None = None
_shared_lock = threading.Lock()


def get_embedder() -> Embedder:
    """The process's own encoder; one session however many callers there are."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Embedder()
        return _shared


def _open_session(model: Path) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import: it would report home
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _open_tokenizer(file: Path, max_length: int) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(file))
    tokenizer.no_padding()  # the file pads every text to 128
    tokenizer.enable_truncation(max_length)
    return tokenizer


def _forward(session: Any, ids: list[list[int]]) -> Vectors:
    import numpy as np

    width = max(len(row) for row in ids)
    tokens = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for index, row in enumerate(ids):
        tokens[index, : len(row)] = row
        mask[index, : len(row)] = 1
    inputs = {
        "input_ids": tokens,
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(tokens),
    }
    hidden: NDArray[np.float32] = session.run(["last_hidden_state"], inputs)[0]
    weights = mask[:, :, None].astype(np.float32)
    means = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    norms = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return (means / norms).astype(np.float32)
