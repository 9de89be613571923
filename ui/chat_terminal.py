"""`pilothouse chat`: a conversation in the terminal, or line by line from a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import PilothouseError
from ui.cards import receipts_table, table
from ui.client import Client
from ui.console import console, interactive
from ui.conversation import Talk
from ui.errors import DONE
from ui.home import HomeFiles
from ui.perform import prompt
from ui.render import renderer
from ui.turn import Turn

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer

PROMPT = "you › "
HELP = """  Say what you want in your own words. Besides:
  /help  /jobs  /approvals  /receipts  /threads  /new  /quit
  Ctrl-C cancels the turn, Ctrl-D leaves."""


def converse(
    client: Client, thread: str | None, *, yes: bool = False, as_json: bool = False
) -> int:
    """Converse until the person leaves; returns the exit code of the last turn.

    Args:
        client: the platform.
        thread: the conversation to go on with; a new one when None.
        yes: True to confirm writing beforehand.
        as_json: True to draw nothing and print a line of JSON for each turn.
    """
    if as_json:
        return _told(Talk(client, None, None, thread), yes)
    person = interactive()
    drawn = renderer(console(), client.state.currency)
    talk = Talk(client, drawn, prompt if person else None, thread)
    code = DONE
    if person:
        console().print("  Pilothouse. /help says what can be typed; Ctrl-D leaves.", style="dim")
    for text in _typed(client) if person else _piped():
        if text in ("/quit", "/exit"):
            break
        if text.startswith("/"):
            _command(client, talk, text)
        else:
            code = _turn(client, talk, text, yes=yes, person=person).exit_code
    return code


def _told(talk: Talk, yes: bool) -> int:
    code = DONE
    for line in sys.stdin:
        if line.strip():
            turn = talk.say(line.strip(), yes=yes)
            code = turn.exit_code
            print(json.dumps(turn.as_json(), default=str), flush=True)
    return code


def _turn(client: Client, talk: Talk, text: str, *, yes: bool, person: bool) -> Turn:
    turn = talk.say(text, yes=yes)
    if not person and turn.status == "needs_approval" and turn.approval is not None:
        console().print(f"  To go on: pilothouse approvals grant {turn.approval['id']}")
    return turn


def _piped() -> Iterable[str]:
    """The lines of a pipe, shown as they are said; a yes or no answers what is waited for."""
    for line in sys.stdin:
        text = line.strip()
        if text:
            console().print(f"{PROMPT}{text}")
            yield text


def _typed(client: Client) -> Iterable[str]:
    session = _session(client)
    while True:
        try:
            text = session.prompt(PROMPT).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text:
            yield text


def _session(client: Client) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    files = HomeFiles()
    path = files.home / "chat_history"
    path.touch(mode=0o600, exist_ok=True)
    return PromptSession(
        history=FileHistory(str(path)),
        completer=_completer(client),
        complete_while_typing=False,
    )


def _completer(client: Client) -> Completer:
    from prompt_toolkit.completion import Completer, Completion, ThreadedCompleter
    from prompt_toolkit.document import Document

    class Names(Completer):
        """Completes the last word with commands, operations' words and the catalogue's names."""

        def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
            word = document.get_word_before_cursor(WORD=True)
            for text, kind in candidates(client, word, start=document.text == word):
                yield Completion(text, start_position=-len(word), display_meta=kind)

    return ThreadedCompleter(Names())


def candidates(client: Client, word: str, *, start: bool) -> list[tuple[str, str]]:
    """What a word may become, with what it is; reads the live catalogue.

    Args:
        client: the platform.
        word: as far as it is typed.
        start: True if nothing is typed before it.
    """
    if word.startswith("/"):
        return [(c, "command") for c in COMMANDS if start and c.startswith(word)]
    if not word:
        return []
    try:
        found = [(o["name"], "operation") for o in client.get("/api/v1/operations")]
        for kind, names in client.get("/api/v1/names").items():
            found += [(name, kind.replace("_", " ")) for name in names]
    except PilothouseError:
        return []
    return sorted({c for c in found if c[0].lower().startswith(word.lower())})[:50]


def _command(client: Client, talk: Talk, text: str) -> None:
    action = COMMANDS.get(text.split()[0])
    try:
        if action is None:
            console().print(f"  There is no {text}; /help lists what there is.")
        else:
            action(client, talk)
    except PilothouseError as error:
        console().print(f"  {error}", style="red")


def _help(client: Client, talk: Talk) -> None:
    console().print(HELP)


def _jobs(client: Client, talk: Talk) -> None:
    columns = ("job", "operation", "status", "progress", "message")
    rows = [[job[c] for c in columns] for job in client.get("/api/v1/jobs", limit=10)]
    console().print(table(columns, rows))


def _approvals(client: Client, talk: Talk) -> None:
    rows = [
        (a["id"], a["status"], a["preview"]["summary"])
        for a in client.get("/api/v1/approvals", limit=10)
    ]
    console().print(table(("approval", "status", "what"), rows))


def _receipts(client: Client, talk: Talk) -> None:
    console().print(receipts_table(client.get("/api/v1/receipts", conversation=talk.thread)))


def _threads(client: Client, talk: Talk) -> None:
    columns = ("thread", "updated", "title")
    rows = [[row[c] for c in columns] for row in client.get("/api/v1/conversations")]
    console().print(table(columns, rows))


def _new(client: Client, talk: Talk) -> None:
    talk.thread = None
    console().print("  A new conversation begins.")


COMMANDS: dict[str, Callable[[Client, Talk], None]] = {
    "/help": _help,
    "/jobs": _jobs,
    "/approvals": _approvals,
    "/receipts": _receipts,
    "/threads": _threads,
    "/new": _new,
    "/quit": _help,
    "/exit": _help,
}
