"""ONNX: fp32, int8 weights (dynamic), int8 weights and activations (static, calibrated).

The static variant is in ONNX's QDQ form: activations get their ranges from the calibration texts,
so that no range is computed while it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.training.onnx_export import write_graph

if TYPE_CHECKING:
    from onnxruntime.quantization import CalibrationDataReader

    from tools.training.optimizing.sources import Exportable

NAME = "model.onnx"
_CALIBRATED = ("MatMul", "Gather")


def fp32(source: Exportable, out: Path) -> None:
    """The graph as it was trained."""
    write_graph(source.graph(), source.outputs(), out / NAME, quantise=False)


def dynamic_int8(source: Exportable, out: Path) -> None:
    """Weights in int8, one scale a channel; activations get theirs while it runs."""
    write_graph(source.graph(), source.outputs(), out / NAME, quantise=True)


def static_int8(source: Exportable, out: Path) -> None:
    """Weights and activations of the matrix products in int8, ranges from calibration texts."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(logging.ERROR)  # it logs advice on the root
    plain = out / f".{uuid4().hex[:8]}.onnx"
    prepared = plain.with_suffix(".prepared.onnx")
    try:
        write_graph(source.graph(), source.outputs(), plain, quantise=False)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out / NAME),
            _reader(source.batches()),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_CALIBRATED],
            per_channel=True,
            reduce_range=True,  # 7 bits: exact on processors without VNNI too
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True, "DedicatedQDQPair": False},
        )
    finally:
        plain.unlink(missing_ok=True)
        prepared.unlink(missing_ok=True)


def _reader(batches: Iterator[dict[str, Any]]) -> CalibrationDataReader:
    from onnxruntime.quantization import CalibrationDataReader

    class Texts(CalibrationDataReader):
        def get_next(self) -> Any:
            return next(batches, None)

    return Texts()
