"""MLflow over the platform's own database: one client, safe to ask for from anywhere.

Owns opening MLflow (its schema is made at the first use, by one process at a time), experiments and
where their artifacts lie. What is written into runs belongs to `tools.training`, model versions to
`tools.registry`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings

_clients: dict[str, MlflowClient] = {}
_guard = threading.Lock()
_ADVISORY_KEY = 0x70696C6F74  # any number that only this lock uses


def client(settings: Settings) -> MlflowClient:
    """The process's MLflow client for the platform's database (tracking and registry).

    The first call imports MLflow (seconds) and, in a fresh home, makes its tables.

    Raises:
        Unavailable: if the database cannot be opened or written.
    """
    uri = store_uri(settings)
    with _guard:
        if uri not in _clients:
            _clients[uri] = _open(uri, settings)
        return _clients[uri]


def tracking(kernel: Kernel) -> MlflowClient:
    """The process's MLflow client for a kernel's database; see `client`."""
    return client(kernel.settings)


def is_laid(kernel: Kernel) -> bool:
    """True if MLflow's tables are there; asked without importing MLflow or making them."""
    from sqlalchemy import inspect

    return inspect(kernel.database.engine).has_table("registered_models")


def store_uri(settings: Settings) -> str:
    """The URI under which MLflow opens the platform's database; it waits 30 s for a busy SQLite."""
    url = settings.database
    if url.startswith("sqlite") and "timeout=" not in url:
        return f"{url}{'&' if '?' in url else '?'}timeout=30"
    return url


def experiment(settings: Settings, name: str) -> str:
    """The id of the experiment of that name, made when missing; its artifacts lie in the home."""
    from mlflow.exceptions import MlflowException

    store = client(settings)
    found = store.get_experiment_by_name(name)
    if found is None:
        location = settings.folder("artifacts", name).as_uri()
        try:
            return store.create_experiment(name, artifact_location=location)
        except MlflowException:
            found = store.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def artifact_folder(settings: Settings, run_id: str) -> Path:
    """The local folder of a run's artifacts."""
    from urllib.parse import unquote, urlparse

    uri = client(settings).get_run(run_id).info.artifact_uri
    return Path(unquote(urlparse(str(uri)).path))


def _open(uri: str, settings: Settings) -> MlflowClient:
    _quiet()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with _alone(settings):
            opened = MlflowClient(tracking_uri=uri, registry_uri=uri)
            opened.search_experiments(max_results=1)
            opened.search_registered_models(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise Unavailable(
            f"MLflow's tables could not be opened: {str(error).splitlines()[0]}",
            hint="Check the disk's free space and that the database is reachable.",
        ) from error
    return opened


def _quiet() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("mlflow", "mlflow.store.db.utils", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    if not settings.database.startswith("sqlite"):
        with _advisory(settings.database):
            yield
        return
    with (settings.folder("locks") / "mlflow.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _advisory(url: str) -> Iterator[None]:
    from sqlalchemy import NullPool, create_engine, text

    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        yield
