"""Fixtures that every test shares: a fresh home, a started kernel, calls through the gate."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.support.postgres"]

for variable in [
    name for name in os.environ if name.startswith(("PILOTHOUSE_", "LANGFUSE_", "OTEL_"))
]:
    if variable != "PILOTHOUSE_ASSETS" and not variable.startswith("PILOTHOUSE_TEST_"):
        del os.environ[variable]
# A library of the web chat installs a package named `tests`; in the processes that tests start,
# ours goes before it, as it does in this one.
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from tools.kernel.errors import NeedsApproval
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated home that every test's home is copied from; made once for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    template = shared / "template-home"
    with (shared / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (template / ".complete").exists():
            shutil.rmtree(template, ignore_errors=True)
            _prepare(template)
            (template / ".complete").touch()
    return template


def _prepare(home: Path) -> None:
    kernel = Kernel(Settings(home=home))
    try:
        from tools.kernel.mlflow_store import tracking
    except ImportError:
        pass
    else:
        tracking(kernel).search_registered_models()
    kernel.stop()


@pytest.fixture
def home(template_home: Path, tmp_path: Path) -> Path:
    """An empty home with its database migrated."""
    target = tmp_path / "home"
    shutil.copytree(template_home, target)
    shutil.rmtree(target / "keys", ignore_errors=True)
    (target / "audit.head").unlink(missing_ok=True)
    return target


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    """A kernel on a fresh home, with its job engine running."""
    opened = Kernel(Settings(home=home))
    opened.start()
    yield opened
    opened.stop()


@pytest.fixture
def context(kernel: Kernel) -> RequestContext:
    """The owner's context."""
    return RequestContext(kernel.principals.local())


@pytest.fixture
def call(kernel: Kernel, context: RequestContext) -> Callable[..., Outcome]:
    """Call an operation as the owner: `call("datasets.list")`."""

    def run(name: str, /, **arguments: Any) -> Outcome:
        return kernel.gate.call(name, arguments, context)

    return run


@pytest.fixture
def approved(kernel: Kernel, context: RequestContext) -> Callable[..., Outcome]:
    """Call a dangerous operation as the owner, who approves it by typing what is asked."""

    def run(name: str, /, **arguments: Any) -> Outcome:
        try:
            return kernel.gate.call(name, arguments, context)
        except NeedsApproval as needed:
            approval = needed.approval
        kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
        return kernel.gate.call(name, arguments, context, approval=approval["id"])

    return run


@pytest.fixture
def finished(kernel: Kernel, approved: Callable[..., Outcome]) -> Callable[..., dict[str, Any]]:
    """Call an operation that runs as a job, wait for its end, and return its result."""

    def run(name: str, /, **arguments: Any) -> dict[str, Any]:
        outcome = approved(name, **arguments)
        assert outcome.job is not None
        row = kernel.jobs.wait(outcome.job, timeout=550)  # or the test's own end
        assert row.status == "done", row.error
        assert row.result is not None
        return row.result

    return run
