"""What a model can be turned into: one entry a target, the work in one module each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable, LanguageSource

CALIBRATION_TEXTS = 128
CLASSIFIER = "classifier"
EMBEDDING = "embedding"
LANGUAGE = "language-model"
_ENCODERS = (CLASSIFIER, EMBEDDING)
_HERE = "tools.training.optimizing"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a model can be turned into.

    Attributes:
        name: as people and `variant.json` name it.
        runtime: what runs it.
        entry: the file that the runtime opens.
        module: the module of this package that makes it.
        maker: the function in it: `(source, folder) -> None`.
        kinds: of the models that it can be made of.
        batch: the first dimension of its inputs.
        relative: how long making it takes, beside the others.
    """

    name: str
    runtime: str
    entry: str
    module: str
    maker: str
    kinds: tuple[str, ...] = _ENCODERS
    batch: str | int = "batch"
    relative: float = 1.0

    def make(self, source: Exportable | LanguageSource, out: Path) -> None:
        """Write the variant's own files into a folder."""
        getattr(import_module(f"{_HERE}.{self.module}"), self.maker)(source, out)


TARGETS = {
    target.name: target
    for target in (
        Target("onnx", "onnx", "model.onnx", "onnx_files", "fp32"),
        Target("onnx-int8", "onnx", "model.onnx", "onnx_files", "dynamic_int8"),
        Target("onnx-static-int8", "onnx", "model.onnx", "onnx_files", "static_int8"),
        Target("openvino-int8", "openvino", "model.xml", "openvino_files", "int8", relative=2),
        Target(
            "executorch-int8",
            "executorch",
            "model.pte",
            "executorch_files",
            "int8",
            batch=1,
            relative=3,
        ),
        Target("pruned", "torch", "model.safetensors", "pruning", "pruned", relative=8),
        Target("student", "torch", "model.safetensors", "distilling", "student", relative=8),
        *(
            Target(name, "llamacpp", "model.gguf", "gguf_files", maker, (LANGUAGE,), relative=4)
            for name, maker in (("gguf-q8", "q8"), ("gguf-q4", "q4"), ("gguf-lora", "apart"))
        ),
    )
}
