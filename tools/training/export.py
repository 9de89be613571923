"""A trained classifier's folder: loading it for prediction, merging its weights, exporting to ONNX.

The folder, as a training writes it:

    classifier.json    format, base model, method, longest text, where its weights come from
    config.json        sizes of the encoder, and the labels as `id2label`
    labels.json        the labels in the order of the outputs
    head.safetensors   the linear head
    adapter/           the LoRA matrices as peft writes them (method lora)
    model.safetensors  the encoder's weights (method full)
    tokenizer.json, vocab.txt, ...   the tokenizer

`load_classifier`, `untrained_classifier`, `merge`, `export_onnx`, `folder_sha256` are what other
domains use. `python -m tools.training.export spec.json` runs an export as a job's child.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    from tools.training.modelling import TextClassifier

    Floats = npt.NDArray[np.float64]

FORMAT = 1
_BATCH = 32


class Classifier:
    """Predicts labels of texts; not safe to use from several threads at once.

    Attributes:
        labels: the classes, in the order of the outputs.
        max_length: tokens after which a text is cut.
        multilabel: True if a text may have any number of the labels.
        model: the merged torch module: `(input_ids, attention_mask) -> logits`.
        tokenizer: turns texts into token ids, cut but not padded.
    """

    def __init__(
        self,
        model: TextClassifier,
        tokenizer: Tokenizer,
        labels: Sequence[str],
        max_length: int,
        multilabel: bool = False,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        self.max_length = max_length
        self.multilabel = multilabel

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def logits(self, texts: Sequence[str]) -> Floats:
        """The raw outputs, texts × labels."""
        import numpy as np
        import torch

        from tools.training.batching import pad

        ids = self.encode(texts)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        found = np.zeros((len(ids), len(self.labels)))
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                chosen = order[start : start + _BATCH]
                input_ids, mask = pad([ids[i] for i in chosen])
                found[chosen] = self.model(input_ids, mask).double().numpy()
        return found

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The probability of every label, texts × labels; a row sums to 1 if classes exclude."""
        import numpy as np

        logits = self.logits(texts)
        if self.multilabel:
            return 1 / (1 + np.exp(-logits))
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable label of each text."""
        return [self.labels[i] for i in self.logits(texts).argmax(axis=1)]

    def predict_labels(self, texts: Sequence[str]) -> list[list[str]]:
        """The labels of each text: those more probable than not, or its one class."""
        if not self.multilabel:
            return [[label] for label in self.predict(texts)]
        found = self.probabilities(texts) > 0.5
        return [[self.labels[i] for i in row.nonzero()[0]] for row in found]


def load_classifier(folder: Path) -> Classifier:
    """The classifier in a folder, with its adapter merged into the weights.

    Raises:
        InvalidInput: if the folder is no trained classifier, or incomplete.
        Unavailable: if the base model that it rests on has not been fetched.
    """
    from tools.training.optimizing import manifest

    if manifest.is_variant(folder) and manifest.read(folder).runtime != "torch":
        from tools.training.optimizing.runners import classifier_of

        return classifier_of(folder)
    facts = read_facts(folder)
    tokenizer = load_tokenizer(folder, facts["max_length"])
    several = facts.get("task") == "multilabel"
    return Classifier(merge(folder), tokenizer, read_labels(folder), facts["max_length"], several)


def untrained_classifier(
    base_model: str, labels: Sequence[str], parameters: Mapping[str, Any]
) -> Classifier:
    """The model as it is before the first training step: the baseline of every evaluation.

    Args:
        base_model: the base model's name or folder.
        labels: the classes, in the order of the outputs.
        parameters: `TrainingResult.parameters`; `seed` and `max_length` count.
    """
    from tools.training.base_models import folder as base_folder
    from tools.training.encoder import load_encoder
    from tools.training.modelling import TextClassifier, new_head

    base = base_folder(base_model)
    encoder = load_encoder(base)
    head = new_head(encoder, len(labels), int(parameters["seed"]))
    max_length = int(parameters["max_length"])
    model = TextClassifier(encoder, head).eval()
    return Classifier(model, load_tokenizer(base, max_length), labels, max_length)


def merge(folder: Path) -> TextClassifier:
    """The classifier as one torch module: the adapter is added into the encoder's weights.

    Raises:
        InvalidInput: if the folder is no trained classifier, or incomplete.
    """
    from safetensors.torch import load_file

    from tools.training.base_models import folder as base_folder
    from tools.training.encoder import load_encoder
    from tools.training.modelling import TextClassifier, merge_adapter, new_head

    facts = read_facts(folder)
    own = (folder / "model.safetensors").is_file()
    encoder = load_encoder(folder if own else base_folder(facts["base_model"]))
    if (folder / "adapter").is_dir():
        merge_adapter(encoder, folder / "adapter")
    head = new_head(encoder, len(read_labels(folder)), seed=0)
    try:
        head.load_state_dict(load_file(folder / "head.safetensors"))
    except (OSError, RuntimeError) as error:
        raise InvalidInput(f"{folder} has no usable head: {error}.") from None
    return TextClassifier(encoder, head).eval().requires_grad_(False)


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and how near it is to the torch model.

    Attributes:
        path: the file; inputs `input_ids`, `attention_mask` (int64), output `logits`.
        quantised: True for int8 weights.
        size_bytes: its size.
        sha256: its SHA-256.
        max_difference: the largest difference of any logit over the texts compared.
        agreement: share of these texts that both label alike; 1.0 if there were none.
        texts: how many were compared.
    """

    path: Path
    quantised: bool
    size_bytes: int
    sha256: str
    max_difference: float
    agreement: float
    texts: int


def export_onnx(
    folder: Path, out: Path, texts: Sequence[str] = (), *, quantise: bool = True
) -> Exported:
    """Write a classifier as an ONNX file, by default with int8 weights, and compare it.

    Args:
        folder: the trained classifier.
        out: the file to write; its folder is made when missing.
        texts: compared between torch and ONNX.
        quantise: dynamic int8 quantisation of the matrix products, one scale a channel.

    Raises:
        InvalidInput: if the folder is no trained classifier.
    """
    from tools.training.onnx_export import compare, write_onnx

    classifier = load_classifier(folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_onnx(classifier, out, quantise=quantise)
    difference, agreement = compare(classifier, out, texts)
    with out.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = out.stat().st_size
    return Exported(out, quantise, size, sha256, difference, agreement, len(texts))


def read_facts(folder: Path) -> dict[str, Any]:
    """A classifier folder's `classifier.json`.

    Raises:
        InvalidInput: if it is missing, damaged or of a format that is not known.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / "classifier.json").read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{folder} is no trained classifier.") from None
    if facts.get("format") != FORMAT:
        raise InvalidInput(f"{folder} has format {facts.get('format')}, known is {FORMAT}.")
    return facts


def read_labels(folder: Path) -> list[str]:
    """The labels of a classifier's folder, in the order of the outputs."""
    try:
        return json.loads((folder / "labels.json").read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{folder} has no labels.json.") from None


def load_tokenizer(folder: Path, max_length: int) -> Tokenizer:
    """The tokenizer of a model folder, set to cut at `max_length` tokens and not to pad."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise InvalidInput(f"{folder} has no tokenizer.json.")
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _child(spec: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    done = export_onnx(
        Path(spec["folder"]),
        Path(spec["out"]),
        spec.get("texts", []),
        quantise=spec.get("quantise", True),
    )
    return {**asdict(done), "path": str(done.path)}


if __name__ == "__main__":
    from tools.kernel.child import child_main

    child_main(_child)
