"""The platform process: one a home, long-lived, with everything heavy in it.

    python -m ui.platform [--foreground]

It holds the home's lock for life, listens on 127.0.0.1 only, and tells commands through
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
from typing import TYPE_CHECKING

from tools.kernel.errors import Conflict, InvalidInput, PilothouseError, Unavailable
from ui.errors import DONE, FAILED, translate
from ui.home import LAST_WORDS, VERSION, HomeFiles, RunState
from ui.platform_log import configure_log

if TYPE_CHECKING:
    import uvicorn

    from graphs.assistant import Assistant
    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings
    from ui.api.door import OpenAssistant

log = logging.getLogger("pilothouse.platform")
DRAIN_SECONDS = 3
STOP_SECONDS = 9.0


def main(arguments: list[str] | None = None) -> int:
    """Run the platform until it is told to stop; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        run(foreground="--foreground" in given)
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


def run(*, foreground: bool = False, open_assistant: OpenAssistant | None = None) -> None:
    """Take the home's lock, open the kernel, serve until stopped.

    Args:
        foreground: True to write the log to the terminal too.
        open_assistant: opens the assistant; `graphs.assistant.Assistant.open` when not given.

    Raises:
        PilothouseError: for whatever a person can mend: a lock held, a port in use, a full disk.
    """
    settings = load_settings()
    files = HomeFiles(settings.home)
    files.prepare()
    lock = files.acquire()
    try:
        token = secrets.token_urlsafe(32)
        files.run.unlink(missing_ok=True)
        configure_log(files.log, settings.log_level, foreground, hidden=(token,))
        listener = bind(settings.port)
        log.info("version %s on %s, process %s", VERSION, settings.home, os.getpid())
        _serve(settings, files, listener, token, open_assistant or _open_assistant)
    finally:
        files.run.unlink(missing_ok=True)
        lock.close()


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


def bind(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1.

    Raises:
        Conflict: if the port is in use.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise Conflict(
            f"Port {port} on 127.0.0.1 cannot be used: {error.strerror}.",
            hint="Set PILOTHOUSE_PORT to a free port, or to 0 to have one chosen.",
        ) from error
    listener.listen(128)
    return listener


def _serve(
    settings: Settings,
    files: HomeFiles,
    listener: socket.socket,
    token: str,
    open_assistant: OpenAssistant,
) -> None:
    from tools.kernel.kernel import Kernel

    began = time.perf_counter()
    kernel = Kernel(settings)
    kernel.start()
    port = int(listener.getsockname()[1])
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
        log.info("ready on %s after %.1f s", state.url, time.perf_counter() - began)

    try:
        asyncio.run(_run(kernel, listener, token, open_assistant, ready))
    finally:
        _stop(kernel)
    log.info("stopped")


async def _run(
    kernel: Kernel,
    listener: socket.socket,
    token: str,
    open_assistant: OpenAssistant,
    ready: Callable[[], None],
) -> None:
    import uvicorn

    from tools.devices.protocol import DeviceProtocol
    from ui.api.app import create_app
    from ui.api.door import Door
    from ui.devices_api import device_router

    class Server(uvicorn.Server):
        """Leaves signals to us; says when it takes requests, and only then loads the rest."""

        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()
            door.begin()

    door = Door(kernel, token, open_assistant, shut_down=lambda: stop())
    app = create_app(door, [device_router(kernel)])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=30,
        server_header=False,
    )
    server = Server(config)
    quiet: list[asyncio.Future[None]] = []

    def stop() -> None:
        _stop_soon(server)
        kernel.get(DeviceProtocol).send_away()
        quiet.append(asyncio.ensure_future(door.quiet()))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve([listener])


def _stop_soon(server: uvicorn.Server) -> None:
    if not server.should_exit:
        log.info("stopping")
        watchdog = threading.Timer(STOP_SECONDS, _give_up)
        watchdog.daemon = True
        watchdog.start()
    server.should_exit = True


def _give_up() -> None:
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
