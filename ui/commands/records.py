"""`receipts`, `undo`, `audit`: what was done, and taking it back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui import completing
from ui.commands.options import AsJson, Limit

Json = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("receipts")(receipts)
    app.command("undo")(undo)
    audit = typer.Typer(
        help="Check and read the audit.", rich_markup_mode=None, no_args_is_help=True
    )
    audit.command("verify")(verify)
    audit.command("tail")(tail)
    app.add_typer(audit, name="audit")


def receipts(
    receipt: Annotated[
        str | None,
        typer.Argument(help="Show this one, such as R12.", autocompletion=completing.receipts),
    ] = None,
    thread: Annotated[
        str | None, typer.Option("--thread", "-t", help="Only of this conversation.")
    ] = None,
    acts: Annotated[bool, typer.Option("--acts", help="Leave reads out.")] = False,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """List receipts, newest first, or show one with its evidence."""
    from ui.cards import receipt_card, receipts_table
    from ui.client import connect
    from ui.console import console, print_json

    client = connect()
    if receipt is not None:
        from urllib.parse import quote

        found: Any = client.get(f"/api/v1/receipts/{quote(receipt, safe='')}")
        shown: Any = receipt_card(found, client.state.currency)
    else:
        effects = "write,dangerous" if acts else None
        found = client.get("/api/v1/receipts", conversation=thread, effects=effects, limit=limit)
        shown = receipts_table(found) if found else "There is no receipt yet."
    if as_json:
        print_json(found)
    else:
        console().print(shown)
    return 0


def undo(
    receipt: Annotated[
        str | None,
        typer.Argument(
            help="Such as R12; your newest act when left out.", autocompletion=completing.receipts
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Undo an act, if the world still is as its receipt left it."""
    from ui.client import connect
    from ui.perform import perform

    arguments = {"receipt": receipt} if receipt else {}
    return perform(connect(), "platform.undo", arguments, as_json=as_json)


def verify(as_json: AsJson = False) -> int:
    """Walk the whole chain; finds any altered or missing record."""
    from ui.client import connect
    from ui.console import console, print_json
    from ui.errors import DONE, FAILED

    verdict = connect().get("/api/v1/audit/verify")
    if as_json:
        print_json(verdict)
    elif verdict["intact"]:
        console().print(
            f"  ✔ {verdict['records']} audit records, none altered or missing.", style="green"
        )
    else:
        records = f"after {verdict['records']} good records"
        console().print(f"  ✘ The audit is broken: {verdict['problem']} ({records}).", style="red")
    return DONE if verdict["intact"] else FAILED


def tail(limit: Limit = 20, as_json: AsJson = False) -> int:
    """Show the newest audit records."""
    from ui import words
    from ui.cards import table
    from ui.client import connect
    from ui.console import console, print_json

    found = list(reversed(connect().get("/api/v1/audit", limit=limit)))
    if as_json:
        print_json(found)
        return 0
    rows = [
        (r["sequence"], words.moment(r["at"]), *_told(r["body"]), r["hash"][:12]) for r in found
    ]
    console().print(table(("record", "at", "event", "operation", "by", "hash"), rows))
    return 0


def _told(body: Json) -> tuple[str, str, str]:
    return tuple(str(body.get(name, "")) for name in ("event", "operation", "principal"))  # pyright: ignore[reportReturnType]
