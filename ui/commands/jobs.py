"""`jobs`: what runs in the background."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui import completing
from ui.commands.options import AsJson, Limit

Json = dict[str, Any]
Number = Annotated[
    int, typer.Argument(min=1, help="The job's number.", autocompletion=completing.jobs)
]
Status = Annotated[
    str | None,
    typer.Option("--status", help="queued, running, done, failed or cancelled."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    jobs = typer.Typer(
        help="List, show, follow and cancel jobs.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    jobs.callback()(default)
    jobs.command("list")(list_)
    jobs.command("show")(show)
    jobs.command("watch")(watch)
    jobs.command("cancel")(cancel)
    app.add_typer(jobs, name="jobs")


def default(context: typer.Context, as_json: AsJson = False) -> None:
    """List, show, follow and cancel jobs."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(status: Status = None, limit: Limit = 20, as_json: AsJson = False) -> int:
    """List jobs, newest first."""
    from ui import words
    from ui.cards import table
    from ui.client import connect
    from ui.console import console, print_json

    found = connect().get("/api/v1/jobs", status=status, limit=limit)
    if as_json:
        print_json(found)
        return 0
    columns = ("job", "operation", "status", "progress", "", "by", "began")
    rows = [
        (
            job["job"],
            job["operation"],
            job["status"],
            f"{job['progress']:.0%}",
            job["message"],
            job["principal"],
            words.moment(job["created"]),
        )
        for job in found
    ]
    console().print(table(columns, rows) if rows else "There is no job yet.")
    return 0


def show(job: Number, as_json: AsJson = False) -> int:
    """Show one job, with its receipt when it has ended."""
    from ui import words
    from ui.cards import receipt_card
    from ui.client import connect
    from ui.console import console, print_json

    client = connect()
    found: Json = client.get(f"/api/v1/jobs/{job}")
    if as_json:
        print_json(found)
        return 0
    screen = console()
    line = f"job {job} {found['operation']} {found['status']}, {found['progress']:.0%}"
    screen.print(f"  {line}  {found['message']}")
    screen.print(f"  {words.arguments(found['arguments'])}", style="dim")
    if found.get("error"):
        for text in words.problem_lines(found["error"]):
            screen.print(f"  {text}", style="red")
    if found.get("receipt"):
        screen.print(receipt_card(found["receipt"], client.state.currency))
    return 0


def watch(job: Number, as_json: AsJson = False) -> int:
    """Follow a job to its end; Ctrl-C stops following, not the job."""
    from ui.client import connect
    from ui.console import note, print_json
    from ui.errors import DONE, FAILED
    from ui.perform import wait_for
    from ui.perform import watch as follow

    client = connect()
    try:
        ended = wait_for(client, job) if as_json else follow(client, job)
    except KeyboardInterrupt:
        note(f"\nJob {job} goes on.")
        raise
    if as_json:
        print_json({name: value for name, value in ended.items() if name != "kind"})
    return DONE if ended["status"] == "done" else FAILED


def cancel(job: Number, as_json: AsJson = False) -> int:
    """Stop a job; what it had finished stays."""
    from ui.client import connect
    from ui.perform import perform

    return perform(connect(), "platform.cancel_job", {"job": job}, as_json=as_json)
