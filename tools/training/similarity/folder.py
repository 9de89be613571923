"""A trained embedding's folder: writing it, loading it, and its ONNX file.

The folder, as a training writes it:

    embedding.json     format, task (`embedding`), base model, method, longest text, pooling
    config.json        sizes of the encoder
    model.safetensors  the encoder's weights, low-rank matrices added into them
    model.onnx         the same with int8 weights: input_ids, attention_mask -> last_hidden_state,
                       the inputs and outputs of the bundled encoder, so that it can take its place
    tokenizer.json, vocab.txt, ...   the tokenizer
    README.md          the model card, in the hub's format
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from tools.training.encoder import Encoder

    Floats = npt.NDArray[np.float32]

FORMAT = 1
FACTS = "embedding.json"
_BATCH = 32


def read_facts(folder: Path) -> dict[str, Any]:
    """An embedding folder's `embedding.json`.

    Raises:
        InvalidInput: if it is missing or damaged, or vectors are made in a way that is not known.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{folder} is no trained embedding.") from None
    if facts["pooling"] != "mean":
        raise InvalidInput(f"{folder} pools by {facts['pooling']}, known is mean.")
    return facts


def read_size(folder: Path) -> int:
    """How many numbers an embedding's vectors have.

    Raises:
        InvalidInput: if the folder does not say so.
    """
    try:
        return int(json.loads((folder / "config.json").read_text())["hidden_size"])
    except (OSError, ValueError, KeyError):
        raise InvalidInput(f"{folder} has no whole config.json.") from None


class SentenceEncoder:
    """Turns texts into unit vectors by a folder's ONNX file; not safe from several threads at once.

    Args:
        folder: as a training wrote it.

    Raises:
        InvalidInput: if the folder is no trained embedding.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime as ort

        from tools.training.export import load_tokenizer

        self._tokenizer = load_tokenizer(folder, int(read_facts(folder)["max_length"]))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = ort.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: Sequence[str]) -> Floats:
        """The unit vectors of texts, in their order: the mean over the tokens, L2-normalised."""
        import numpy as np

        from tools.training.batching import pad

        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        found: list[Floats] = []
        for start in range(0, len(ids), _BATCH):
            input_ids, mask = (each.numpy() for each in pad(ids[start : start + _BATCH]))
            [hidden] = self._session.run(None, {"input_ids": input_ids, "attention_mask": mask})
            summed = (hidden * mask[:, :, None]).sum(axis=1)
            found.append(summed / np.linalg.norm(summed, axis=1, keepdims=True))
        return np.concatenate(found).astype(np.float32)


def merged_state(encoder: Encoder) -> dict[str, Tensor]:
    """The encoder's weights by their published names, low-rank matrices added into them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    modules = dict(encoder.named_modules())
    for name, module in list(modules.items()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=False)
            outer, _, last = name.rpartition(".")
            setattr(modules[outer], last, module.get_base_layer())
    return {name: value.detach().clone() for name, value in encoder.state_dict().items()}


def write_onnx(encoder: nn.Module, path: Path) -> None:
    """Write an encoder as an ONNX file with int8 weights."""
    from tools.training.onnx_export import export_graph, quantise_weights

    plain = path.with_suffix(".fp32")
    try:
        states = {"last_hidden_state": {0: "batch", 1: "sequence"}}
        export_graph(encoder.eval(), plain, states)
        quantise_weights(plain, path)
    finally:
        plain.unlink(missing_ok=True)
