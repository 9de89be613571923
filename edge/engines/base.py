"""What every runtime offers, and how one is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import Refused

if TYPE_CHECKING:
    from edge.profiles import Profile
    from edge.verify import Manifest

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
_MODULES = {
    "onnx": ("edge.engines.onnx", ".onnx"),
    "openvino": ("edge.engines.openvino", ".xml"),
    "executorch": ("edge.engines.executorch", ".pte"),
    "llamacpp": ("edge.engines.llamacpp", ".gguf"),
}


class Classifier(ABC):
    """Runs a text classifier; safe to use from several threads."""

    @abstractmethod
    def outputs(self, ids: Ids, mask: Ids) -> tuple[Floats, Floats | None]:
        """The logits, texts × labels, and the texts' embeddings where the file gives them, texts ×
        dimensions.

        Args:
            ids: token ids, texts × tokens, padded with 0.
            mask: 1 where there is a token, of the same shape.
        """


def as_outputs(found: Sequence[Any]) -> tuple[Floats, Floats | None]:
    """A runtime's arrays, in the order of the file, as `Classifier.outputs` answers."""
    arrays = [np.array(array, dtype=np.float64) for array in found]
    return arrays[0], arrays[1] if len(arrays) > 1 else None


class Chat(ABC):
    """Runs a language model; safe to use from several threads."""

    @abstractmethod
    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one request of OpenAI's chat completions API, as that API does.

        Args:
            body: `messages`, and options such as `max_tokens` and `temperature`.
        """


def open_engine(folder: Path, manifest: Manifest, profile: Profile) -> Classifier | Chat:
    """Load a bundle's model with the runtime that its manifest names.

    Raises:
        Refused: the runtime is not on this device, or there is no file for it.
    """
    module, suffix = _MODULES[manifest.runtime]
    entry = next((n for n in sorted(manifest.files) if n.endswith(suffix)), None)
    if entry is None:
        raise Refused(f"the bundle has no {suffix} file for {manifest.runtime}")
    try:
        engine = import_module(module)
        return engine.load(folder / entry, profile)
    except ImportError as error:
        raise Refused(f"this device has no {manifest.runtime}: {error}") from error
