"""The platform process: one a home, long-lived, with everything heavy in it.

    python -m ui.platform [--foreground] [--serve]

It is the gateway: it holds the home's lock for life, listens on 127.0.0.1 unless TLS is set up (see
`ui/listeners.py`), and tells commands through
`run/platform.json` (mode 0600) where it is and what the owner's token is. SIGTERM stops it
gracefully: no more requests, turns cut off at their checkpoints, jobs taken up at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput, PilothouseError, Unavailable
from ui.errors import DONE, FAILED, translate
from ui.home import LAST_WORDS, VERSION, HomeFiles, RunState
from ui.listeners import check_address, listeners, public_address, tls
from ui.platform_log import configure_log
from ui.welcome import first_admin, welcome

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from graphs.assistant import Assistant
    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings
    from ui.api.door import OpenAssistant

log = logging.getLogger("pilothouse.platform")
DRAIN_SECONDS = 3
STOP_SECONDS = 9.0
Sockets = tuple[socket.socket, socket.socket | None]


def main(arguments: list[str] | None = None) -> int:
    """Run the platform until it is told to stop; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        run(foreground="--foreground" in given, serve="--serve" in given)
    except Exception as error:
        known = translate(error)
        if known is None:
            log.exception("the platform failed")
            print(f"{LAST_WORDS}{type(error).__name__}: {error}", file=sys.stderr)
            return FAILED
        log.error("%s", known)
        print(f"{LAST_WORDS}{known}", file=sys.stderr)
        return known.exit_code
    return DONE


def run(
    *,
    foreground: bool = False,
    serve: bool = False,
    open_assistant: OpenAssistant | None = None,
) -> None:
    """Take the home's lock, open the kernel, serve until stopped.

    Args:
        foreground: True to write the log to the terminal too.
        serve: True to say on the terminal where to go, and to make the first admin.
        open_assistant: opens the assistant; `graphs.assistant.Assistant.open` when not given.

    Raises:
        PilothouseError: for whatever a person can mend: a lock held, a port in use, a full disk.
    """
    settings = load_settings()
    check_address(settings)
    files = HomeFiles(settings.home, settings.worker)
    files.prepare()
    _require_shared(settings)
    lock = files.acquire()
    try:
        token = secrets.token_urlsafe(32)
        files.run.unlink(missing_ok=True)
        configure_log(files.log, settings.log_level, foreground, hidden=(token,))
        sockets = listeners(settings, files.last_port())
        log.info("version %s on %s, process %s", VERSION, settings.home, os.getpid())
        _serve(settings, files, sockets, token, open_assistant or _open_assistant, serve)
    finally:
        files.run.unlink(missing_ok=True)
        lock.close()


def _require_shared(settings: Settings) -> None:
    """Several processes need a database that is made for several.

    Raises:
        InvalidInput: for a further process of a home whose database is SQLite.
    """
    if settings.worker and settings.database.startswith("sqlite"):
        raise InvalidInput(
            f"Process {settings.worker} cannot join: this home's database is SQLite.",
            hint="Several processes share a PostgreSQL: set PILOTHOUSE_DATABASE_URL for all.",
        )


def load_settings() -> Settings:
    """The settings from the environment.

    Raises:
        InvalidInput: naming each variable that is wrong.
    """
    from pydantic import ValidationError

    from tools.kernel.settings import Settings

    try:
        return Settings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        told = "; ".join(
            f"PILOTHOUSE_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}"
            for e in error.errors()
        )
        raise InvalidInput(f"The configuration is wrong: {told}.") from error


def _serve(
    settings: Settings,
    files: HomeFiles,
    sockets: Sockets,
    token: str,
    open_assistant: OpenAssistant,
    serve: bool,
) -> None:
    from uvicorn.loops.auto import auto_loop_factory

    from tools.kernel.kernel import Kernel

    began = time.perf_counter()
    kernel = Kernel(settings)
    kernel.start()
    admin = first_admin(kernel) if serve else None
    local, public = sockets
    port = int(local.getsockname()[1])
    state = RunState(
        pid=os.getpid(),
        port=port,
        url=f"http://127.0.0.1:{port}",
        token=token,
        started=time.time(),
        version=VERSION,
        currency=settings.currency,
    )

    def ready() -> None:
        files.write(state)
        url = public_address(settings, public or local)
        log.info("ready on %s after %.1f s", url, time.perf_counter() - began)
        if serve:
            print(welcome(url, admin), flush=True)

    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_run(kernel, sockets, token, open_assistant, ready))
    finally:
        _stop(kernel)
    log.info("stopped")


async def _run(
    kernel: Kernel,
    sockets: Sockets,
    token: str,
    open_assistant: OpenAssistant,
    ready: Callable[[], None],
) -> None:
    import uvicorn

    from tools.devices.protocol import DeviceProtocol
    from ui.api.app import create_app
    from ui.api.door import Door
    from ui.devices_api import device_router

    class Quiet(uvicorn.Server):
        """Leaves signals to us."""

        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield

    class Server(Quiet):
        """Says when it takes requests, and only then loads the rest."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()
            door.begin()

    door = Door(kernel, token, open_assistant, shut_down=lambda: stop())
    app = create_app(door, [device_router(kernel)])
    local, public = sockets
    server = Server(_config(app, kernel.settings, lifespan="on"))
    servers: list[uvicorn.Server] = [server]
    if public is not None:
        servers.append(Quiet(_config(app, kernel.settings, lifespan="off", **tls(kernel.settings))))
    quiet: list[asyncio.Future[None]] = []

    def stop() -> None:
        for each in servers:
            _stop_soon(each, HomeFiles(kernel.settings.home, kernel.settings.worker))
        kernel.get(DeviceProtocol).send_away()
        quiet.append(asyncio.ensure_future(door.quiet()))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    given = zip(servers, filter(None, (local, public)), strict=True)
    await asyncio.gather(*(each.serve([socket_]) for each, socket_ in given))


def _config(app: FastAPI, settings: Settings, **more: Any) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=30,
        server_header=False,
        proxy_headers=settings.plain_http,  # who listens so says that a proxy is in front
        **more,
    )


def _stop_soon(server: uvicorn.Server, files: HomeFiles) -> None:
    if not server.should_exit:
        log.info("stopping")
        watchdog = threading.Timer(STOP_SECONDS, _give_up, [files])
        watchdog.daemon = True
        watchdog.start()
    server.should_exit = True


def _give_up(files: HomeFiles) -> None:
    files.run.unlink(missing_ok=True)
    log.warning("not stopped within %.0f s, leaving the rest to the next start", STOP_SECONDS)
    logging.shutdown()
    os._exit(DONE)


def _stop(kernel: Kernel) -> None:
    with suppress(PilothouseError):
        kernel.stop()


async def _open_assistant(kernel: Kernel) -> Assistant:
    def load() -> type[Assistant]:
        from graphs.assistant import Assistant

        return Assistant

    began = time.perf_counter()
    try:
        assistant = await (await asyncio.to_thread(load)).open(kernel)
    except Exception as error:
        log.exception("the assistant could not be opened")
        raise translate(error) or Unavailable(
            f"The assistant could not be opened ({type(error).__name__}).",
            hint="`pilothouse logs` says why, `pilothouse doctor` looks for the cause.",
        ) from error
    log.info("the assistant is ready after %.1f s", time.perf_counter() - began)
    return assistant


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # threads that still wait for events must not keep the process
