"""The power goes at every single file operation of an update: a working model is always left."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.wire import Desired
from tests.edge.bundle import Shelf, TestDevice


class PowerCut(BaseException):
    """Nothing that the program does after this happens."""


class Fuse:
    """Lets so many file operations pass, then cuts the power for good."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        for owner, name in (
            (os, "replace"),
            (os, "fsync"),
            (pathlib.Path, "replace"),
            (pathlib.Path, "mkdir"),
            (pathlib.Path, "write_bytes"),
            (pathlib.Path, "unlink"),
            (shutil, "rmtree"),
        ):
            patch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def set(self, operations: int | None) -> None:
        """Cut after so many operations; None mends it."""
        self._left = operations

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self._left is not None:
                if self._left == 0:
                    raise PowerCut
                self._left -= 1
            return function(*args, **kwargs)

        return guarded


def test_a_power_cut_at_any_file_operation_leaves_a_working_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shelf").mkdir()
    shelf = Shelf(tmp_path / "shelf")
    models = [shelf.add(n, shift=n - 1) for n in (1, 2, 3)]
    before = tmp_path / "before"
    made = TestDevice(before, shelf)
    for generation in (1, 2):
        made.updater.apply(Desired(generation, (models[generation - 1],)), lambda: None)
    fuse = Fuse(monkeypatch)
    cuts = 0
    while True:
        home = tmp_path / f"cut-{cuts}"
        shutil.copytree(before, home)
        device = TestDevice(home, shelf)
        assert device.updater.restore() is None
        fuse.set(cuts)
        try:
            device.updater.apply(Desired(3, (models[2],)), lambda: None)
        except PowerCut:
            whole = False
        else:
            whole = True
        fuse.set(None)

        again = TestDevice(home, shelf)
        assert again.updater.restore() is None
        assert again.label() in {("shipping", 2), ("billing", 3)}
        again.updater.apply(Desired(3, (models[2],)), lambda: None)
        assert again.label() == ("billing", 3)
        if whole:
            break
        cuts += 1
    assert cuts >= 10
