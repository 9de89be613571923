"""`call`: any operation, exactly."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui.commands.options import AsJson

Json = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command("call", context_settings=settings)(call)


def call(
    context: typer.Context,
    operation: Annotated[
        str | None, typer.Argument(help="Such as training.start; --list shows all.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the operations.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow a job to its end.")] = False,
    approval: Annotated[
        str | None, typer.Option("--approval", help="The granted approval to use.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="A second call with it does nothing more."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", hidden=True)] = False,
    as_json: AsJson = False,
) -> int:
    """Call one operation: `pilothouse call datasets.add --path=tickets.csv`.

    A call is exact, so that only dangerous ones are asked about; they always are.
    """
    from tools.kernel.errors import InvalidInput
    from ui.client import connect
    from ui.perform import perform, show_preview

    client = connect()
    if show or operation is None:
        if not show:
            raise InvalidInput("Which operation?", hint="`pilothouse call --list` shows them all.")
        return _list(client.get("/api/v1/operations"), as_json)
    from ui.arguments import parse_arguments

    schema = client.get(f"/api/v1/operations/{operation}")["input_schema"]
    arguments = parse_arguments(operation, context.args, schema)
    if dry_run:
        preview = client.call(operation, arguments, dry_run=True)["preview"]
        return _preview(operation, arguments, preview, as_json, show_preview)
    more = {"approval": approval, "idempotency_key": idempotency_key}
    return perform(client, operation, arguments, as_json=as_json, wait=wait, **more)


def _preview(operation: str, arguments: Json, preview: Json, as_json: bool, show: Any) -> int:
    from ui.console import print_json

    if as_json:
        told = {"operation": operation, "arguments": arguments, "preview": preview}
        print_json({"status": "dry_run", **told})
    else:
        show(preview)
    return 0


def _list(found: list[Json], as_json: bool) -> int:
    from ui.cards import table
    from ui.console import console, print_json

    if as_json:
        print_json(found)
        return 0
    rows = [(o["name"], o["effect"], ", ".join(o["arguments"]), o["summary"]) for o in found]
    console().print(table(("operation", "effect", "arguments", "what it does"), rows))
    return 0
