"""A trial's process asks its tuning after every epoch whether it should go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.kernel.child import emit

Ask = Callable[[int, float], bool]
"""Receives an epoch and its quality; True ends the training."""
PRUNED = "pruned"
"""Why a training ended that was asked to."""
_ANSWER_SECONDS = 10.0


def asking(spec: Mapping[str, Any]) -> Ask | None:
    """How the training of a spec asks; None if it is no trial.

    Args:
        spec: what the process was told; `answers` is the folder where its tuning answers.
    """
    if "answers" not in spec:
        return None
    folder = Path(spec["answers"])

    def ask(epoch: int, quality: float) -> bool:
        answer = folder / f"epoch-{epoch}"
        answer.unlink(missing_ok=True)
        emit(epoch=epoch, quality=quality)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            if answer.is_file() and (word := answer.read_text()):
                return word == "stop"
            time.sleep(0.02)
        return False

    return ask
