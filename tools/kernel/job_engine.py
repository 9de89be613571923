"""The job engine: DBOS workflows that carry out operations and complete their receipts.

One engine a process. The workflow's id is `job-<number>` within one home, so that enqueuing a job
twice, or taking it up after a crash, never runs it twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID

from tools.kernel.budget import MONEY
from tools.kernel.errors import Cancelled, OperationFailed, PilothouseError
from tools.kernel.gate import prove
from tools.kernel.jobs import JobContext, Jobs, unpack_context
from tools.kernel.operations import Call, Operation
from tools.kernel.receipts import Receipt
from tools.kernel.secrets import masked
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
T = TypeVar("T")

COMPUTE_QUEUE = "pilothouse-compute"
COMPUTE_AT_ONCE = 2
# Recovery takes up only workflows of the same version; a restart after an update must do so too.
ENGINE_VERSION = "1"

_running: dict[str, JobEngine] = {}


@DBOS.workflow(name="pilothouse.job")
def _job(job: int) -> None:
    _running["engine"].carry_out(job)


class JobEngine:
    """Runs jobs of one home in this process."""

    def __init__(self, kernel: Kernel, jobs: Jobs) -> None:
        self._kernel = kernel
        self._jobs = jobs

    def launch(self) -> None:
        """Start DBOS on the home's job database and take up what a crash cut off."""
        _running["engine"] = self
        config: DBOSConfig = {
            "name": "pilothouse",
            "system_database_url": self._kernel.settings.jobs_database,
            "application_version": ENGINE_VERSION,
            "executor_id": "platform",
            "log_level": "ERROR",
        }
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            COMPUTE_QUEUE, worker_concurrency=COMPUTE_AT_ONCE, polling_interval_sec=0.1
        )

    def close(self) -> None:
        """Stop; running workflows are taken up at the next launch."""
        DBOS.destroy()
        _running.pop("engine", None)

    def enqueue(self, job: int) -> None:
        """Hand a job to DBOS: rollouts start at once, compute waits for its turn."""
        row = self._row(job)
        with SetWorkflowID(f"job-{job}"):
            if row.operation.startswith("deployment."):
                DBOS.start_workflow(_job, job)
            else:
                DBOS.enqueue_workflow(COMPUTE_QUEUE, _job, job)

    def step(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a durable step of the current workflow."""
        return DBOS.run_step({"name": name}, function, *args, **kwargs)

    def carry_out(self, job: int) -> None:
        """Run a job's operation to its end and write its second receipt, once."""
        row = self._jobs.begin(job)
        if row.status not in ("queued", "running"):
            return
        operation = self._kernel.operations.get(row.operation)
        context = unpack_context(row.context)
        workdir = self._kernel.settings.folder("work", "jobs", str(job))
        running = JobContext(self._jobs, job, row.tenant, workdir)
        call = Call(self._kernel, context, operation, running)
        try:
            running.check_cancelled()
            args = operation.input.model_validate(row.arguments)
            result = operation.function(args, call)
            self._complete(row, operation, args, result, call)
        except Cancelled as error:
            self._fail(row, "cancelled", error)
        except PilothouseError as error:
            self._fail(row, "failed", error)
        except Exception as error:
            log.exception("job %s (%s) failed", job, row.operation)
            what = f"Job {job} ({row.operation}) failed unexpectedly ({type(error).__name__})."
            self._fail(row, "failed", OperationFailed(what, hint="`pilothouse logs` says more."))

    def _complete(
        self, row: JobRow, operation: Operation[Any, Any], args: Any, result: BaseModel, call: Call
    ) -> None:
        receipt = prove(operation, args, result, call, self._receipt(row, "done"))
        self._settle(row, receipt, masked(result), None)

    def _fail(self, row: JobRow, status: str, error: PilothouseError) -> None:
        receipt = self._receipt(row, status).model_copy(
            update={"says": str(error), "error": error.as_dict()}
        )
        self._settle(row, receipt, None, error.as_dict())

    def _settle(
        self,
        row: JobRow,
        receipt: Receipt,
        result: dict[str, Any] | None,
        error: dict[str, Any] | None,
    ) -> None:
        if self._kernel.receipts.for_job(row.id) is None:
            self._kernel.gate.store(receipt)
            principal = unpack_context(row.context).principal
            self._kernel.budget.record(principal, MONEY, receipt.cost, f"job {row.id}")
        self._kernel.catalogue.changed()
        self._jobs.end(row.id, receipt.status, result, error)

    def _receipt(self, row: JobRow, status: str) -> Receipt:
        started = self._kernel.receipts.get(str(row.receipt), row.tenant)
        seconds = time.time() - row.started.timestamp() if row.started else 0.0
        cost = seconds / 3600 * self._kernel.settings.hourly_rate
        fresh = Receipt.model_validate(
            {**started.model_dump(exclude={"id", "number", "created"}), "status": status}
        )
        return fresh.model_copy(
            update={"seconds": round(seconds, 3), "cost": round(cost, 6), "job": row.id}
        )

    def _row(self, job: int) -> JobRow:
        with self._kernel.database.session() as session:
            return session.get_one(JobRow, job)
