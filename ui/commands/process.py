"""`serve`, `up`, `down`, `status`, `logs`: the platform process of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ui.commands.options import AsJson

if TYPE_CHECKING:
    from ui.home import HomeFiles

Json = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("logs")(logs)


def serve(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="8080 when not given.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen on; 127.0.0.1.")
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Listen for others without TLS.")
    ] = False,
    worker: Annotated[
        int,
        typer.Option("--worker", min=0, max=999, help="A further process on one PostgreSQL."),
    ] = 0,
    replace: Annotated[
        bool, typer.Option("--replace", help="Stop the platform of this home that runs already.")
    ] = False,
) -> int:
    """Run the gateway in this terminal until Ctrl-C: chat, pages and API on 127.0.0.1:8080."""
    import os

    from tools.kernel.errors import Conflict
    from ui.home import HomeFiles
    from ui.launch import running

    files = HomeFiles(worker=worker)
    state = running(files)
    if state is not None and not replace:
        raise Conflict(
            f"The platform of {files.home} runs already, on {state.url} (process {state.pid}).",
            hint="`pilothouse serve --replace` stops it first, and its jobs go on afterwards.",
        )
    if state is not None:
        _stop(files)
    given = {
        "WORKER": worker or None,
        "PORT": port,
        "HOST": host,
        "PLAIN_HTTP": "true" if plain_http else None,
    }
    os.environ.update({f"PILOTHOUSE_{k}": str(v) for k, v in given.items() if v is not None})
    os.environ.setdefault("PILOTHOUSE_PORT", str(8080 + worker))
    return _foreground(files, "--serve")


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Run in this terminal until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Start the platform of this home; commands do it by themselves when they need it."""
    from ui.console import note, print_json
    from ui.home import HomeFiles
    from ui.launch import ensure_running, running

    files = HomeFiles()
    if foreground:
        return _foreground(files)
    known = running(files)
    state = known or ensure_running(files, note)
    if as_json:
        told = {"pid": state.pid, "url": state.url, "version": state.version}
        print_json({"status": "running", "started": known is None, "home": str(files.home), **told})
    else:
        word = "was running already" if known else "runs"
        print(f"The platform {word} on {state.url} (process {state.pid}, home {files.home}).")
    return 0


def _foreground(files: Any, *more: str) -> int:
    import os
    import sys

    files.prepare()
    os.environ["PILOTHOUSE_HOME"] = str(files.home)
    os.chdir(files.home)
    sys.stdout.flush()
    arguments = [sys.executable, "-P", "-m", "ui.platform", "--foreground", *more]
    os.execv(sys.executable, arguments)  # noqa: S606 - fixed arguments


def down(as_json: AsJson = False) -> int:
    """Stop the platform; conversations, jobs and rollouts go on at the next start."""
    from ui.console import print_json
    from ui.home import HomeFiles

    files = HomeFiles()
    stopped = _stop(files)
    if as_json:
        print_json({"status": "stopped", "was_running": stopped})
    else:
        print("The platform is stopped." if stopped else f"No platform runs on {files.home}.")
    return 0


def _stop(files: HomeFiles) -> bool:
    from ui.client import Client
    from ui.launch import stop

    state = files.read()

    def ask() -> None:
        if state is not None:
            Client(state).post("/api/v1/shutdown", timeout=5)

    return stop(files, ask)


def status(as_json: AsJson = False) -> int:
    """Show what runs here."""
    from ui import words
    from ui.client import connect
    from ui.console import console, print_json
    from ui.errors import FAILED
    from ui.home import HomeFiles
    from ui.launch import running
    from ui.remote import remote

    files = HomeFiles()
    if remote() is None and running(files) is None:
        if as_json:
            print_json({"status": "stopped", "home": str(files.home)})
        else:
            print(f"No platform runs on {files.home}; `pilothouse up` starts it.")
        return FAILED
    client = connect(start=False)
    found: Json = client.get("/api/v1/status")
    if as_json:
        print_json({"status": "running", "url": client.state.url, **found})
        return 0
    screen = console()
    screen.print(f"  running on {client.state.url} for {words.duration(found['seconds'])}")
    for name in ("version", "pid", "home", "principal", "assistant", "language_model", "turns"):
        screen.print(f"  {name.replace('_', ' ')}: {words.value(found[name])}")
    if found["language_model"]:
        used: Json = found["model_used"]
        cost = f", {used['cost']:.4f} {found['currency']}" if used["cost"] else ""
        screen.print(f"  language model today: {used['tokens']} of {used['limit']} tokens{cost}")
    running_jobs = [_job(job) for job in found["jobs"]]
    screen.print(f"  jobs running: {', '.join(running_jobs) or 'none'}, queued: {found['queued']}")
    screen.print(f"  approvals pending: {', '.join(found['approvals']) or 'none'}")
    return 0


def _job(job: Json) -> str:
    held = f" ({job['status']})" if job["status"] != "running" else ""
    return f"{job['job']} {job['operation']} {job['progress']:.0%}{held}"


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000)] = 50,
    as_json: AsJson = False,
) -> int:
    """Show the end of the log of this home's platform."""
    import time

    from ui.console import print_json
    from ui.home import HomeFiles, last_lines

    files = HomeFiles()
    shown = last_lines(files.log, lines)
    if as_json:
        print_json({"log": str(files.log), "lines": shown})
        return 0
    print("\n".join(shown) if shown else f"There is no log yet ({files.log}).", flush=True)
    if not follow:
        return 0
    position = files.log.stat().st_size if files.log.exists() else 0
    while True:
        time.sleep(0.3)
        size = files.log.stat().st_size if files.log.exists() else 0
        position = 0 if size < position else position  # it was rotated
        if size > position:
            with files.log.open("rb") as file:
                file.seek(position)
                fresh = file.read()
            position += len(fresh)
            print(fresh.decode(errors="replace"), end="", flush=True)
