"""ExecuTorch programs (`.pte`): linear layers in int8 for XNNPACK, the word embeddings in int8.

XNNPACK has kernels for linear layers with int8 weights (one scale a channel) whose activations are
quantised while they run. A table of word embeddings is no such layer, and is half of a small
encoder: it is kept as int8 rows with a scale each, and only the rows that a text needs are scaled
back. The program takes one text at a time, of any length up to the longest.
"""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.training.encoder import Encoder

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable

NAME = "model.pte"
_LEVELS = 127.0


class Int8Embedding(nn.Module):
    """A table of embeddings in int8 rows with one scale each.

    Args:
        table: the float embeddings.
    """

    rows: Tensor
    scales: Tensor

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        weight = table.weight.detach()
        scales = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / _LEVELS
        self.register_buffer("rows", torch.round(weight / scales).to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self, ids: Tensor) -> Tensor:
        """The embeddings of token ids."""
        rows = functional.embedding(ids, self.rows).to(torch.float32)
        return rows * functional.embedding(ids, self.scales)


def int8(source: Exportable, out: Path) -> None:
    """Export, quantise with the calibration texts and lower to XNNPACK."""
    for name in ("torch.ao", "torchao", "executorch", "root"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = _quantised(source)
        program = _lowered(exported)
    (out / NAME).write_bytes(program)


def _quantised(source: Exportable) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    model: Any = copy.deepcopy(source.graph())
    embeddings: Any = next(m for m in model.modules() if isinstance(m, Encoder)).embeddings
    embeddings.word_embeddings = Int8Embedding(embeddings.word_embeddings)
    texts = [tuple(torch.from_numpy(a) for a in batch.values()) for batch in source.batches(1)]
    longest = min(source.max_length, embeddings.position_embeddings.num_embeddings)
    length = torch.export.Dim("sequence", min=2, max=longest)
    shapes = ({1: length}, {1: length})
    example = max(texts, key=lambda pair: pair[0].shape[1])
    captured = torch.export.export(model, example, dynamic_shapes=shapes, strict=False)
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True))
    prepared: Any = prepare_pt2e(captured.module(), quantizer)
    for pair in texts[:8]:
        prepared(*pair)
    converted: Any = convert_pt2e(prepared)
    return torch.export.export(converted, example, dynamic_shapes=shapes, strict=False)


def _lowered(exported: Any) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)
