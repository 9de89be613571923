"""`call`: any operation, exactly."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui import completing
from ui.commands.options import AsJson

Json = dict[str, Any]
HELP = frozenset({"--help", "-h"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    settings = {
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],  # `call OPERATION --help` tells of the operation
    }
    app.command("call", context_settings=settings)(call)


def call(
    context: typer.Context,
    operation: Annotated[
        str | None,
        typer.Argument(
            help="Such as training.start; --list shows all.", autocompletion=completing.operations
        ),
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

    if HELP.intersection([operation, *context.args]) and (operation in HELP or not operation):
        print(context.get_help())
        return 0
    client = connect()
    if show or operation is None:
        if not show:
            raise InvalidInput("Which operation?", hint="`pilothouse call --list` shows them all.")
        return _list(client.get("/api/v1/operations"), as_json)
    from ui.arguments import parse_arguments

    told = client.get(f"/api/v1/operations/{operation}")
    if HELP.intersection(context.args):
        return _help(told, as_json)
    arguments = parse_arguments(operation, context.args, told["input_schema"])
    if client.is_remote:
        arguments = _brought(client, arguments)
    if dry_run:
        preview = client.call(operation, arguments, dry_run=True)["preview"]
        return _preview(operation, arguments, preview, as_json, show_preview)
    more = {"approval": approval, "idempotency_key": idempotency_key}
    return perform(client, operation, arguments, as_json=as_json, wait=wait, **more)


def _help(operation: Json, as_json: bool) -> int:
    """What one operation is and takes."""
    from ui.arguments import described
    from ui.cards import table
    from ui.console import console, print_json

    if as_json:
        print_json(operation)
        return 0
    screen = console()
    screen.print(f"  {operation['name']} ({operation['effect']}): {operation['summary']}")
    rows = described(operation["input_schema"])
    if rows:
        screen.print(table(("argument", "takes", "default", "what it is"), rows))
    said = operation["examples"][:3]
    if said:
        screen.print("  In words: " + "; ".join(f"“{text}”" for text in said))
    return 0


def _brought(client: Any, arguments: Json) -> Json:
    """The arguments with the files that lie here sent to the gateway."""
    from pathlib import Path

    from ui.arguments import PATHS

    here = {
        name: Path(path)
        for name in PATHS
        if isinstance(path := arguments.get(name), str) and Path(path).is_file()
    }
    return arguments | {name: client.upload(path) for name, path in here.items()}


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
