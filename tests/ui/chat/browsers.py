"""A real browser on a real gateway: the chat as a person uses it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.ui.homes import ROOT, Home
from ui.client import Client
from ui.home import RunState

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
_SECRET = re.compile(r"Password\s+(\S+)")


class Gateway:
    """`pilothouse serve` on a home of its own.

    Attributes:
        home: its home.
        password: the admin's, as it was printed.
        begun: all that this process has started, for what is told of a failure.
    """

    begun: ClassVar[list[Gateway]] = []

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.password = ""
        self._log = path.parent / f"{path.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> RunState:
        """Where it runs."""
        found = self.home.files.read()
        assert found is not None
        return found

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.state.url

    @property
    def logged(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def client(self) -> Client:
        """The owner's own client."""
        return self.home.client()

    def start(self, port: int = 0, **environment: str) -> None:
        """Start it, and wait until it takes requests."""
        command = [sys.executable, "-m", "ui.cli", "serve", "--port", str(port)]
        self.begun.append(self)
        self.home.files.prepare()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**self.home.environment, **environment},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 120
        while not self._ready():
            assert self._process.poll() is None, self.logged
            assert time.monotonic() < deadline, self.logged
            time.sleep(0.1)
        shown = _SECRET.search(self.logged)
        assert shown is not None
        self.password = shown[1]

    def kill(self) -> int:
        """`kill -9`; returns the port, for the next start."""
        port = self.state.port
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return port

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def _ready(self) -> bool:
        state = self.home.files.read()
        if state is None or self._process is None or state.pid != self._process.pid:
            return False
        return _SECRET.search(self.logged) is not None

    def user(self, name: str, role: str) -> str:
        """Add a user; returns the password."""
        asked = self.home.json("users", "add", name, "--role", role, code=3)
        approval = asked["approval"]["id"]
        told = self.home.json("approvals", "grant", approval, "--confirm", name)
        return str(told["result"]["password"])


class Chat:
    """One tab of a browser.

    Attributes:
        page: Playwright's page.
        requested: every address that the page asked for.
        complaints: errors in the browser's console, such as of the security policy.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda r: self.requested.append(r.url))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type == "error" else None
        )

    def sign_in(self, name: str, password: str, path: str = "/chat/") -> None:
        """Go to a page, and sign in on the way."""
        self.page.goto(path)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name=re.compile("sign in", re.I)).click()

    def ready(self) -> Chat:
        """Wait until something can be said: the page is there, and connected."""
        expect(self.page.locator("#upload-button")).to_be_visible(timeout=PATIENCE_MS)
        return self

    def say(self, text: str) -> None:
        """Say something as soon as it can be said."""
        expect(self.page.locator("#upload-button")).to_be_visible(timeout=PATIENCE_MS)
        self.page.locator("#chat-input").fill(text)
        expect(self.page.locator("#chat-submit")).to_be_enabled(timeout=PATIENCE_MS)
        self.page.locator("#chat-input").press("Enter")

    def sees(self, text: str | re.Pattern[str]) -> Locator:
        """Wait until a text is shown; returns where."""
        found = self.page.get_by_text(text).last
        expect(found).to_be_visible(timeout=PATIENCE_MS)
        return found

    def press(self, name: str) -> None:
        """Press the last button of that name, as soon as it can be pressed."""
        button = self.page.get_by_role("button", name=name).last
        expect(button).to_be_enabled(timeout=PATIENCE_MS)
        button.click()

    def attach(self, *files: Path) -> None:
        """Drop files into the conversation."""
        expect(self.page.locator("#upload-button")).to_be_visible(timeout=PATIENCE_MS)
        self.page.locator("input[type=file]").first.set_input_files(list(files))
        for file in files:
            expect(self.page.get_by_text(file.name).first).to_be_visible(timeout=PATIENCE_MS)

    @property
    def thread(self) -> str:
        """The conversation's id, from the address bar."""
        expect(self.page).to_have_url(re.compile("/chat/thread/"), timeout=PATIENCE_MS)
        return self.page.url.rpartition("/")[2]


@contextmanager
def tab(browser: Browser, gateway: Gateway, **options: Any) -> Iterator[Chat]:
    """A fresh browser without a past, on the gateway."""
    context = browser.new_context(base_url=gateway.url, **options)
    try:
        yield Chat(context)
    finally:
        context.close()
