"""`ask`, `parse`, `chat`, `threads`: words in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui import completing
from ui.commands.options import AsJson, Yes

if TYPE_CHECKING:
    from ui.client import Client
    from ui.turn import Turn

Thread = Annotated[
    str | None,
    typer.Option(
        "--thread",
        "-t",
        help="Go on with this conversation; `last` is the newest one.",
        autocompletion=completing.threads,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ask")(ask)
    app.command("chat")(chat)
    app.command("parse")(parse)
    app.command("threads")(threads)


def ask(
    text: Annotated[list[str], typer.Argument(help="What you want, in your own words.")],
    yes: Yes = False,
    as_json: AsJson = False,
    thread: Thread = None,
    events: Annotated[bool, typer.Option("--events", help="With --json: all events too.")] = False,
) -> int:
    """Say one sentence; it is planned, confirmed where it writes, carried out, and proven."""
    from ui.client import connect
    from ui.console import console, interactive, print_json
    from ui.conversation import Talk
    from ui.perform import prompt
    from ui.render import renderer

    client = connect()
    person = interactive() and not as_json
    drawn = None if as_json else renderer(console(), client.state.currency)
    talk = Talk(client, drawn, prompt if person else None, _thread(client, thread))
    turn = talk.say(" ".join(text), yes=yes)
    while person and turn.status == "needs_input" and turn.question is not None:
        answer = prompt("  › ")
        if not answer.strip():
            break
        turn = talk.say(answer, yes=yes)
    if as_json:
        print_json(turn.as_json(events=events))
    else:
        hints(turn)
    return turn.exit_code


def hints(turn: Turn) -> None:
    """Say how to go on with a turn that waits."""
    from ui.console import note

    if turn.error is not None:
        return
    if turn.status == "needs_confirmation":
        note("Nothing was done. Add --yes to confirm what writes,")
        note(f"or answer: pilothouse ask yes --thread {turn.thread}")
    elif turn.status == "needs_input":
        note(f'Answer it: pilothouse ask "…" --thread {turn.thread}')
    elif turn.status == "needs_approval" and turn.approval is not None:
        note(f"Waiting for approval {turn.approval['id']}.")
        note(f"To go on: pilothouse approvals grant {turn.approval['id']}")
    else:
        note(f"thread {turn.thread}")


def chat(thread: Thread = None, yes: Yes = False, as_json: AsJson = False) -> int:
    """Converse in the terminal: history, completion, live progress, approvals inline.

    With --json each line of standard input is a sentence, and each turn a line of JSON.
    """
    from ui.chat_terminal import converse
    from ui.client import connect

    client = connect(channel="chat")
    return converse(client, _thread(client, thread), yes=yes, as_json=as_json)


def parse(
    text: Annotated[list[str] | None, typer.Argument(help="A sentence.")] = None,
    jsonl: Annotated[
        str | None,
        typer.Option("--jsonl", help="A file (or -) with a line of {text} or {turns} each."),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", help="Names from this JSON file instead of the live ones."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say which words led where.")] = False,
    now: Annotated[
        str | None,
        typer.Option(
            "--now",
            envvar="PILOTHOUSE_NOW",
            help="Count `tomorrow` from this moment (ISO 8601 with offset), not from the clock.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the plan that a sentence means, as JSON; nothing is executed."""
    from tools.kernel.errors import InvalidInput
    from ui.parsing import parse_lines, parse_sentence

    if (jsonl is None) == (not text):
        raise InvalidInput("Give a sentence, or a file of them with --jsonl.")
    if jsonl is not None:
        return parse_lines(jsonl, catalogue, explain=explain, now=now)
    said = " ".join(text or [])
    return parse_sentence(said, catalogue, explain=explain, as_json=as_json, now=now)


def threads(
    thread: Annotated[
        str | None,
        typer.Argument(help="Show this conversation.", autocompletion=completing.threads),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow its last turn while it runs.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List conversations, or show one; they outlive the terminal and the platform's restarts."""
    from ui.cards import table
    from ui.client import connect
    from ui.console import console, print_json
    from ui.conversation import Talk
    from ui.render import renderer

    client = connect()
    if thread is not None and watch:
        name = _thread(client, thread)
        drawn = None if as_json else renderer(console(), client.state.currency)
        turn = Talk(client, drawn, None, name).follow(
            client.stream("GET", f"/api/v1/conversations/{name}/events")
        )
        if as_json:
            print_json(turn.as_json())
        return turn.exit_code
    path = f"/api/v1/conversations/{_thread(client, thread)}" if thread else "/api/v1/conversations"
    found = client.get(path)
    if as_json:
        print_json(found)
    elif thread:
        for turn in found:
            console().print(f"you › {turn['text']}\n  {turn['status']}")
    else:
        columns = ("thread", "updated", "title")
        console().print(table(columns, [[row[c] for c in columns] for row in found]))
    return 0


def _thread(client: Client, named: str | None) -> str | None:
    if named != "last":
        return named
    known = client.get("/api/v1/conversations")
    return known[0]["thread"] if known else None
