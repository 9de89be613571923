"""A browser, and a gateway for each module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.ui.chat.browsers import CHROMIUM, FLAGS, Chat, Gateway, tab

TOLD_OF_A_LOG = 8_000  # characters


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure tells what the gateways logged, beside what the browser showed."""
    report = yield
    if report.failed:
        for gateway in Gateway.begun:
            told = gateway.logged[-TOLD_OF_A_LOG:]
            report.sections.append((f"log of {gateway.home.path.name}", told))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser where there is none, save in CI."""
    if CHROMIUM.exists() or os.environ.get("CI") == "true":
        return
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window.

    Of one module only: while it is open, its event loop runs in this thread, where other modules'
    tests need none to run.
    """
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def gateway(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on a fresh home, shared by a module's tests."""
    path = tmp_path_factory.mktemp("chat") / "home"
    shutil.copytree(template_home, path)
    started = Gateway(path)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def chat(browser: Browser, gateway: Gateway) -> Iterator[Chat]:
    """A new conversation of the admin."""
    with tab(browser, gateway) as opened:
        opened.sign_in("admin", gateway.password)
        yield opened.ready()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for files to drop."""
    return tmp_path
