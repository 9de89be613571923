"""Tiny ONNX classifiers that answer by keyword, so that a test sees which version answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

LABELS = ("billing", "login", "shipping")
_WORDS = ("[UNK]", "money", "charged", "invoice", "password", "log", "account", "parcel", "screen")
_MEANING = (None, 0, 0, 0, 1, 1, 1, 2, 2)


def write_classifier(
    folder: Path, *, shift: int = 0, padding: int = 0, embedding: bool = True
) -> Path:
    """Write `model.onnx`, `tokenizer.json` and `config.json`.

    Args:
        folder: where; made if it is missing.
        shift: every keyword's label is this many places further on, so that versions differ.
        padding: bytes of unused weights, to make downloads take time.
        embedding: whether the file also gives the texts' embeddings: here twice the logits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = np.zeros((len(_WORDS), len(LABELS)), dtype=np.float32)
    for word, label in enumerate(_MEANING):
        if label is not None:
            table[word, (label + shift) % len(LABELS)] = 4.0
    table[0, shift % len(LABELS)] = 0.05
    onnx.save(_graph(table, padding, embedding), str(folder / "model.onnx"))
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(_WORDS)}, "[UNK]"))
    tokenizer.normalizer = Lowercase()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.save(str(folder / "tokenizer.json"))
    labels = {str(place): label for place, label in enumerate(LABELS)}
    (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    return folder


def _graph(table: np.ndarray, padding: int, embedding: bool) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(table, "table")]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["logits"], keepdims=0),
    ]
    if embedding:
        nodes.append(helper.make_node("Add", ["logits", "logits"], ["embedding"]))
    weights += [
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
    ]
    if padding:
        noise = np.random.default_rng(7).integers(0, 255, padding, dtype=np.uint8)
        weights.append(numpy_helper.from_array(noise, "unused"))
    graph = helper.make_graph(
        nodes,
        "keywords",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(LABELS)])
            for name in ("logits", "embedding")[: 1 + embedding]
        ],
        weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
