"""A running platform, and the commands as real processes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ui.homes import Home, spawn
from ui.launch import wait_ready


@pytest.fixture(scope="module")
def scripted(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose platform runs with a scripted assistant; shared by a module's tests."""
    path = tmp_path_factory.mktemp("scripted") / "home"
    shutil.copytree(template_home, path)
    home = Home(path)
    process = spawn(home, sys.executable, "-m", "tests.ui.scripted")
    try:
        wait_ready(home.files, process)
        yield home
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture
def empty(home: Path) -> Iterator[Home]:
    """A home without a platform; whatever a test starts on it is stopped."""
    found = Home(home)
    yield found
    found.stop()


@pytest.fixture
def added(scripted: Home) -> Callable[[str, str], str]:
    """Add a user with a role through the gate; returns the token."""

    def add(name: str, role: str) -> str:
        asked = scripted.json("users", "add", name, "--role", role, code=3)
        approval = asked["approval"]["id"]
        told = scripted.json("approvals", "grant", approval, "--confirm", name)
        return told["result"]["token"]

    return add
