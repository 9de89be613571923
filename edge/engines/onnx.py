"""ONNX Runtime: the runtime that every device has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.engines.base import Classifier, Floats, Ids, as_outputs
from edge.profiles import Profile


class OnnxClassifier(Classifier):
    """A classifier in ONNX Runtime's CPU provider.

    Args:
        session: an `InferenceSession`, which is thread-safe itself.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs: list[str] = [node.name for node in session.get_inputs()]

    def outputs(self, ids: Ids, mask: Ids) -> tuple[Floats, Floats | None]:
        """See `Classifier`."""
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return as_outputs(self._session.run(None, {name: feed[name] for name in self._inputs}))


def load(path: Path, profile: Profile) -> OnnxClassifier:
    """Load a `.onnx` file with the profile's threads and memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = profile.threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = profile.arena
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return OnnxClassifier(session)
