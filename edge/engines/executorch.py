"""ExecuTorch: `.pte` programs, as phones run them."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edge.engines.base import Classifier, Floats, Ids, as_outputs
from edge.profiles import Profile

_LEAST_TOKENS = 2
"""Programs are exported for texts of two tokens and more."""


class ExecuTorchClassifier(Classifier):
    """A classifier in ExecuTorch; a program is not thread-safe, and takes one text at a time.

    Args:
        method: the program's `forward`.
        tensor: makes a tensor of an array without a copy.
    """

    def __init__(self, method: Any, tensor: Any) -> None:
        self._method = method
        self._tensor = tensor
        self._lock = threading.Lock()

    def outputs(self, ids: Ids, mask: Ids) -> tuple[Floats, Floats | None]:
        """See `Classifier`."""
        found = [self._one(row, kept) for row, kept in zip(ids, mask, strict=True)]
        return as_outputs([np.stack(rows) for rows in zip(*found, strict=True)])

    def _one(self, ids: Ids, mask: Ids) -> list[Floats]:
        width = max(_LEAST_TOKENS, int(mask.sum()))
        inputs = [np.zeros((1, width), dtype=np.int64) for _ in range(2)]
        for into, row in zip(inputs, (ids, mask), strict=True):
            into[0, : min(width, len(row))] = row[:width]
        with self._lock:
            found = self._method.execute([self._tensor(array) for array in inputs])
            return [np.array(output.numpy()[0], dtype=np.float64) for output in found]


def load(path: Path, profile: Profile) -> ExecuTorchClassifier:
    """Load a `.pte` file; the number of threads is the process's own."""
    runtime: Any = import_module("executorch.runtime")  # compiled, without types
    tensor: Any = import_module("torch").from_numpy
    program = runtime.Runtime.get().load_program(path)
    return ExecuTorchClassifier(program.load_method("forward"), tensor)
