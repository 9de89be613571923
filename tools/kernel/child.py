"""Heavy compute in a child process that never outlives its parent.

Protocol: `python -m MODULE spec.json`; the child prints one JSON object a line on standard output:
`{"progress": 0.3, "message": "…", "metrics": {…}}` as often as it likes, and last
`{"result": {…}}` or `{"error": {"code", "message", "hint"}}`. Standard error goes to
`child.log` in the job's folder, and so does what native libraries print; other lines are ignored.

The child is started by way of this module, which ties it to its parent's life before the module's
own imports begin.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tools.kernel import errors, stillness
from tools.kernel.errors import Cancelled, OperationFailed, PilothouseError

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.settings import Settings

GRACE_SECONDS = 5.0
LOOK_SECONDS = 0.25
NICENESS = 10
"""Where processors are short, a person's sentence goes before a job that takes minutes."""
_PR_SET_PDEATHSIG = 1


class Killed(OperationFailed):
    """The computing process was ended by a signal before it had a result.

    Args:
        job: whose process it was.
        number: the signal's.
        log: what it wrote on standard error.
        host: where it ran; empty on this machine.
    """

    def __init__(self, job: int, number: int, log: Path, host: str = "") -> None:
        kind = signal.Signals(number) if number in set(signal.Signals) else None
        name = kind.name if kind else f"signal {number}"
        why = "; most likely memory ran out" if kind is signal.SIGKILL else ""
        where = f" on {host}" if host else ""
        super().__init__(
            f"The computing process of job {job}{where} was ended by {name}{why}.",
            hint=f"Its log: {log}",
        )


def emit(**event: Any) -> None:
    """For the child: print one event; progress is told between two steps (`stillness`)."""
    sys.stdout.write("\n" + json.dumps(event) + "\n")  # whatever stands on the line before
    sys.stdout.flush()
    if "progress" in event:
        stillness.pass_by()


