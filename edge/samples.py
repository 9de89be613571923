"""A sample of what was asked, kept on the device if its owner wants one; off by default."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.runtime import Prediction
from edge.wire import Assignment

PRIVACY = ("off", "redacted", "texts")
"""`off` keeps nothing, `redacted` lengths and hashes, `texts` also what was asked."""
_MOST_BYTES = 4 << 20


class Samples:
    """Writes samples into one file that is begun anew when it is 4 MB long; thread-safe.

    They never leave the device.

    Args:
        path: the file, JSON lines, mode 0600.
        privacy: one of `PRIVACY`.
        share: of the requests, 0 to 1.
    """

    def __init__(self, path: Path, privacy: str = "off", share: float = 0.01) -> None:
        self._path = path
        self._privacy = privacy
        self._share = share
        self._lock = threading.Lock()

    def answered(
        self, assignment: Assignment, texts: Sequence[str], found: Sequence[Prediction]
    ) -> None:
        """Keep a request, or not."""
        if self._privacy == "off" or random.random() >= self._share:  # noqa: S311
            return
        lines = [
            json.dumps(self._line(assignment, text, prediction))
            for text, prediction in zip(texts, found, strict=True)
        ]
        with self._lock, contextlib.suppress(OSError):  # a full disk must not cost an answer
            if self._path.exists() and self._path.stat().st_size > _MOST_BYTES:
                self._path.unlink()
            self._path.touch(mode=0o600)
            with self._path.open("a") as out:
                out.write("".join(f"{line}\n" for line in lines))

    def _line(self, assignment: Assignment, text: str, found: Prediction) -> dict[str, Any]:
        line: dict[str, Any] = {
            "at": round(time.time(), 3),
            "model": assignment.model,
            "version": assignment.version,
            "label": found.label,
            "confidence": round(found.confidence, 4),
            "characters": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        return {**line, "text": text} if self._privacy == "texts" else line
