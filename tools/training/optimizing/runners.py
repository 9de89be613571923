"""A variant in its own runtime, behind one face: texts in, logits out.

`open_variant` reads the folder's manifest and imports nothing but the runtime that it names, so
that what is measured in a process is that runtime and the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tools.kernel.errors import InvalidInput, OperationFailed
from tools.training.optimizing import manifest as manifests

if TYPE_CHECKING:
    import numpy.typing as npt

    from tools.training.export import Classifier
    from tools.training.optimizing.sources import Network

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]


class Session(Protocol):
    """A model that a runtime has loaded."""

    def run(self, input_ids: Ints, mask: Ints) -> Any:
        """The first output of a batch: logits, batch × labels, or vectors, batch × dimensions."""
        ...


def open_session(folder: Path, told: manifests.Manifest, kind: str, threads: int) -> Session:
    """A variant's model in its own runtime.

    Raises:
        InvalidInput: if it is of another kind, or of a runtime that answers otherwise.
        OperationFailed: if its runtime cannot load it.
    """
    opener = _OPENERS.get(told.runtime)
    if opener is None or told.kind != kind:
        raise InvalidInput(f"{told.variant} is no {kind} that runs in {told.runtime}.")
    try:
        return opener(folder, told.entry, threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise OperationFailed(f"{told.runtime} cannot load {told.entry}: {error}") from error


def open_trained(folder: Path, threads: int) -> Session:
    """What a training wrote, in torch, with the weights as they were trained."""
    return _Torch(folder, "", threads)


def each(session: Session, rows: Sequence[list[int]], size: int) -> Floats:
    """The first output for every row of token ids, rows × size; one text at a time."""
    found = np.zeros((len(rows), size))
    for place, ids in enumerate(rows):
        row = np.array([ids or [0]], dtype=np.int64)
        mask = np.ones_like(row) if ids else np.zeros_like(row)
        found[place] = np.asarray(session.run(row, mask), dtype=np.float64)[0]
    return found


class Variant:
    """A variant that is loaded; not safe to use from several threads at once.

    Attributes:
        manifest: its `variant.json`.
        labels: the classes, in the order of the outputs.
        max_length: tokens after which a text is cut.
        several: True if a text may have any number of the labels.

    Args:
        folder: the variant's folder.
        threads: compute threads.

    Raises:
        InvalidInput: if the folder is no whole variant.
        OperationFailed: if its runtime cannot load it.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        from tools.training.export import load_tokenizer

        self.manifest = manifests.read(folder)
        self.labels = tuple(self.manifest.labels)
        self.max_length = self.manifest.max_length
        self.several = gives_several(folder)
        self.tokenizer = load_tokenizer(folder, self.max_length)
        self._session = open_session(folder, self.manifest, "classifier", threads)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def logits(self, texts: Sequence[str]) -> Floats:
        """The raw outputs, texts × labels; one text at a time."""
        return each(self._session, self.encode(texts), len(self.labels))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The probability of every label, texts × labels; a row sums to 1 if classes exclude."""
        logits = self.logits(texts)
        if self.several:
            return 1 / (1 + np.exp(-logits))
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable label of each text."""
        return [self.labels[i] for i in self.logits(texts).argmax(axis=1)]


def gives_several(folder: Path) -> bool:
    """True if the classifier in a folder gives any number of labels to a text."""
    from tools.training.export import read_facts

    has_facts = (folder / "classifier.json").is_file()
    return has_facts and read_facts(folder).get("task") == "multilabel"


def open_variant(folder: Path, threads: int = 1) -> Variant:
    """The variant in a folder, loaded in its own runtime; see `Variant`."""
    return Variant(folder, threads)


class _Onnx:
    def __init__(self, folder: Path, entry: str, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(folder / entry), options, providers=["CPUExecutionProvider"]
        )
        self._first: str = self._session.get_outputs()[0].name

    def run(self, input_ids: Ints, mask: Ints) -> Any:
        feed = {"input_ids": input_ids, "attention_mask": mask}
        return self._session.run([self._first], feed)[0]


class _OpenVino:
    def __init__(self, folder: Path, entry: str, threads: int) -> None:
        import openvino as ov

        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        self._compiled: Any = ov.Core().compile_model(str(folder / entry), "CPU", hints)

    def run(self, input_ids: Ints, mask: Ints) -> Any:
        return self._compiled({"input_ids": input_ids, "attention_mask": mask})[0]


class _ExecuTorch:
    _LEAST = 2  # the shortest sequence that the program was exported for

    def __init__(self, folder: Path, entry: str, threads: int) -> None:
        import torch
        from executorch.runtime import Runtime

        torch.set_num_threads(threads)
        self._torch = torch
        program: Any = Runtime.get().load_program(folder / entry)
        self._forward: Any = program.load_method("forward")

    def run(self, input_ids: Ints, mask: Ints) -> Any:
        short = max(0, self._LEAST - input_ids.shape[1])
        pair = [np.pad(a, ((0, 0), (0, short))) for a in (input_ids, mask)]
        return self._forward.execute([self._torch.from_numpy(a) for a in pair])[0].numpy()


class _Torch:
    def __init__(self, folder: Path, entry: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._torch = torch
        self._model = _network(folder)

    def run(self, input_ids: Ints, mask: Ints) -> Any:
        with self._torch.inference_mode():
            pair = [self._torch.from_numpy(a) for a in (input_ids, mask)]
            return self._model(*pair).numpy()


def _network(folder: Path) -> Network:
    """What a training wrote, or a smaller one that was written as such."""
    from tools.training.export import merge
    from tools.training.similarity.embedder import is_embedding

    if not is_embedding(folder):
        return merge(folder)
    from tools.training.similarity.vectors import load_vectors

    return load_vectors(folder)


class Parent(Variant):
    """The parent as the training left it, run in torch: what every variant is measured against."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        from tools.training.export import load_tokenizer, read_facts, read_labels

        if manifests.is_variant(folder) and manifests.read(folder).runtime != "torch":
            super().__init__(folder, threads)
            return
        self.labels = tuple(read_labels(folder))
        self.max_length = read_facts(folder)["max_length"]
        self.several = gives_several(folder)
        self.tokenizer = load_tokenizer(folder, self.max_length)
        self._session = _Torch(folder, "", threads)


def classifier_of(folder: Path) -> Classifier:
    """A variant that does not run in torch, with a classifier's methods."""
    from tools.training.export import Classifier

    variant = open_variant(folder)

    class InItsRuntime(Classifier):
        def logits(self, texts: Sequence[str]) -> Floats:
            return variant.logits(texts)

    model: Any = None
    return InItsRuntime(
        model, variant.tokenizer, variant.labels, variant.max_length, variant.several
    )


def import_runtime(runtime: str) -> None:
    """Import a runtime without a model, so that what a model adds can be told apart."""
    from importlib import import_module

    for module in ("tokenizers", *_MODULES[runtime]):
        import_module(module)


_OPENERS: dict[str, Any] = {
    "onnx": _Onnx,
    "openvino": _OpenVino,
    "executorch": _ExecuTorch,
    "torch": _Torch,
}
_MODULES = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "executorch": ("torch", "executorch.runtime"),
    "torch": ("torch", "peft", "safetensors.torch", "tools.training.modelling"),
    "torch-language": ("torch", "peft", "transformers.models.llama.modeling_llama"),
    "llamacpp": ("xllamacpp",),
}
