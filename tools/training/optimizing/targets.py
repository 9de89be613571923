"""What a model can be turned into: one entry a target, the work in one module each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tools.training.export import Classifier
    from tools.training.objectives import Objective
    from tools.training.objectives import Target as Truth

CALIBRATION_TEXTS = 128
LANGUAGE = "language-model"
_HERE = "tools.training.optimizing"


@dataclass(frozen=True, slots=True)
class Source:
    """What a classifier's variant is made from.

    Attributes:
        classifier: the parent, loaded in torch.
        folder: its files.
        texts: calibration texts, of the split that it was trained on.
        rows: the training split as (text, label), for what learns again; a list of labels where a
            text may have several.
        report: receives the share done of this variant, 0 to 1, and a line.
        options: settings of single targets.
    """

    classifier: Classifier
    folder: Path
    texts: Sequence[str]
    rows: Sequence[tuple[str, str | list[str]]] = ()
    report: Callable[[float, str], None] = lambda _share, _line: None
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def learnable(self) -> list[tuple[str, Truth]]:
        """The training texts with the places of their labels, those with unknown ones left out."""
        places = {label: place for place, label in enumerate(self.classifier.labels)}
        found: list[tuple[str, Truth]] = []
        for text, told in self.rows:
            if isinstance(told, str):
                if told in places:
                    found.append((text, places[told]))
            elif places.keys() >= {*told}:
                found.append((text, [places[label] for label in told]))
        return found

    def objective(self) -> Objective:
        """What the parent was trained for, without smoothing."""
        from tools.training.objectives import objective

        several = self.classifier.multilabel
        return objective(len(self.classifier.labels), 0.0, several=several)

    def batches(self, size: int = 1) -> Iterator[dict[str, Any]]:
        """The calibration texts as the exported graph takes them."""
        ids = [row for row in self.classifier.encode(self.texts) if row]
        for start in range(0, len(ids), size):
            chosen = ids[start : start + size]
            longest = max(len(row) for row in chosen)
            input_ids = np.zeros((len(chosen), longest), dtype=np.int64)
            mask = np.zeros_like(input_ids)
            for place, row in enumerate(chosen):
                input_ids[place, : len(row)] = row
                mask[place, : len(row)] = 1
            yield {"input_ids": input_ids, "attention_mask": mask}


@dataclass(frozen=True, slots=True)
class LanguageSource:
    """What a language model's variant is made from.

    Attributes:
        folder: the trained model's files.
        report: receives the share done of this variant, 0 to 1, and a line.
    """

    folder: Path
    report: Callable[[float, str], None] = lambda _share, _line: None


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a model can be turned into.

    Attributes:
        name: as people and `variant.json` name it.
        runtime: what runs it.
        entry: the file that the runtime opens.
        module: the module of this package that makes it.
        maker: the function in it: `(source, folder) -> None`.
        kind: `classifier` or `language-model`.
        batch: the first dimension of its inputs.
        relative: how long making it takes, beside the others.
    """

    name: str
    runtime: str
    entry: str
    module: str
    maker: str
    kind: str = "classifier"
    batch: str | int = "batch"
    relative: float = 1.0

    def make(self, source: Source | LanguageSource, out: Path) -> None:
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
            Target(name, "llamacpp", "model.gguf", "gguf_files", maker, LANGUAGE, relative=4)
            for name, maker in (("gguf-q8", "q8"), ("gguf-q4", "q4"), ("gguf-lora", "apart"))
        ),
    )
}
