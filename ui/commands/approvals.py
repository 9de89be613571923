"""`approvals`: decide on what is dangerous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui import completing
from ui.commands.options import AsJson, Limit

if TYPE_CHECKING:
    from ui.client import Client

Json = dict[str, Any]
Id = Annotated[str, typer.Argument(help="The approval's id.", autocompletion=completing.approvals)]
Status = Annotated[
    str | None,
    typer.Option("--status", help="pending, granted, used, denied, revoked or expired."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    approvals = typer.Typer(
        help="List, show and decide approvals.", invoke_without_command=True, rich_markup_mode=None
    )
    approvals.callback()(default)
    approvals.command("list")(list_)
    approvals.command("show")(show)
    approvals.command("grant")(grant)
    approvals.command("deny")(deny)
    approvals.command("revoke")(revoke)
    app.add_typer(approvals, name="approvals")


def default(context: typer.Context, as_json: AsJson = False) -> None:
    """List, show and decide approvals."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(status: Status = None, limit: Limit = 20, as_json: AsJson = False) -> int:
    """List approvals, newest first."""
    from ui import words
    from ui.cards import table
    from ui.client import connect
    from ui.console import console, print_json

    found = connect().get("/api/v1/approvals", status=status, limit=limit)
    if as_json:
        print_json(found)
        return 0
    rows = [
        (a["id"], a["status"], a["preview"]["summary"], a["proposer"], words.moment(a["expires"]))
        for a in found
    ]
    columns = ("approval", "status", "what", "proposed by", "expires")
    console().print(table(columns, rows) if rows else "There is no approval yet.")
    return 0


def show(approval: Id, as_json: AsJson = False) -> int:
    """Show one approval: the whole card."""
    from ui.cards import approval_card
    from ui.client import connect
    from ui.console import console, print_json

    client = connect()
    found = client.get(_path(approval))
    if as_json:
        print_json(found)
    else:
        console().print(approval_card(found, currency=client.state.currency))
        console().print(f"  {found['status']}")
    return 0


def grant(
    approval: Id,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", help="For an act of your own: what its card tells to type."),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--go-on/--only-grant", help="Carry out what was granted.")
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Approve, and go on from there: the conversation resumes, or the call is made."""
    from ui.client import connect
    from ui.console import print_json
    from ui.granting import carry_on, decide

    client = connect()
    granted = decide(client, client.get(_path(approval)), confirm, as_json=as_json)
    if go_on:
        return carry_on(client, granted, as_json=as_json)
    if as_json:
        print_json({"approval": granted})
    return 0


def deny(
    approval: Id,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why not.")] = "",
    as_json: AsJson = False,
) -> int:
    """Refuse; nothing is done."""
    from ui.client import connect

    return _decided(connect(), approval, "deny", {"reason": reason}, as_json)


def revoke(approval: Id, as_json: AsJson = False) -> int:
    """Take back a grant that was not used yet."""
    from ui.client import connect

    return _decided(connect(), approval, "revoke", {}, as_json)


def _decided(client: Client, approval: str, verb: str, body: Json, as_json: bool) -> int:
    from ui.console import console, print_json

    found = client.post(f"{_path(approval)}/{verb}", body)
    if as_json:
        print_json(found)
    else:
        console().print(f"  {found['id']} is {found['status']}; nothing was done.")
    return 0


def _path(approval: str) -> str:
    from urllib.parse import quote

    return f"/api/v1/approvals/{quote(approval.strip(), safe='')}"
