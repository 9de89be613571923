"""`make demo`: from a fresh home to a board report in six sentences, every step checked.

    python -m scripts.demo [--keep]

Everything is real: the platform process, three device processes with traffic all the time, a LoRA
fine-tune, approvals, rollouts. Ends with 0 if every check held, and leaves nothing running.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from scripts.demo.checks import CheckFailed, Checks
from scripts.demo.fleet import GROUP, NAMES, Fleet, Traffic, tickets
from scripts.demo.leftovers import leftovers, put_down
from tools.kernel.errors import NeedsApproval, PilothouseError
from ui.cards import receipts_table
from ui.client import Client, connect
from ui.console import console, note
from ui.conversation import Talk
from ui.home import HomeFiles
from ui.launch import stop
from ui.perform import wait_for
from ui.render import renderer
from ui.turn import Turn

Json = dict[str, Any]
MODEL = "ticket-router"
SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "train a ticket router on the bundled tickets, then evaluate it on the held-out split",
        "trained",
    ),
    ("register it and make it the challenger", "registered"),
    ("roll it out to the thinkpads as a canary", "rolled_out"),
    ("roll it back", "rolled_back"),
    ("what does the runbook say about rolling back a model?", "answered"),
    ("write a one-page summary for the board", "reported"),
)


class Terminated(BaseException):
    """Somebody asked this process to end."""


def main() -> int:
    """Run the demo; returns the exit code."""
    began, keep = time.monotonic(), "--keep" in sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="pilothouse-demo-"))
    os.environ["PILOTHOUSE_HOME"] = str(folder / "home")
    os.environ["PILOTHOUSE_PORT"] = "0"
    os.environ.pop("PILOTHOUSE_TOKEN", None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _terminated)
    fleet, code = Fleet(folder / "devices"), 1
    try:
        converse(fleet, began)
        code = 0
    except (KeyboardInterrupt, Terminated):
        note("\ndemo: interrupted")
        code = 130
    except (CheckFailed, PilothouseError, RuntimeError) as error:
        note(f"\ndemo: FAILED after {time.monotonic() - began:.0f} s: {error}")
        _show_log()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        code = _clean(fleet, folder, keep) or code
    return code


def converse(fleet: Fleet, began: float) -> None:
    """Prepare, say the six sentences in one thread, and show what was proven.

    Raises:
        CheckFailed: at the first thing that is not as it must be.
    """
    screen = console()
    screen.print(
        "preparing: a fresh home, the platform, three devices, a former model", style="bold"
    )
    client = connect()
    _told(f"the platform runs on {client.state.url} ({time.monotonic() - began:.1f} s)")
    fleet.start(client)
    _told(f"{', '.join(NAMES)} are enrolled in {GROUP}")
    traffic = Traffic(fleet, tickets())
    checks = Checks(client, fleet, traffic, _told)
    try:
        version = prepare(client)
        traffic.start()
        checks.prepared(version)
        _told(f"prepared after {time.monotonic() - began:.0f} s; now the conversation")
        thread = _six_sentences(client, checks)
        checks.served()
    finally:
        traffic.stop()
    _told(f"accuracy on the traffic: {_shares(traffic.accuracy())}")
    _epilogue(client, thread)
    screen.print(f"\nall of it in {time.monotonic() - began:.0f} s", style="bold green")


def prepare(client: Client) -> int:
    """Put a former model on every device, so that there is something to roll back to."""
    job = _call(client, "training.start", dataset="tickets", method="head", name=MODEL)["job"]
    ended = wait_for(client, job)
    if ended["status"] != "done":
        raise CheckFailed(f"the former model could not be trained: {ended['error']}")
    registered = _call(client, "registry.register", job=job, model=MODEL)["result"]
    version = int(registered["version"])
    _call(client, "registry.promote", model=MODEL, version=version, alias="champion")
    _told(f"{MODEL} v{version} is trained (head only), registered, and champion by approval")
    given = {"model": MODEL, "version": version, "group": GROUP, "strategy": "all"}
    ended = wait_for(client, _call(client, "deployment.start", **given)["job"])
    if ended["status"] != "done":
        raise CheckFailed(f"the former model could not be rolled out: {ended['error']}")
    _told(f"{MODEL} v{version} is rolled out to all {GROUP}, by approval")
    return version


def _six_sentences(client: Client, checks: Checks) -> str:
    talk = Talk(client, renderer(console(), client.state.currency), _person)
    for text, check in SENTENCES:
        began = time.monotonic()
        console().print(f"\nyou › {text}", style="bold cyan")
        turn = talk.say(text)
        _require_done(turn)
        verify: Callable[[Turn], None] = getattr(checks, check)
        verify(turn)
        checks.busier()
        console().print(f"  {time.monotonic() - began:.1f} s", style="dim")
    return str(talk.thread)


def _require_done(turn: Turn) -> None:
    if turn.exit_code == 0 and turn.status == "done":
        return
    if turn.status == "cancelled":
        raise KeyboardInterrupt
    why = turn.error or turn.failures or turn.question or turn.messages
    raise CheckFailed(f"the turn ended as {turn.status}: {why}")


def _epilogue(client: Client, thread: str) -> None:
    found: list[Json] = client.get("/api/v1/receipts", conversation=thread, limit=100)
    done = [r for r in reversed(found) if r["status"] != "started"]
    console().print(receipts_table(done, "\nreceipts of the conversation"))
    verdict = client.get("/api/v1/audit/verify")
    console().print("$ pilothouse audit verify", style="bold")
    if not verdict["intact"]:
        raise CheckFailed(f"the audit is broken: {verdict['problem']}")
    _told(f"{verdict['records']} audit records, none altered or missing")


def _call(client: Client, operation: str, **arguments: Any) -> Json:
    """Call an operation as the owner, who approves it when it is dangerous."""
    try:
        return client.call(operation, arguments)
    except NeedsApproval as needed:
        approval = needed.approval
        confirm = {"confirm": approval["confirm"]}
        client.post(f"/api/v1/approvals/{approval['id']}/grant", confirm)
        return client.call(operation, arguments, approval=approval["id"])


def _person(question: str) -> str:
    """Answer as the person at the terminal would; what is typed is shown."""
    wanted = re.search(r"type (.+?) to approve", question)
    answer = wanted[1] if wanted else "yes"
    console().print(f"{question}{answer}", style="bold")
    return answer


def _shares(shares: dict[int, float]) -> str:
    return ", ".join(f"v{version} {share:.1%}" for version, share in shares.items())


def _told(line: str) -> None:
    console().print(f"  ✔ {line}", style="green")


def _show_log() -> None:
    for line in HomeFiles().tail(15).splitlines():
        note(f"  log: {line}")


def _clean(fleet: Fleet, folder: Path, keep: bool) -> int:
    """Stop everything and look whether anything is left; 1 if something was."""
    files = HomeFiles()
    state = files.read()
    fleet.stop()
    stop(files, lambda: Client(state).post("/api/v1/shutdown", timeout=5) if state else None)
    left = leftovers(str(folder))
    for process in left:
        note(f"demo: left running: {process}")
    put_down(left)
    if keep:
        note(f"demo: kept {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if left else 0


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
