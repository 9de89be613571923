"""Talking with the assistant from a terminal: a sentence, its turn, and the answers it asks for."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tools.kernel.errors import Cancelled, InvalidInput, PilothouseError
from ui import words
from ui.client import Client
from ui.console import console, note
from ui.errors import problem
from ui.render import Renderer
from ui.turn import Turn

Json = dict[str, Any]
Asker = Callable[[str], str]
YES = re.compile(r"^\s*(y|yes|yep|yeah|ok|okay|sure|go ahead|do it)\s*[.!]*\s*$", re.I)
NO = re.compile(r"^\s*(n|no|nope|nah|stop|don'?t)\s*[.!]*\s*$", re.I)
CONFIRM_TRIES = 3


class Talk:
    """One thread, spoken with through one client.

    Args:
        client: the platform.
        renderer: draws the events; None draws nothing (`--json`).
        ask: asks the person a question and returns the answer; None if nobody can be asked.
        thread: the thread to go on with.
    """

    def __init__(
        self,
        client: Client,
        renderer: Renderer | None,
        ask: Asker | None,
        thread: str | None = None,
    ) -> None:
        self._client = client
        self._renderer = renderer
        self._ask = ask
        self.thread = thread

    def say(self, text: str, *, yes: bool = False) -> Turn:
        """Say a sentence and carry its turn to where it needs nothing more from this person."""
        self.thread = self.thread or os.urandom(5).hex()
        turn = Turn(thread=self.thread)
        turn = self._run(turn, self._client.ask(self._with_files(text), self.thread, yes))
        while self._ask is not None and turn.error is None:
            answer = self._answer(turn, self._ask)
            if answer is None:
                break
            turn = self._run(turn, answer)
        return turn

    def follow(self, events: Iterable[Json]) -> Turn:
        """Draw a turn that somebody else began."""
        return self._run(Turn(), events)

    def _run(self, turn: Turn, events: Iterable[Json]) -> Turn:
        show = self._renderer.show if self._renderer else None
        with _CancelOnInterrupt(self, turn):
            turn.follow(events, show)
        self.thread = turn.thread or self.thread
        if self._renderer is not None:
            self._renderer.close()
            if turn.error is not None:
                self._renderer.problem(turn.error)
        return turn

    def cancel(self, thread: str) -> None:
        """Cancel the thread's turn; says what was and was not done."""
        note("  cancelling …")
        try:
            told = self._client.post(f"/api/v1/conversations/{thread}/cancel")
        except PilothouseError as error:
            note(f"  {error}")
            return
        parts = [("done", "done"), ("not done", "not_done"), ("jobs stopped", "jobs")]
        note("  " + "; ".join(f"{name}: {words.value(told.get(key) or [])}" for name, key in parts))

    def _answer(self, turn: Turn, ask: Asker) -> Iterable[Json] | None:
        """Ask what the turn waits for; None if it waits for nothing that can be asked here."""
        if turn.status == "needs_confirmation":
            return self._confirmed(turn, ask)
        if turn.status == "needs_approval" and turn.approval is not None:
            granted = self.approve(turn.approval, ask)
            approval = turn.approval["id"]
            return self._client.resume(turn.thread, approval=approval) if granted else None
        return None

    def _confirmed(self, turn: Turn, ask: Asker) -> Iterable[Json] | None:
        answer = ask("  yes or no? ")
        if YES.match(answer):
            return self._client.resume(turn.thread, confirmed=True)
        if NO.match(answer) or not answer.strip():
            return self._client.resume(turn.thread, confirmed=False)
        return self._client.ask(self._with_files(answer), turn.thread)

    def _with_files(self, text: str) -> str:
        """The sentence with the files that lie here named so that the platform finds them."""
        if not self._client.is_remote:
            return named_files(text, str)
        return named_files(text, lambda path: self._client.upload(path) if path.is_file() else None)

    def approve(self, approval: Json, ask: Asker) -> bool:
        """Let the person approve an act of their own by typing what it names."""
        if approval.get("second_person"):
            console().print(f"  {approval.get('how', 'a second person must approve it')}")
            return False
        wanted = approval.get("confirm") or approval.get("operation")
        for _ in range(CONFIRM_TRIES):
            typed = ask(f"  type {wanted} to approve, nothing to leave it pending: ").strip()
            if not typed:
                break
            try:
                self._client.post(f"/api/v1/approvals/{approval['id']}/grant", {"confirm": typed})
            except InvalidInput as error:
                console().print(f"  {error.message}", style="red")
            except PilothouseError as error:
                console().print(f"  {error}", style="red")
                return False
            else:
                console().print(f"  granted {approval['id']}, self-approved", style="green")
                return True
        console().print(f"  left pending: pilothouse approvals grant {approval['id']}")
        return False


class _CancelOnInterrupt:
    """Ctrl-C cancels the turn that runs, once; a second one leaves the turn to itself."""

    def __init__(self, talk: Talk, turn: Turn) -> None:
        self._talk = talk
        self._turn = turn
        self._before: Any = None
        self._pressed = False

    def __enter__(self) -> None:
        try:
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        except ValueError:  # not in the main thread: nobody presses keys there
            self._before = None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if kind is KeyboardInterrupt:
            self._turn.status = "cancelled"
            self._turn.error = problem(Cancelled("You stopped listening; the turn goes on."))
            return True
        return False

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self._pressed or not self._turn.thread:
            raise KeyboardInterrupt
        self._pressed = True
        self._talk.cancel(self._turn.thread)


_QUOTED = re.compile(r"(?P<quote>[\"'“])(?P<path>[^\"'”]+)[\"'”]|(?P<bare>[^\s,;:?!()]+)")


def named_files(text: str, renamed: Callable[[Path], str | None]) -> str:
    """The sentence with every file named in it that lies here under another name.

    The platform has a working folder of its own. Only words with a slash or a suffix are taken for
    a file, and only if there is one.

    Args:
        text: the sentence.
        renamed: what the platform knows a file by, given its absolute path; None leaves it.
    """

    def replaced(match: re.Match[str]) -> str:
        given = (match["path"] or match["bare"]).rstrip(".")
        found = local_file(given)
        name = renamed(found) if found else None
        return match[0].replace(given, name) if name else match[0]

    return _QUOTED.sub(replaced, text)


def local_file(given: str) -> Path | None:
    """The file or folder of this name, from here; None if there is none."""
    if "/" not in given and not re.search(r"\.\w{1,8}$", given):
        return None
    try:
        path = Path(given).expanduser()
        return Path(os.path.abspath(path)) if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None
