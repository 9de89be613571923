"""One exact call from the terminal: made, approved where it must be, followed, shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tools.kernel.errors import NeedsApproval, NotFound, Unavailable
from ui.cards import approval_card, draw_result, receipt_lines, receipt_name, secret_lines, table
from ui.client import Client, connect
from ui.console import console, interactive, note, print_json
from ui.conversation import Talk
from ui.errors import DONE, FAILED, NEEDS_APPROVAL
from ui.render import renderer

Json = dict[str, Any]
RECONNECTS = 5


def prompt(question: str) -> str:
    """Ask the person at the terminal; an empty answer when there is none."""
    try:
        return input(question)
    except EOFError:
        return ""


def perform(
    client: Client,
    operation: str,
    arguments: Json,
    *,
    as_json: bool = False,
    wait: bool = False,
    **more: Any,
) -> int:
    """Make a call and show what came of it; returns the exit code.

    Args:
        client: the platform.
        operation: `domain.verb`.
        arguments: by name.
        as_json: print one JSON object instead.
        wait: follow the job that the call starts to its end.
        more: `approval` or `idempotency_key`.

    Raises:
        PilothouseError: whatever the gate refused, but for a missing approval.
    """
    try:
        answer = client.call(operation, arguments, **more)
    except NeedsApproval as needed:
        answer = None if as_json else _approved(client, operation, arguments, needed, more)
        if answer is None:
            if as_json:
                told = {"status": "needs_approval", "approval": needed.approval}
                print_json({"operation": operation, **told})
            return NEEDS_APPROVAL
    return finish(client, operation, answer, as_json=as_json, wait=wait)


def finish(
    client: Client, operation: str, answer: Json, *, as_json: bool = False, wait: bool = False
) -> int:
    """Show a call's outcome, and follow its job if asked to; returns the exit code."""
    job = answer.get("job")
    if as_json:
        ended = wait_for(client, job) if wait and job else None
        print_json(_told(operation, answer, ended))
        return DONE if ended is None or ended["status"] == "done" else FAILED
    show_outcome(operation, answer)
    if not job:
        return DONE
    if wait:
        return DONE if watch(client, int(job))["status"] == "done" else FAILED
    note(f"  follow it: pilothouse jobs watch {job}")
    return DONE


def show_outcome(operation: str, answer: Json) -> None:
    """A call's receipt and what was read."""
    screen, receipt = console(), answer["receipt"]
    screen.print(f"  ✔ {receipt.get('says') or operation} ({receipt_name(receipt)})", style="green")
    for line in receipt_lines(receipt):
        screen.print(f"      {line}", style="dim", soft_wrap=not screen.is_terminal)
    draw_result(screen, operation, answer["result"])
    for line in secret_lines(answer):
        screen.print(f"  {line}", style="bold", soft_wrap=True)


def show_preview(preview: Json) -> None:
    """What a call would do."""
    screen = console()
    screen.print(f"  would: {preview['summary']}")
    if preview.get("changes"):
        rows = [(c["what"], c.get("before"), c.get("after")) for c in preview["changes"]]
        screen.print(table(("difference", "before", "after"), rows))
    for name in ("risk", "seconds", "cost", "confirm"):
        if preview.get(name) is not None:
            screen.print(f"  {name}: {preview[name]}", style="dim")
    for warning in preview.get("warnings") or []:
        screen.print(f"  warning: {warning}", style="yellow")


def _approved(
    client: Client, operation: str, arguments: Json, needed: NeedsApproval, more: Json
) -> Json | None:
    approval = needed.approval
    console().print(approval_card(approval, currency=client.state.currency))
    if not interactive():
        note(f"Nothing was done. To go on: pilothouse approvals grant {approval.get('id')}")
        return None
    if not Talk(client, None, None).approve(approval, prompt):
        return None
    return client.call(operation, arguments, **{**more, "approval": approval["id"]})


def watch(client: Client, job: int) -> Json:
    """Follow a job on the screen to its end, over restarts of the platform; how it ended."""
    drawn, name = renderer(console(), client.state.currency), f"job {job}"

    def show(event: Json) -> None:
        if event["kind"] == "job":
            started = {"operation": event["operation"], "arguments": event["arguments"]}
            drawn.show({"kind": "step_started", "step": name, "agent": "", **started})
            standing = {k: event.get(k) for k in ("message", "metrics")}
            drawn.show(
                {"kind": "progress", "step": name, "fraction": event["progress"], **standing}
            )
        elif event["kind"] == "progress":
            drawn.show({"step": name, **event})

    ended = wait_for(client, job, show)
    if ended["status"] == "done" and ended.get("receipt"):
        result = ended.get("result") or {}
        drawn.show(
            {"kind": "step_finished", "step": name, "receipt": ended["receipt"], "result": result}
        )
    else:
        error = ended.get("error") or {}
        if not error.get("message"):
            error = {"message": f"Job {job} is {ended['status']}."}
        drawn.show({"kind": "step_failed", "step": name, "error": error})
    drawn.close()
    return ended


def wait_for(client: Client, job: int, show: Callable[[Json], None] | None = None) -> Json:
    """Follow a job to its end; how it ended.

    The platform may be killed meanwhile: it is started again, and the job goes on.
    """
    after, lost = 0, 0
    while True:
        try:
            for event in client.follow_job(job, after):
                after = max(after, int(event.get("id") or 0))
                if event["kind"] == "end" and event["status"] in ("done", "failed", "cancelled"):
                    return event
                if show is not None and not (event["kind"] == "job" and lost):
                    show(event)
        except NotFound:
            raise
        except Unavailable:
            lost += 1
            if lost > RECONNECTS:
                raise
        time.sleep(0.2)
        client = connect()


def _told(operation: str, answer: Json, ended: Json | None) -> Json:
    receipt = (ended or {}).get("receipt") or answer["receipt"]
    return {
        "operation": operation,
        "status": receipt["status"],
        "result": (ended or {}).get("result") or answer.get("revealed") or answer["result"],
        "receipt": receipt,
        "job": answer.get("job"),
        "approval": receipt.get("approval"),
        "error": (ended or {}).get("error"),
    }
