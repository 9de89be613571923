"""Granting an approval from the terminal, and going on with what it was for."""

from __future__ import annotations

import sys
from typing import Any

from tools.kernel.errors import InvalidInput, Unavailable
from ui.cards import approval_card
from ui.client import Client
from ui.console import console, interactive, note, print_json
from ui.conversation import Talk
from ui.errors import DONE
from ui.perform import finish, prompt
from ui.render import renderer

Json = dict[str, Any]


def decide(client: Client, approval: Json, confirm: str | None, *, as_json: bool) -> Json:
    """Grant a pending approval; one that was granted already is only gone on with.

    Args:
        client: the platform, as the one who approves.
        approval: the card.
        confirm: what a self-approving person typed; asked for when missing.
        as_json: True to draw nothing.

    Raises:
        InvalidInput: if the typed text is wrong; nothing is granted.
        PilothouseError: if it cannot be granted, or not by this person.
    """
    if not as_json:
        console().print(approval_card(approval, currency=client.state.currency))
    if approval["status"] == "granted":
        note(f"{approval['id']} was granted already, going on.")
        return approval
    own = client.get("/api/v1/status")["principal"] == approval["proposer"]
    if (
        own
        and confirm is None
        and not approval["second_person"]
        and approval["status"] == "pending"
    ):
        confirm = _typed(approval)
    granted = client.post(f"/api/v1/approvals/{approval['id']}/grant", {"confirm": confirm})
    if not as_json:
        how = ", self-approved" if granted["self_approved"] else ""
        console().print(f"  granted {granted['id']}{how}", style="green")
    return granted


def _typed(approval: Json) -> str:
    wanted = approval["confirm"]
    if interactive():
        typed = prompt(f"  type {wanted} to approve: ")
    else:
        note(f"Reading {wanted!r} from standard input to approve.")
        typed = sys.stdin.readline()
    if not typed.strip():
        raise InvalidInput(
            "Nothing was typed; nothing was granted.",
            hint=f"Type {wanted!r}, or give it with --confirm.",
        )
    return typed.strip()


def carry_on(client: Client, granted: Json, *, as_json: bool) -> int:
    """Carry out what was granted; returns the exit code."""
    events = client.stream("POST", f"/api/v1/approvals/{granted['id']}/go-on", {})
    if granted.get("conversation"):
        return _resume(client, granted, events, as_json)
    event = next(events, None)
    if event is None:
        raise Unavailable(
            "The platform stopped before it answered.",
            hint=f"`pilothouse approvals show {granted['id']}` says if the grant was used.",
        )
    if event["kind"] == "recorded":
        return _recorded(granted, as_json)
    if not as_json:
        return finish(client, granted["operation"], event)
    told = {"operation": granted["operation"], "status": event["receipt"]["status"]}
    answer = {name: event.get(name) for name in ("receipt", "job")}
    result = event.get("revealed") or event["result"]
    print_json({**told, "approval": granted, "result": result, **answer})
    return DONE


def _resume(client: Client, granted: Json, events: Any, as_json: bool) -> int:
    drawn = None if as_json else renderer(console(), client.state.currency)
    asker = prompt if interactive() and not as_json else None
    turn = Talk(client, drawn, asker, granted["conversation"]).follow(events)
    if as_json:
        print_json({"approval_granted": granted, **turn.as_json()})
    return turn.exit_code


def _recorded(granted: Json, as_json: bool) -> int:
    if as_json:
        print_json({"approval": granted, "status": "granted"})
    else:
        console().print("  The grant is recorded. The client that asked makes the same call again.")
    return DONE
