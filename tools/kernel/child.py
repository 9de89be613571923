"""Heavy compute in a child process that never outlives its parent.

Protocol: `python -m MODULE spec.json`; the child prints one JSON object a line on standard output:
`{"progress": 0.3, "message": "…", "metrics": {…}}` as often as it likes, and last
`{"result": {…}}` or `{"error": {"code", "message", "hint"}}`. Standard error goes to
`child.log` in the job's folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel import errors
from tools.kernel.errors import Cancelled, OperationFailed, PilothouseError
from tools.kernel.settings import Settings

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext

GRACE_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded here: nothing may be loaded between fork and exec


def emit(**event: Any) -> None:
    """For the child: print one event."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


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
    path = job.workdir / f"{module.rpartition('.')[2]}.spec.json"
    path.write_text(json.dumps(spec))
    with (job.workdir / "child.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", module, str(path)],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=_environment(settings),
            cwd=Path(__file__).parents[2],
            preexec_fn=_die_with_parent,
        )
    watcher = _Watcher(job, process)
    watcher.start()
    try:
        outcome = _listen(process, job, on_event)
    finally:
        _end(process)
        watcher.join()
    if watcher.cancelled:
        raise Cancelled(f"Job {job.id} was cancelled while {module} computed; it was stopped.")
    return _outcome(outcome, process.returncode, job)


class _Watcher(threading.Thread):
    """Ends the child as soon as its job is cancelled."""

    def __init__(self, job: JobContext, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._job = job
        self._process = process
        self.cancelled = False

    def run(self) -> None:
        """Look until the child has ended."""
        while self._process.poll() is None:
            try:
                self._job.check_cancelled()
            except Cancelled:
                self.cancelled = True
                _end(self._process)
                return
            try:
                self._process.wait(0.25)
            except subprocess.TimeoutExpired:
                continue


def _listen(
    process: subprocess.Popen[bytes],
    job: JobContext,
    on_event: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any] | None:
    outcome: dict[str, Any] | None = None
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a library's stray print is no event
        if not isinstance(event, dict):
            continue
        if "result" in event or "error" in event:
            outcome = event
        elif "progress" in event:
            job.progress(event["progress"], event.get("message", ""), **event.get("metrics", {}))
        if on_event is not None:
            on_event(event)
    return outcome


def _outcome(event: dict[str, Any] | None, code: int | None, job: JobContext) -> dict[str, Any]:
    if event is not None and "error" in event:
        raise _raised(event["error"])
    if event is None or code != 0:
        raise OperationFailed(
            f"The computing process of job {job.id} ended with code {code} and no result.",
            hint=f"Its log: {job.workdir / 'child.log'}",
        )
    return event["result"]


def _raised(data: dict[str, Any]) -> PilothouseError:
    known = {
        c.code: c
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, PilothouseError) and c is not errors.NeedsApproval
    }
    kind = known.get(data.get("code", ""), OperationFailed)
    return kind(data["message"], hint=data.get("hint"), suggestions=data.get("suggestions", ()))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    threads = str(settings.threads)
    pinned = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(pinned, threads),
        "PILOTHOUSE_HOME": str(settings.home),
        "PILOTHOUSE_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
