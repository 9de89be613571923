"""The tuned encoder as int8 ONNX on one thread: what a router needs to predict, and no torch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.training.modelling import TextClassifier

    Matrix = NDArray[np.float32]

MAX_TOKENS = 128
_BATCH = 16


class OnnxEncoder:
    """Unit vectors of texts. Threads may share it.

    Args:
        model: the ONNX file's content.
        tokenizer: the content of its `tokenizer.json`.
    """

    def __init__(self, model: bytes, tokenizer: str) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read at import: it would report home
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import onnxruntime
        from tokenizers import Tokenizer

        self.model = model
        self.tokenizer = tokenizer
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer: Any = Tokenizer.from_str(tokenizer)
        except Exception as error:  # both libraries raise bare exceptions of their own
            raise InvalidInput(f"The router's encoder cannot be read: {error}.") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def embed_one(self, text: str) -> Matrix:
        """The vector of one text, shape (1, size); depends on that text alone."""
        return self._forward([self._tokenizer.encode(text).ids])

    def embed(self, texts: Sequence[str]) -> Matrix:
        """The vectors of many texts, those of like length together: quicker, and as good.

        The int8 steps are scaled to what is computed together: a vector may differ in its third
        decimal place from what `embed_one` gives.
        """
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        parts: list[Matrix] = []
        for start in range(0, len(order), _BATCH):
            parts.append(self._forward([ids[i] for i in order[start : start + _BATCH]]))
        found = np.vstack(parts)
        vectors = np.empty_like(found)
        vectors[order] = found
        return vectors

    def _forward(self, ids: Sequence[Sequence[int]]) -> Matrix:
        width = max(len(row) for row in ids)
        tokens = np.zeros((len(ids), width), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = row
            mask[index, : len(row)] = 1
        feed = {"input_ids": tokens, "attention_mask": mask}
        means: Matrix = self._session.run(["logits"], feed)[0]
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def export(model: TextClassifier, base: Path, *, quantise: bool = True) -> OnnxEncoder:
    """What makes the vectors, from torch to ONNX with int8 weights, one scale a channel.

    Args:
        model: what to export.
        base: the folder that holds its tokenizer.
        quantise: False for float weights, to measure what the int8 ones cost.
    """
    from tools.training.onnx_export import export_graph, quantise_weights

    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "encoder.onnx", Path(folder) / "small.onnx"
        export_graph(model.eval(), plain, {"logits": {0: "batch"}})
        if quantise:
            quantise_weights(plain, small)
        path = small if quantise else plain
        return OnnxEncoder(path.read_bytes(), (base / "tokenizer.json").read_text("utf-8"))
