"""Which model is being loaded, on disk: a model that takes the whole program down is found out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import DiedLoading
from edge.files import write_atomic

_DEATHS = 2


class Journal:
    """Counts how often the program died while it loaded a model; used by one thread at a time.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def loading(self, bundle: str) -> Iterator[None]:
        """Note that a model is being loaded, for as long as the block takes.

        Raises:
            DiedLoading: the program died twice in this block; the next time it is tried again.
        """
        deaths = self._deaths(bundle)
        if deaths >= _DEATHS:
            self._path.unlink(missing_ok=True)
            raise DiedLoading(f"the program died {deaths} times while it loaded this model")
        with contextlib.suppress(OSError):  # a full disk must not keep the device from serving
            write_atomic(self._path, json.dumps({"bundle": bundle, "deaths": deaths + 1}).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _deaths(self, bundle: str) -> int:
        try:
            noted = json.loads(self._path.read_bytes())
            return int(noted["deaths"]) if noted["bundle"] == bundle else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0
