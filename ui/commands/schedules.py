"""`schedules`: what is to be done later, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui.commands.options import AsJson, Limit

Json = dict[str, Any]
Name = Annotated[str, typer.Argument(help="The schedule's name or number.")]
Ended = Annotated[bool, typer.Option("--all", "-a", help="Also those that are over.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    schedules = typer.Typer(
        help="List, show, pause, resume and cancel schedules.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    schedules.callback()(default)
    schedules.command("list")(list_)
    schedules.command("show")(show)
    schedules.command("pause")(pause)
    schedules.command("resume")(resume)
    schedules.command("cancel")(cancel)
    app.add_typer(schedules, name="schedules")


def default(context: typer.Context, ended: Ended = False, as_json: AsJson = False) -> None:
    """List, show, pause, resume and cancel schedules."""
    if context.invoked_subcommand is None:
        list_(ended=ended, as_json=as_json)


def list_(ended: Ended = False, limit: Limit = 50, as_json: AsJson = False) -> int:
    """List schedules, newest first, with their next times and last runs."""
    from ui.cards import draw_result
    from ui.client import connect
    from ui.console import console, print_json

    found: Json = connect().call("schedules.list", {"ended": ended, "limit": limit})["result"]
    if as_json:
        print_json(found["schedules"])
    elif found["schedules"]:
        draw_result(console(), "schedules.list", found)
    else:
        console().print('Nothing is scheduled. Try: pilothouse ask "every night at two …"')
    return 0


def show(schedule: Name, as_json: AsJson = False) -> int:
    """Show one schedule with its runs; each run is a turn of the schedule's own conversation."""
    from tools.kernel.errors import NotFound
    from ui import words
    from ui.cards import table
    from ui.client import connect
    from ui.console import console, print_json

    listed: Json = connect().call("schedules.list", {"ended": True, "limit": 500})["result"]
    named = (s for s in listed["schedules"] if schedule in (s["schedule"], str(s["id"])))
    found = next(named, None)
    if found is None:
        names = [s["schedule"] for s in listed["schedules"]]
        raise NotFound(f"There is no schedule {schedule!r}.", suggestions=names[:3])
    if as_json:
        print_json(found)
        return 0
    screen = console()
    screen.print(f"  {found['schedule']} (schedule {found['id']}), {found['status']}")
    screen.print(f"  {found['when']}, for {found['owner']}: {', then '.join(found['operations'])}")
    screen.print(f"  said: “{found['sentence']}”", style="dim")
    for name in found["dangerous"]:
        screen.print(f"  {name} waits for an approval each time", style="yellow")
    for at in found["next"]:
        screen.print(f"  next: {words.moment(at)}")
    rows = [
        (r["run"], words.moment(r["due"]), r["status"], r["note"], len(r["receipts"]))
        for r in found["runs"]
    ]
    if rows:
        screen.print(table(("run", "due", "status", "", "receipts"), rows))
        screen.print(f"  pilothouse threads {found['runs'][0]['conversation']}", style="dim")
    return 0


def pause(schedule: Name, as_json: AsJson = False) -> int:
    """Have no further run until it is resumed."""
    return _perform("schedules.pause", schedule, as_json)


def resume(schedule: Name, as_json: AsJson = False) -> int:
    """Go on with a paused schedule."""
    return _perform("schedules.resume", schedule, as_json)


def cancel(schedule: Name, as_json: AsJson = False) -> int:
    """Have no further run; a run that goes on already is left alone."""
    return _perform("schedules.cancel", schedule, as_json)


def _perform(operation: str, schedule: str, as_json: bool) -> int:
    from ui.client import connect
    from ui.perform import perform

    return perform(connect(), operation, {"schedule": schedule}, as_json=as_json)
