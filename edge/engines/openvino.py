"""OpenVINO: int8 on the processors of laptops."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edge.engines.base import Classifier, Floats, Ids, as_outputs
from edge.profiles import Profile


class OpenVinoClassifier(Classifier):
    """A classifier in OpenVINO; each thread has an inference request of its own.

    Args:
        compiled: a `CompiledModel`.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._inputs: list[str] = [port.get_any_name() for port in compiled.inputs]
        self._own = threading.local()

    def outputs(self, ids: Ids, mask: Ids) -> tuple[Floats, Floats | None]:
        """See `Classifier`."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found = self._own.request.infer({name: feed[name] for name in self._inputs})
        return as_outputs([found[port] for port in self._compiled.outputs])


def load(path: Path, profile: Profile) -> OpenVinoClassifier:
    """Load an `.xml` file, with its `.bin` beside it, with the profile's threads."""
    openvino: Any = import_module("openvino")  # compiled, partly without types
    settings = {"INFERENCE_NUM_THREADS": profile.threads, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    return OpenVinoClassifier(core.compile_model(core.read_model(str(path)), "CPU", settings))
