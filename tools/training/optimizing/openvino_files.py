"""OpenVINO IR with int8 weights and activations, quantised by NNCF after training."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.training.onnx_export import write_graph

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable

NAME = "model.xml"


def int8(source: Exportable, out: Path) -> None:
    """Quantise with the texts as calibration, fast bias correction, for a transformer.

    Weights take half of the range: on processors without 8-bit dot products (VNNI), which many
    laptops are, sums of the full range are clamped and the answers change.
    """
    import nncf
    import openvino as ov

    logging.getLogger("nncf").setLevel(logging.ERROR)
    plain = out / f".{uuid4().hex[:8]}.onnx"
    try:
        write_graph(source.graph(), source.outputs(), plain, quantise=False)
        model = ov.Core().read_model(str(plain))
        texts = [*source.batches()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small: Any = nncf.quantize(
                model,
                nncf.Dataset(texts),
                model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(texts),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=nncf.OverflowFix.ENABLE
                ),
            )
            ov.save_model(small, str(out / NAME), compress_to_fp16=True)
    finally:
        plain.unlink(missing_ok=True)
