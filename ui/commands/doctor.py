"""`doctor`: looks for what is wrong before it hurts."""

from __future__ import annotations

import typer

from ui.commands.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(as_json: AsJson = False) -> int:
    """Check Python, packages, assets, disk, port, database, audit and configuration."""
    from ui.checks import check_all
    from ui.console import console, print_json
    from ui.errors import DONE, FAILED

    found = check_all()
    failed = any(check.state == "wrong" for check in found)
    if as_json:
        checks = [{"name": c.name, "state": c.state, "told": c.told, "hint": c.hint} for c in found]
        print_json({"status": "failed" if failed else "done", "checks": checks})
        return FAILED if failed else DONE
    marks = {"good": ("✔", "green"), "note": ("·", "dim"), "wrong": ("✘", "red")}
    for check in found:
        mark, style = marks[check.state]
        console().print(f"  {mark} {check.name}: {check.told}", style=style)
        if check.hint:
            console().print(f"      {check.hint}")
    return FAILED if failed else DONE