def child_main(function: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """For the child: read the spec named on the command line, run, report result or error."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    try:
        result = function(spec)
    except PilothouseError as error:
        emit(error=error.as_dict())
        sys.exit(1)
    emit(result=result)


def run_child(
    job: JobContext,
    settings: Settings,
    module: str,
    spec: dict[str, Any],
    on_event: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    """Run the child to its end; see `JobContext.child`."""
    told = json.dumps(spec)
    mark = hashlib.sha256(told.encode()).hexdigest()[:8]  # several may run at once
    path = job.workdir / f"{module.rpartition('.')[2]}.{mark}.spec.json"
    path.write_text(told)
    process = start_child(module, path, job.workdir / "child.log", _environment(settings))
    watcher = _Watcher(job, process)
    watcher.start()
    try:
        outcome = _listen(process, job, on_event)
    except BaseException:
        watcher.finish(0)
        raise
    watcher.finish(GRACE_SECONDS)
    if watcher.stopped_by is not None:
        raise watcher.stopped_by
    return _outcome(outcome, process.returncode, job)


def start_child(
    module: str, spec: Path, log: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a child that dies with this process.

    Args:
        module: what it runs.
        spec: the file that it is told by.
        log: where its standard error is added to.
        environment: its variables.

    Returns:
        The process; its standard output is a pipe of events.
    """
    command = [sys.executable, "-m", __name__, str(os.getpid()), module, str(spec)]
    with log.open("ab") as errors_to:
        return _nursery.start(
            command,
            stdout=subprocess.PIPE,
            stderr=errors_to,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=Path(__file__).parents[2],
            start_new_session=True,  # a terminal's Ctrl-C is the platform's to answer
        )


class _Nursery:
    """Starts processes from one thread that lives as long as the process.

    The kernel sends the parent-death signal when the *thread* that started a child ends, so a
    worker thread must not be a parent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[tuple[Future[Any], tuple[Any, ...], dict[str, Any]]]
        self._orders = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, *args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        """`subprocess.Popen(*args, **kwargs)`."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # not begun, or after a fork
                self._thread = threading.Thread(target=self._run, name="nursery", daemon=True)
                self._thread.start()
        made: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((made, args, kwargs))
        return made.result()

    def _run(self) -> None:
        while True:
            made, args, kwargs = self._orders.get()
            try:
                made.set_result(subprocess.Popen(*args, **kwargs))
            except BaseException as error:
                made.set_exception(error)


_nursery = _Nursery()


class _Watcher(threading.Thread):
    """Ends the child as soon as its job is cancelled, its process stops, or nobody listens."""

    def __init__(self, job: JobContext, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name=f"child of job {job.id}", daemon=True)
        self._job = job
        self._process = process
        self._unheard = threading.Event()
        self.stopped_by: BaseException | None = None

    def finish(self, grace: float) -> None:
        """The child has closed its output, or nobody listens any more: see that it ends."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        self._unheard.set()
        self.join()

    def run(self) -> None:
        """Look until the child has ended."""
        while self._process.poll() is None:
            reason = self._reason()
            if reason is not None or self._unheard.is_set():
                self.stopped_by = reason
                _end(self._process)
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_SECONDS)

    def _reason(self) -> BaseException | None:
        try:
            self._job.check_cancelled()
        except Cancelled:
            return Cancelled(f"Job {self._job.id} was cancelled while it computed; it was stopped.")
        except PilothouseError:
            return None  # the database is busy: look again
        except BaseException as interrupted:
            return interrupted
        return None


def _listen(
    process: subprocess.Popen[bytes],
    job: JobContext,
    on_event: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any] | None:
    outcome: dict[str, Any] | None = None
    for line in process.stdout or ():
        event = event_of(line)
        if event is None:
            continue
        if "result" in event or "error" in event:
            outcome = event
        elif "progress" in event:
            metrics = event.get("metrics")
            job.progress(
                event["progress"],
                str(event.get("message", "")),
                **_figures(metrics if isinstance(metrics, dict) else {}),
            )
        if on_event is not None:
            on_event(event)
    return outcome


def event_of(line: bytes) -> dict[str, Any] | None:
    """The event that a line holds; None for anything else, such as a library's stray print."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    event = cast("dict[str, Any]", event)
    if "progress" in event and not _is_figure(event["progress"]):
        return None
    for name in ("result", "error"):
        if name in event and not isinstance(event[name], dict):
            return None
    return event


def _figures(metrics: dict[str, Any]) -> dict[str, float]:
    taken = ("fraction", "message")
    return {k: v for k, v in metrics.items() if _is_figure(v) and k not in taken}


def _is_figure(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _outcome(event: dict[str, Any] | None, code: int | None, job: JobContext) -> dict[str, Any]:
    if event is not None and "error" in event:
        raise raised(event["error"])
    if event is None and code is not None and code < 0:
        raise Killed(job.id, -code, job.workdir / "child.log")
    if event is None:
        raise OperationFailed(
            f"The computing process of job {job.id} ended with code {code} and no result.",
            hint=f"Its log: {job.workdir / 'child.log'}",
        )
    return event["result"]


def raised(data: dict[str, Any]) -> PilothouseError:
    """The error that an event tells of, of its own class."""
    known = {
        c.code: c
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, PilothouseError) and c is not errors.NeedsApproval
    }
    kind = known.get(str(data.get("code", "")), OperationFailed)
    message = str(data.get("message") or "The computing process failed.")
    suggestions = data.get("suggestions") or ()
    return kind(message, hint=data.get("hint"), suggestions=[str(s) for s in suggestions])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a child and what it started itself: politely, then for good."""
    if process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
            return
    process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    database = {"PILOTHOUSE_DATABASE_URL": settings.database_url} if settings.database_url else {}
    return {
        **os.environ,
        **quiet_environment(settings.threads),
        **database,
        "PILOTHOUSE_HOME": str(settings.home),
        stillness.FOLDER: str(settings.folder("work")),
        "PILOTHOUSE_THREADS": str(settings.threads),
    }


def quiet_environment(threads: int) -> dict[str, str]:
    """What keeps libraries to their threads and off the network."""
    pinned = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **dict.fromkeys(pinned, str(threads)),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "ORT_DISABLE_TELEMETRY": "1",
    }


def _begin(parent: int, module: str, spec: str) -> None:
    """In the child: die with the parent, yield to people, print only events, run the module."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was asked for
        sys.exit(1)
    os.nice(NICENESS)
    stillness.join()
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.argv = [module, spec]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _begin(int(sys.argv[1]), sys.argv[2], sys.argv[3])
