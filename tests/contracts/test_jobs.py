"""What a job engine does, on whatever database. A subclass gives the fixture `settings`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import World, operations
from tools.kernel.errors import Conflict, Unavailable
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.kernel.tables import JobRow


class JobEngineContract:
    """Importable: the same must hold for every engine and every database."""

    @pytest.fixture
    def settings(self) -> Iterator[Settings]:
        raise NotImplementedError

    @pytest.fixture
    def kernel(self, settings: Settings) -> Iterator[Kernel]:
        opened = Kernel(settings, operations())
        opened.start()
        yield opened
        opened.stop()

    @pytest.fixture
    def world(self, kernel: Kernel) -> World:
        return kernel.get(World)

    @pytest.fixture
    def begin(self, kernel: Kernel) -> Callable[..., int]:
        owner = RequestContext(kernel.principals.local())

        def run(shelf: str = "a") -> int:
            job = kernel.gate.call("lab.work", {"shelf": shelf}, owner).job
            assert job is not None
            return job

        return run

    @pytest.fixture
    def ended(self, kernel: Kernel) -> Callable[[int], JobRow]:
        return lambda job: kernel.jobs.wait(job, 60)

    def test_a_job_runs_its_steps_in_order_and_ends_with_its_result(self, begin, ended, world):
        row = ended(begin())
        assert (row.status, row.result, row.attempts) == ("done", {"value": "worked"}, 1)
        assert world.acts == ["first a", "second a"]

    def test_its_progress_and_its_end_are_told_in_order(self, kernel, begin, ended):
        job = begin()
        ended(job)
        assert [e.kind for e in kernel.events.read(f"job:{job}")] == ["job.progress", "job.done"]

    def test_a_failure_ends_the_job_with_its_error(self, begin, ended):
        row = ended(begin("conflict"))
        assert (row.status, row.error["code"], row.result) == ("failed", "conflict", None)

    def test_a_bug_ends_the_job_too(self, begin, ended):
        assert ended(begin("boom")).error["code"] == "operation_failed"

    def test_a_running_job_is_cancelled(self, kernel, begin, ended, world):
        reached = threading.Event()
        world.inside = reached.set
        job = begin("long")
        assert reached.wait(30)
        kernel.jobs.cancel(job, "default")
        assert ended(job).status == "cancelled"
        assert world.acts == ["first long"]

    def test_an_ended_job_is_not_cancelled(self, kernel, begin, ended):
        job = begin()
        ended(job)
        with pytest.raises(Conflict):
            kernel.jobs.cancel(job, "default")

    def test_every_job_has_one_receipt_of_its_start_and_one_of_its_end(self, kernel, begin, ended):
        jobs = [begin(shelf) for shelf in ("a", "conflict", "b")]
        statuses = [ended(job).status for job in jobs]
        assert statuses == ["done", "failed", "done"]
        found = kernel.receipts.list("default")
        assert sorted((r.job, r.status) for r in found) == sorted(
            [(j, "started") for j in jobs] + list(zip(jobs, statuses, strict=True))
        )
        assert kernel.audit.verify().intact

    def test_what_a_stop_cuts_off_goes_on_at_the_next_start(self, kernel, begin, ended, world):
        reached = threading.Event()
        world.inside = reached.set
        job = begin("stubborn")
        assert reached.wait(30)
        kernel.jobs.stop()
        with pytest.raises(Unavailable):
            begin()
        work = kernel.operations.get("lab.work")
        finish = work.function
        work.function = lambda args, call: finish(args.model_copy(update={"shelf": "free"}), call)
        kernel.start()
        row = ended(job)
        assert (row.status, row.attempts) == ("done", 2)
        assert world.acts == ["first stubborn", "second free"]


class TestSqlite(JobEngineContract):
    @pytest.fixture
    def settings(self, home: Path) -> Iterator[Settings]:
        yield Settings(home=home)


class TestPostgres(JobEngineContract):
    @pytest.fixture
    def settings(self, tmp_path: Path, postgres: str) -> Settings:
        return Settings(home=tmp_path, database_url=postgres)
