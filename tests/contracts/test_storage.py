"""What every database under the platform does. A new one joins with a subclass that gives `url`."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, inspect, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from tools.kernel.errors import Unavailable
from tools.kernel.storage import Base, Database
from tools.kernel.tables import EventRow, JobRow, PrincipalRow, ReceiptCounterRow

ROOT = Path(__file__).parents[2]


def import_all_tables() -> None:
    """Every table of every package is in the metadata."""
    for path in sorted([*ROOT.glob("tools/*/tables.py"), ROOT / "graphs" / "tables.py"]):
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def versions(database: Database) -> set[str]:
    with database.session() as session:
        return set(session.scalars(text("select version_num from ph_schema_version")))


class StorageContract:
    """Importable: a subclass gives the fixture `url` of an empty database."""

    @pytest.fixture
    def url(self) -> Iterator[str]:
        raise NotImplementedError

    @pytest.fixture
    def database(self, url: str) -> Iterator[Database]:
        opened = Database(url)
        opened.migrate()
        yield opened
        opened.close()

    def test_the_migrations_make_exactly_the_tables_that_the_code_knows(self, database):
        import_all_tables()

        def ours(name, kind, parents):
            table = name if kind == "table" else parents.get("table_name")
            return table is None or (table.startswith("ph_") and table != "ph_schema_version")

        with database.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": ours}
            )
            assert compare_metadata(context, Base.metadata) == []

    def test_all_our_tables_are_named_as_ours_and_carry_a_tenant(self, database):
        import_all_tables()
        shared = {"ph_audit", "ph_counters", "ph_events"}
        for table in Base.metadata.tables.values():
            assert table.name.startswith("ph_")
            of_another = bool(table.foreign_keys)  # which has the tenant
            own = {"tenant", "created"} <= set(table.columns.keys())
            assert own or of_another or table.name in shared, table.name

    def test_migrating_again_changes_nothing(self, database):
        before = versions(database)
        with database.session() as session:
            session.add(PrincipalRow(name="ole", roles=["viewer"]))
        database.migrate()
        Database(database.url).migrate()
        assert versions(database) == before
        with database.session() as session:
            assert session.scalar(select(func.count()).select_from(PrincipalRow)) == 1

    def test_what_an_older_version_wrote_is_kept_by_a_migration(self, url):
        from alembic import command
        from alembic.config import Config

        from tools.kernel.storage.database import MIGRATIONS

        database, config = Database(url), Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = database.engine
        command.upgrade(config, "kernel_0001")
        row = {"tenant": "default", "created": datetime.now(UTC), "operation": "o"}
        row |= {"status": "done", "progress": 1.0, "message": "", "attempts": 1}
        with database.session() as session:
            columns = [c for c in JobRow.__table__.columns if c.name in row]
            names = ", ".join(c.name for c in columns)
            places = ", ".join(f":{c.name}" for c in columns)
            json = ", arguments, context, metrics"
            statement = (
                f"insert into ph_jobs ({names}{json}) values ({places}, '{{}}', '{{}}', '{{}}')"
            )
            session.execute(text(statement), row)
        database.migrate()
        with database.session() as session:
            kept = session.scalars(select(JobRow)).one()
        assert (kept.operation, kept.cancelling, kept.seconds) == ("o", False, 0.0)
        database.close()

    def test_processes_that_migrate_at_once_do_not_disturb_each_other(self, url):
        code = (
            "import sys; from tools.kernel.storage import Database; Database(sys.argv[1]).migrate()"
        )
        both = [subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT) for _ in range(2)]
        assert [process.wait(90) for process in both] == [0, 0]

    def test_a_session_commits_at_its_end(self, database):
        with database.session() as session:
            session.add(PrincipalRow(name="ole", roles=["viewer"]))
        with database.session() as session:
            assert session.scalars(select(PrincipalRow.roles)).all() == [["viewer"]]

    @pytest.mark.parametrize("opened", ["session", "writing"])
    def test_a_session_that_fails_leaves_nothing(self, database, opened):
        with pytest.raises(KeyError), getattr(database, opened)() as session:
            session.add(PrincipalRow(name="ole"))
            session.flush()
            raise KeyError
        with database.session() as session:
            assert session.scalars(select(PrincipalRow)).all() == []

    def test_a_broken_constraint_is_told_as_such(self, database):
        for expected in (False, True):
            try:
                with database.session() as session:
                    session.add(PrincipalRow(name="twice"))
            except IntegrityError:
                assert expected

    def test_an_unknown_table_is_the_programmers_error_not_the_disks(self, database):
        with pytest.raises(Exception) as error, database.session() as session:
            session.execute(text("select * from ph_no_such_table"))
        assert database.url in str(error.value) or "ph_no_such_table" in str(error.value)

    def test_times_come_back_in_utc_and_need_a_zone(self, database):
        east = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=3)))
        with database.session() as session:
            session.add(EventRow(tenant="t", topic="t", kind="k", data={}, at=east))
        with database.session() as session:
            found = session.scalars(select(EventRow.at)).one()
        assert found == east
        assert found.utcoffset() == timedelta(0)
        with pytest.raises(Exception, match="zone"), database.session() as session:
            session.execute(
                insert(EventRow).values(
                    tenant="t", topic="t", kind="k", data={}, at=datetime(2026, 1, 1)
                )
            )

    def test_json_comes_back_as_it_was(self, database):
        data = {"ü": ["\n", None, 1e-9, True, {"": []}], "quote": "'\"; --"}
        with database.session() as session:
            session.add(EventRow(tenant="t", topic="t", kind="k", data=data, at=datetime.now(UTC)))
        with database.session() as session:
            assert session.scalars(select(EventRow.data)).one() == data

    def test_what_a_writing_session_reads_stays_true_until_it_commits(self, database):
        with database.session() as session:
            session.add(ReceiptCounterRow(name="n", value=0))

        def raise_it(_):
            with database.writing() as session:
                value = session.scalar(select(ReceiptCounterRow.value))
                session.execute(update(ReceiptCounterRow).values(value=value + 1))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(raise_it, range(160)))
        with database.session() as session:
            assert session.scalar(select(ReceiptCounterRow.value)) == 160

    def test_sixteen_threads_read_and_write_at_once_and_none_is_turned_away(self, database):
        def work(number):
            for turn in range(12):
                with database.session() as session:
                    session.scalars(select(EventRow).limit(5)).all()
                    session.add(
                        EventRow(tenant="t", topic="t", kind="k", data={}, at=datetime.now(UTC))
                    )
                if turn % 4 == 0:
                    with database.writing() as session:
                        session.scalar(select(func.count()).select_from(EventRow))
                        session.execute(update(EventRow).where(EventRow.id < 3).values(kind="w"))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(16)))
        with database.session() as session:
            assert session.scalar(select(func.count()).select_from(EventRow)) == 192

    def test_a_database_that_is_not_there_is_told_as_unavailable(self, url):
        wrong = make_url(url)
        wrong = wrong.set(database="/no/such/folder/x.db" if "sqlite" in url else "no_such_db")
        database = Database(wrong.render_as_string(hide_password=False))
        with pytest.raises(Unavailable), database.session() as session:
            session.execute(text("select 1"))
        with pytest.raises(Unavailable):
            database.migrate()


class TestSqlite(StorageContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> Iterator[str]:
        yield f"sqlite:///{tmp_path / 'a folder' / 'p.db'}"

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        (tmp_path / "a folder").mkdir()

    def test_writers_and_readers_do_not_wait_for_each_other(self, database):
        with database.session() as session:
            assert session.scalar(text("pragma journal_mode")) == "wal"
            assert session.scalar(text("pragma foreign_keys")) == 1

    def test_our_tables_live_beside_those_of_others(self, database):
        with database.session() as session:
            session.execute(text("create table experiments (id integer primary key)"))
        database.migrate()
        assert "experiments" in inspect(database.engine).get_table_names()


class TestPostgres(StorageContract):
    @pytest.fixture
    def url(self, postgres: str) -> str:
        return postgres
