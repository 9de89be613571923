"""What a job is handed while it runs: durable steps, progress, cancellation, child processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tools.kernel.errors import Cancelled

if TYPE_CHECKING:
    from tools.kernel.jobs import Jobs

T = TypeVar("T")


class Interrupted(BaseException):
    """The process stops; a job that is cut off so goes on at the next start. Never catch it."""


class JobContext:
    """What an operation that runs as a job is handed: durable steps, progress, cancellation.

    Attributes:
        id: the job's number.
        workdir: a folder of its own that survives restarts; checkpoints go there.
        settings: of the home.
    """

    def __init__(self, jobs: Jobs, job: int, tenant: str, workdir: Path) -> None:
        self.id = job
        self.workdir = workdir
        self.settings = jobs.settings
        self._jobs = jobs
        self._tenant = tenant
        self._worked_until = time.monotonic()

    def step(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a step durably: once finished it is never run again, its result is kept.

        A step that was cut off by a crash runs again from its start.

        Raises:
            Cancelled: before the step, if the job was cancelled.
        """
        self.check_cancelled()
        return self._jobs.engine.step(name, function, *args, **kwargs)

    def progress(self, fraction: float, message: str = "", **metrics: float) -> None:
        """Tell how far the job is, from 0 to 1, with figures worth showing."""
        self._jobs.report(self.id, self._tenant, fraction, message, metrics, self.worked())

    def check_cancelled(self) -> None:
        """Stop here if the job was cancelled.

        Raises:
            Cancelled: if so.
            Interrupted: if this process stops; let it pass.
        """
        if self._jobs.stopping:
            raise Interrupted(f"job {self.id} goes on at the next start")
        if self._jobs.is_cancelled(self.id):
            raise Cancelled(f"Job {self.id} was cancelled.")

    def sleep(self, seconds: float) -> None:
        """Wait durably; ends early when the job is cancelled. Waiting costs nothing.

        Raises:
            Cancelled: if it was.
        """
        deadline = self.step("sleep until", _deadline, seconds)
        worked = self.worked()
        try:
            while time.time() < deadline:
                self._jobs.wait_for_cancel(self.id, min(0.5, max(deadline - time.time(), 0.0)))
                self.check_cancelled()
        finally:
            self._worked_until = time.monotonic() - worked

    def wait_while(self, holds: Callable[[], bool]) -> None:
        """Wait as long as something holds; waiting costs nothing.

        Raises:
            Cancelled: if the job was cancelled.
        """
        worked = self.worked()
        try:
            while holds():
                self._jobs.wait_for_cancel(self.id, 0.5)
                self.check_cancelled()
        finally:
            self._worked_until = time.monotonic() - worked

    def worked(self) -> float:
        """The seconds of work since this was last asked; what a job costs is counted from it."""
        since, self._worked_until = self._worked_until, time.monotonic()
        return max(self._worked_until - since, 0.0)

    def spent(self) -> float:
        """The seconds of work since the job began, over all attempts; waiting is none."""
        told = self._jobs.get(self.id, self._tenant).seconds
        return told + max(time.monotonic() - self._worked_until, 0.0)

    def child(
        self,
        module: str,
        spec: dict[str, Any],
        *,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Run heavy compute in `python -m module spec.json`; see `tools.kernel.child`.

        Returns:
            The child's `result`.

        Raises:
            Cancelled: the job was cancelled; the child is gone.
            PilothouseError: what the child reported, or `OperationFailed` if it died.
        """
        from tools.kernel.child import run_child

        self.check_cancelled()
        return run_child(self, self.settings, module, spec, on_event)


class JobPart(JobContext):
    """A job as one of its parts is handed it: what the part tells is told of the whole.

    Args:
        whole: the job.
        told: from the part's share and message to the whole's.
    """

    def __init__(self, whole: JobContext, told: Callable[[float, str], tuple[float, str]]) -> None:
        super().__init__(whole._jobs, whole.id, whole._tenant, whole.workdir)
        self._whole = whole
        self._told = told

    def progress(self, fraction: float, message: str = "", **metrics: float) -> None:
        """See `JobContext`; the share is the part's."""
        self._whole.progress(*self._told(fraction, message), **metrics)

    def wait_while(self, holds: Callable[[], bool]) -> None:
        """See `JobContext`."""
        self._whole.wait_while(holds)


def _deadline(seconds: float) -> float:
    return time.time() + seconds
