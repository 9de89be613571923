"""`fleet`: the devices, what they serve, how they are, and the rollouts as they move."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from ui.commands.options import AsJson

Json = dict[str, Any]
LOOK_SECONDS = 1.0
Group = Annotated[str | None, typer.Option("--group", "-g", help="Only this group.")]
Once = Annotated[bool, typer.Option("--once", help="Show it once, also in a terminal.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fleet")(fleet)


def fleet(group: Group = None, once: Once = False, as_json: AsJson = False) -> int:
    """Watch devices and rollouts: live in a terminal until Ctrl-C, once in a pipe."""
    from ui.client import connect
    from ui.console import console, print_json
    from ui.fleet_view import drawn

    client = connect()
    asked: Json = {"group": group} if group else {}

    def look() -> Json:
        status: Json = client.call("deployment.status", asked)["result"]
        health: Json = client.call("devices.health", asked)["result"]
        return {"groups": status["groups"], "health": health}

    if as_json:
        print_json(look())
        return 0
    screen = console()
    if once or not screen.is_terminal:
        screen.print(drawn(look()))
        return 0
    from rich.live import Live

    with Live(drawn(look()), console=screen, auto_refresh=False) as live:
        while True:
            time.sleep(LOOK_SECONDS)
            live.update(drawn(look()), refresh=True)
