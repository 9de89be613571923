"""What every registry backend does. A new backend joins with a subclass that gives `backend`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from tools.kernel.errors import Conflict, NotFound
from tools.kernel.settings import Settings
from tools.kernel.storage import Database
from tools.registry.backend import Lineage, ModelVersionInfo, RegistryBackend

TENANT = "default"
LINEAGE = Lineage(
    job=7,
    run_id="0" * 32,
    content_hash="ab" * 32,
    size_bytes=123,
    dataset="tickets@2",
    dataset_hash="cd" * 32,
    base_model="minilm",
    method="lora",
    labels=("billing", "shipping: late", "Zahlung ü"),
    metrics={"validation_accuracy": 0.875, "final_loss": 0.25},
    code_version="0.1.0",
    registered_by="owner",
)


class RegistryContract:
    """Importable: subclasses supply the fixtures `backend` and `again` (a second opening)."""

    @pytest.fixture
    def backend(self) -> RegistryBackend:
        raise NotImplementedError

    @pytest.fixture
    def again(self) -> Callable[[], RegistryBackend]:
        raise NotImplementedError

    @pytest.fixture
    def add(
        self, backend: RegistryBackend, tmp_path: Path
    ) -> Callable[..., tuple[ModelVersionInfo, bool]]:
        def run(job: int = 7, model: str = "router", tenant: str = TENANT):
            artifact = tmp_path / "a folder" / str(job) / "classifier"
            artifact.mkdir(parents=True, exist_ok=True)
            return backend.add(tenant, model, artifact, replace(LINEAGE, job=job))

        return run

    def test_a_version_comes_back_with_everything_that_was_noted(self, backend, add, tmp_path):
        made, created = add()
        found = backend.version(TENANT, "router", 1)
        assert created
        assert made == found
        assert (found.version, found.model, found.tenant) == (1, "router", TENANT)
        assert found.lineage == LINEAGE
        assert found.artifact == tmp_path / "a folder" / "7" / "classifier"
        assert (found.aliases, found.archived) == ((), False)
        assert found.created.tzinfo is not None

    def test_versions_count_up_by_model(self, add):
        assert add(job=7)[0].version == 1
        assert add(job=8)[0].version == 2
        assert add(job=9, model="tagger")[0].version == 1

    def test_the_same_job_under_the_same_name_gives_the_version_that_exists(self, backend, add):
        first, _ = add(job=7)
        again, created = add(job=7)
        assert (again, created) == (first, False)
        assert len(backend.versions(TENANT, "router")) == 1

    def test_the_same_job_may_be_registered_under_another_name(self, add):
        add(job=7)
        assert add(job=7, model="other")[1]

    def test_threads_that_register_one_job_at_once_make_one_version(self, backend, add):
        barrier = Barrier(6)

        def race(_: int) -> tuple[ModelVersionInfo, bool]:
            barrier.wait()
            return add(job=7)

        with ThreadPoolExecutor(6) as pool:
            outcomes = list(pool.map(race, range(6)))
        assert {found.version for found, _ in outcomes} == {1}
        assert sum(created for _, created in outcomes) == 1
        assert len(backend.versions(TENANT, "router")) == 1

    def test_threads_that_register_different_jobs_each_get_a_version(self, add):
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda job: add(job=job), range(10, 18)))
        assert sorted(found.version for found, _ in outcomes) == list(range(1, 9))

    def test_another_opening_sees_the_same(self, backend, add, again):
        add()
        backend.set_alias(TENANT, "router", "champion", 1)
        assert again().version(TENANT, "router", 1) == backend.version(TENANT, "router", 1)
        assert again().alias(TENANT, "router", "champion") == 1

    def test_an_alias_moves_and_tells_where_it_was(self, backend, add):
        add(job=7)
        add(job=8)
        assert backend.alias(TENANT, "router", "champion") is None
        assert backend.set_alias(TENANT, "router", "champion", 1) is None
        assert backend.set_alias(TENANT, "router", "champion", 2) == 1
        assert backend.set_alias(TENANT, "router", "champion", 2) == 2
        assert backend.alias(TENANT, "router", "champion") == 2
        assert backend.version(TENANT, "router", 2).aliases == ("champion",)
        assert backend.version(TENANT, "router", 1).aliases == ()

    def test_a_cleared_alias_points_at_nothing(self, backend, add):
        add()
        backend.set_alias(TENANT, "router", "staging", 1)
        assert backend.set_alias(TENANT, "router", "staging", None) == 1
        assert backend.set_alias(TENANT, "router", "staging", None) is None
        assert backend.alias(TENANT, "router", "staging") is None

    def test_a_version_can_have_several_aliases(self, backend, add):
        add()
        backend.set_alias(TENANT, "router", "staging", 1)
        backend.set_alias(TENANT, "router", "challenger", 1)
        assert backend.version(TENANT, "router", 1).aliases == ("challenger", "staging")

    def test_an_alias_never_points_at_an_unknown_version(self, backend, add):
        add()
        with pytest.raises(NotFound):
            backend.set_alias(TENANT, "router", "champion", 9)
        with pytest.raises(NotFound):
            backend.set_alias(TENANT, "nothing", "champion", 1)
        assert backend.alias(TENANT, "router", "champion") is None

    def test_an_archived_version_takes_no_alias_until_it_is_brought_back(self, backend, add):
        add()
        assert backend.set_archived(TENANT, "router", 1, True)
        assert backend.version(TENANT, "router", 1).archived
        with pytest.raises(Conflict, match="archived"):
            backend.set_alias(TENANT, "router", "champion", 1)
        assert backend.set_archived(TENANT, "router", 1, False)
        assert not backend.version(TENANT, "router", 1).archived
        backend.set_alias(TENANT, "router", "champion", 1)

    def test_archiving_twice_changes_nothing_more(self, backend, add):
        add()
        assert backend.set_archived(TENANT, "router", 1, True)
        assert not backend.set_archived(TENANT, "router", 1, True)

    def test_a_version_with_an_alias_is_neither_archived_nor_removed(self, backend, add):
        add()
        backend.set_alias(TENANT, "router", "champion", 1)
        with pytest.raises(Conflict, match="champion"):
            backend.set_archived(TENANT, "router", 1, True)
        with pytest.raises(Conflict, match="champion"):
            backend.remove(TENANT, "router", 1)
        assert not backend.version(TENANT, "router", 1).archived

    def test_a_removed_version_is_gone_and_its_number_is_not_given_again(self, backend, add):
        add(job=7)
        add(job=8)
        backend.remove(TENANT, "router", 2)
        with pytest.raises(NotFound):
            backend.version(TENANT, "router", 2)
        assert [v.version for v in backend.versions(TENANT)] == [1]
        assert add(job=8)[0].version == 3

    def test_versions_are_listed_by_model_and_newest_first(self, backend, add):
        for job, model in ((1, "tagger"), (2, "router"), (3, "router")):
            add(job=job, model=model)
        listed = [(v.model, v.version) for v in backend.versions(TENANT)]
        assert listed == [("router", 2), ("router", 1), ("tagger", 1)]
        assert [v.version for v in backend.versions(TENANT, "router")] == [2, 1]

    def test_an_unknown_version_is_refused_with_those_there_are(self, backend, add):
        add()
        with pytest.raises(NotFound, match="It has version 1"):
            backend.version(TENANT, "router", 4)
        with pytest.raises(NotFound, match="no model named"):
            backend.version(TENANT, "nothing", 1)

    @pytest.mark.parametrize("name", ["o'neill", "a' OR name LIKE '%", "", "acme~router"])
    def test_a_strange_name_finds_nothing(self, backend, add, name):
        add()
        add(tenant="acme")
        with pytest.raises(NotFound):
            backend.version(TENANT, name, 1)

    def test_tenants_do_not_see_each_other(self, backend, add):
        add(job=7)
        add(job=8, tenant="acme")
        add(job=9, tenant="acme")
        backend.set_alias("acme", "router", "champion", 2)
        assert [v.job for v in backend.versions(TENANT)] == [7]
        assert [v.job for v in backend.versions("acme")] == [9, 8]
        assert backend.alias(TENANT, "router", "champion") is None
        with pytest.raises(NotFound):
            backend.version(TENANT, "router", 2)
        with pytest.raises(NotFound):
            backend.version("other", "router", 1)


class TestMlflowOnSqlite(RegistryContract):
    """MLflow's tables in the platform's own SQLite file."""

    @pytest.fixture
    def settings(self, home: Path) -> Settings:
        return Settings(home=home)

    @pytest.fixture
    def database(self, settings: Settings) -> Iterator[Database]:
        opened = Database(settings.database)
        yield opened
        opened.close()

    @pytest.fixture
    def backend(self, settings: Settings, database: Database) -> RegistryBackend:
        return open_mlflow(settings, database)

    @pytest.fixture
    def again(self, settings: Settings, database: Database) -> Callable[[], RegistryBackend]:
        return lambda: open_mlflow(settings, Database(settings.database))

    @pytest.mark.slow
    def test_processes_that_register_one_job_at_once_make_one_version(
        self, backend, settings, tmp_path
    ):
        artifact = tmp_path / "classifier"
        artifact.mkdir()
        running = [
            subprocess.Popen(
                [sys.executable, "-c", _RACER, str(settings.home), str(artifact)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        told = [json.loads(process.communicate(timeout=90)[0]) for process in running]
        assert sorted(created for _, created in told) == [False, False, True]
        assert {version for version, _ in told} == {1}
        assert len(backend.versions(TENANT, "router")) == 1

    def test_the_platforms_tables_and_mlflows_lie_in_one_file(self, backend, database, add):
        from sqlalchemy import inspect

        add()
        tables = set(inspect(database.engine).get_table_names())
        assert {"ph_jobs", "ph_receipts", "model_versions", "registered_models"} <= tables


def open_mlflow(settings: Settings, database: Database) -> RegistryBackend:
    from tools.kernel.mlflow_store import client
    from tools.registry.mlflow_backend import MlflowBackend

    return MlflowBackend(client(settings), database)


_RACER = """
import json, sys
from pathlib import Path
from tools.kernel.mlflow_store import client
from tools.kernel.settings import Settings
from tools.kernel.storage import Database
from tools.registry.backend import Lineage
from tools.registry.mlflow_backend import MlflowBackend

settings = Settings(home=Path(sys.argv[1]))
backend = MlflowBackend(client(settings), Database(settings.database))
lineage = Lineage(job=7, run_id="0" * 32, content_hash="ab" * 32)
found, created = backend.add("default", "router", Path(sys.argv[2]), lineage)
print(json.dumps([found.version, created]))
"""
