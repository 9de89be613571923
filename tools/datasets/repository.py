"""Dataset versions and their uses in the database, and the bundled datasets' entries."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tools.datasets.builtin import BUNDLED, Bundled
from tools.datasets.loading import Chosen, load
from tools.datasets.profile import Prepared, profiled
from tools.datasets.store import DatasetStore
from tools.datasets.tables import DatasetRow, DatasetUseRow
from tools.datasets.types import DatasetProfile
from tools.kernel.entities import fold, nearest
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.storage import Database


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset version, as other domains see it.

    Attributes:
        id: the row's id, for `record_use`.
        name: the dataset's name.
        version: counts from 1.
        sha256: SHA-256 of the canonical rows.
        source: the path it was added from.
        builtin: True if it ships with the platform.
        created: when it was added.
        profile: what was measured when it was added.
    """

    id: int
    name: str
    version: int
    sha256: str
    source: str
    builtin: bool
    created: datetime
    profile: DatasetProfile

    def __str__(self) -> str:
        """Name and version as `resolve` takes them."""
        return f"{self.name}@{self.version}"


class DatasetRepository:
    """The dataset versions of a home; safe to use from several threads and processes.

    Args:
        database: holds the versions.
        store: holds their rows.
    """

    def __init__(self, database: Database, store: DatasetStore) -> None:
        self._database = database
        self._store = store
        self._lock = threading.Lock()
        self._bundled: set[str] = set()

    def all(self, tenant: str) -> dict[str, Sequence[Dataset]]:
        """Every dataset's versions, newest first, by name."""
        self._ensure_bundled(tenant)
        found: dict[str, list[Dataset]] = {}
        order = (DatasetRow.name, DatasetRow.version.desc())
        query = select(DatasetRow).filter_by(tenant=tenant).order_by(*order)
        with self._database.session() as session:
            for row in session.scalars(query):
                found.setdefault(row.name, []).append(_dataset(row))
        return dict(found)

    def versions(self, tenant: str, name: str) -> Sequence[Dataset]:
        """The versions of a dataset, newest first; the bundled ones under their other names.

        Raises:
            NotFound: with the nearest names.
        """
        everything = self.all(tenant)
        folded = fold(name)
        for known, versions in everything.items():
            if folded == fold(known):
                return versions
        for bundled in BUNDLED:
            if folded in {fold(also) for also in bundled.also}:
                return [v for v in everything[bundled.name] if v.builtin]
        raise NotFound(
            f"There is no dataset named {name!r}.",
            suggestions=nearest(name, list(everything)),
            hint="`datasets.add` adds one from a file.",
        )

    def find(self, tenant: str, name: str, version: int) -> Dataset | None:
        """A version by its canonical name, or None."""
        query = select(DatasetRow).filter_by(tenant=tenant, name=name, version=version)
        with self._database.session() as session:
            row = session.scalar(query)
        return _dataset(row) if row is not None else None

    def insert(
        self,
        tenant: str,
        name: str,
        version: int,
        prepared: Prepared,
        source: str,
        *,
        builtin: bool = False,
    ) -> None:
        """Store a version, rows and entry, whole or not at all.

        Raises:
            Conflict: if another process added this version at the same moment.
            Unavailable: if it cannot be written.
        """
        present = self._store.path(prepared.sha256).is_file()
        self._store.write(prepared.sha256, prepared.rows)
        try:
            with self._database.session() as session:
                row = DatasetRow(
                    tenant=tenant,
                    name=name,
                    version=version,
                    sha256=prepared.sha256,
                    source=source,
                    builtin=builtin,
                    rows=len(prepared.rows),
                    profile=prepared.profile.model_dump(mode="json"),
                )
                session.add(row)
        except IntegrityError:
            raise Conflict(
                f"Somebody added {name} v{version} at the same moment.", hint="Add it again."
            ) from None
        except BaseException:
            if not present:
                self._store.delete(prepared.sha256)
            raise

    def remove(self, dataset: Dataset) -> None:
        """Remove a version and, where nobody else has the same content, its rows."""
        with self._database.session() as session:
            session.delete(session.get_one(DatasetRow, dataset.id))
            session.flush()
            same = select(func.count()).where(DatasetRow.sha256 == dataset.sha256)
            shared = session.scalar(same)
        if not shared:
            self._store.delete(dataset.sha256)

    def uses(self, dataset: Dataset) -> list[str]:
        """What was made from a version."""
        query = select(DatasetUseRow.used_by).filter_by(dataset=dataset.id)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(DatasetUseRow.id)))

    def record_use(self, dataset: Dataset, tenant: str, used_by: str) -> None:
        """Note that something was made from a version; noting it twice changes nothing."""
        query = select(DatasetUseRow).filter_by(dataset=dataset.id, used_by=used_by)
        with self._database.writing() as session:
            if session.scalar(query) is None:
                row = DatasetUseRow(dataset=dataset.id, used_by=used_by, tenant=tenant)
                session.add(row)

    def forget_use(self, tenant: str, used_by: str) -> None:
        """Take back every use by something."""
        query = select(DatasetUseRow).filter_by(tenant=tenant, used_by=used_by)
        with self._database.session() as session:
            for row in session.scalars(query):
                session.delete(row)

    def _ensure_bundled(self, tenant: str) -> None:
        with self._lock:
            if tenant not in self._bundled:
                for bundled in BUNDLED:
                    self._ensure(tenant, bundled)
                self._bundled.add(tenant)

    def _ensure(self, tenant: str, bundled: Bundled) -> None:
        loaded = load(bundled.folder, Chosen())
        query = select(DatasetRow).filter_by(tenant=tenant, name=bundled.name)
        with self._database.session() as session:
            known = list(session.scalars(query))
        if any(v.builtin and v.sha256 == loaded.sha256 for v in known):
            return
        version = 1 + max((v.version for v in known), default=0)
        source, prepared = "bundled with the platform", profiled(loaded)
        try:
            self.insert(tenant, bundled.name, version, prepared, source, builtin=True)
        except Conflict:
            return  # another process of this home made the same entry just now


def _dataset(row: DatasetRow) -> Dataset:
    return Dataset(
        id=row.id,
        name=row.name,
        version=row.version,
        sha256=row.sha256,
        source=row.source,
        builtin=row.builtin,
        created=row.created,
        profile=DatasetProfile.model_validate(row.profile),
    )
