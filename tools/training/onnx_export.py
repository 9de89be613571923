"""From torch to ONNX, int8 weights, and how near the two are."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import torch
from torch import nn

from tools.training.batching import pad
from tools.training.modelling import WithEmbedding

if TYPE_CHECKING:
    from tools.training.export import Classifier

OPSET = 17
_BATCH = 16


def write_onnx(classifier: Classifier, out: Path, *, quantise: bool) -> None:
    """Write a classifier's file; it appears whole, by a rename."""
    model = WithEmbedding(classifier.model).eval()
    write_graph(model, ("logits", "embedding"), out, quantise=quantise)


def write_graph(model: nn.Module, outputs: Iterable[str], out: Path, *, quantise: bool) -> None:
    """Write a module as an ONNX file, which appears whole, by a rename.

    Args:
        model: in evaluation mode; takes `input_ids` and `attention_mask`.
        outputs: what its outputs, one row a text, are called.
        out: the file.
        quantise: int8 matrices and embeddings; fp32 otherwise.
    """
    plain = out.with_name(f".{out.name}.{uuid4().hex[:8]}.fp32")
    small = plain.with_suffix(".int8")
    try:
        export_graph(model, plain, {name: {0: "batch"} for name in outputs})
        if quantise:
            quantise_weights(plain, small)
        (small if quantise else plain).replace(out)
    finally:
        plain.unlink(missing_ok=True)
        small.unlink(missing_ok=True)


def export_graph(model: nn.Module, path: Path, outputs: Mapping[str, dict[int, str]]) -> None:
    """Write a module that takes `input_ids` and `attention_mask` as an ONNX file.

    Args:
        model: in evaluation mode.
        path: the file to write.
        outputs: what its outputs are called, with their axes of any length.
    """
    input_ids, mask = pad([[0, 1, 2, 3], [0, 1]])  # any ids; only the graph is recorded
    axes = {0: "batch", 1: "sequence"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (input_ids, mask),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=list(outputs),
            dynamic_axes={"input_ids": axes, "attention_mask": axes, **outputs},
        )


def quantise_weights(source: Path, target: Path) -> None:
    """Write an ONNX file again with int8 matrices and embeddings, one scale a channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it logs advice for every export on the root
    quantize_dynamic(
        str(source),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,  # 7 bits: exact on processors without VNNI too
        op_types_to_quantize=["MatMul", "Gather"],
    )


def compare(classifier: Classifier, onnx: Path, texts: Sequence[str]) -> tuple[float, float]:
    """The largest difference of any logit, and the share of texts labelled alike."""
    if not texts:
        return 0.0, 1.0
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = ort.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    expected = classifier.logits(texts)
    found = np.zeros_like(expected)
    ids = classifier.encode(texts)
    for start in range(0, len(ids), _BATCH):
        input_ids, mask = pad(ids[start : start + _BATCH])
        feed = {"input_ids": input_ids.numpy(), "attention_mask": mask.numpy()}
        found[start : start + _BATCH] = np.asarray(session.run(["logits"], feed)[0])
    alike = expected.argmax(axis=1) == found.argmax(axis=1)
    return float(np.abs(expected - found).max()), float(alike.mean())
