"""Datasets by name and version: adding, listing, describing, reading and removing them.

Other domains use `resolve`, `rows`, `record_use` and `forget_use`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from tools.datasets.builtin import BUNDLED
from tools.datasets.columns import Row
from tools.datasets.loading import Chosen
from tools.datasets.profile import Prepared, prepare
from tools.datasets.repository import Dataset, DatasetRepository
from tools.datasets.store import DatasetStore, content_hash
from tools.datasets.types import (
    Before,
    DatasetAdded,
    DatasetDescription,
    DatasetList,
    DatasetProfile,
    DatasetRemoved,
    DatasetSummary,
)
from tools.kernel.entities import EntityName, fold, no_version
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.operations import Evidence
from tools.kernel.paths import absolute

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

_REFERENCE = re.compile(r"^(?P<name>.+?)(?:\s*@\s*v?|\s+v(?:ersion)?\s*)(?P<version>\d+)$", re.I)


class DatasetService:
    """The datasets of a home; one instance a kernel, safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._store = DatasetStore(kernel.settings.folder("datasets"))
        self._repository = DatasetRepository(kernel.database, self._store)
        self._adding = threading.Lock()

    # What other domains use

    def resolve(self, tenant: str, reference: str) -> Dataset:
        """The version that a reference names: `tickets` (the newest) or `tickets@2`.

        Raises:
            NotFound: with the nearest names, or the versions that there are.
        """
        named = any(fold(reference) == fold(name) for name in self._repository.all(tenant))
        match = None if named else _REFERENCE.match(reference.strip())
        wanted = int(match["version"]) if match else None
        versions = self._repository.versions(tenant, match["name"] if match else reference)
        for found in versions:
            if wanted is None or found.version == wanted:
                return found
        raise no_version(versions[0].name, wanted, [v.version for v in versions])

    def rows(self, tenant: str, reference: str, split: str | None = None) -> list[Row]:
        """The rows of a version in order, all or those of one split.

        Raises:
            NotFound: if there is no such dataset, or it has no such split.
        """
        found = self.resolve(tenant, reference)
        rows = [r for r in self._store.read(found.sha256) if split is None or r.split == split]
        if not rows:
            raise NotFound(
                f"{found.name} v{found.version} has no {split} split.",
                hint=f"It has {', '.join(found.profile.splits)}.",
            )
        return rows

    def record_use(self, dataset: Dataset, tenant: str, used_by: str) -> None:
        """Note that something was made from a version (`training job 7`), so that it is kept."""
        self._repository.record_use(dataset, tenant, used_by)

    def forget_use(self, tenant: str, used_by: str) -> None:
        """Take back `record_use` for something that is gone."""
        self._repository.forget_use(tenant, used_by)

    # What the operations do

    def names(self, tenant: str) -> list[EntityName]:
        """Every dataset by name, and its older versions as `name@version`."""
        names: list[EntityName] = []
        others = {b.name: b.also for b in BUNDLED}
        for versions in self._repository.all(tenant).values():
            for position, found in enumerate(versions):
                also = (f"{found.name} v{found.version}", f"{found.name} version {found.version}")
                if found.builtin:
                    also += others.get(found.name, ())
                if position == 0:
                    names.append(EntityName(found.name, (str(found), *also)))
                else:
                    names.append(EntityName(str(found), also))
        return names

    def plan_add(
        self, tenant: str, path: str, name: str | None, chosen: Chosen | None = None
    ) -> DatasetAdded:
        """What adding would make; checks everything and changes nothing."""
        prepared, wanted = self._prepare(path, name, chosen)
        return self._planned(tenant, prepared, wanted, named=name is not None)

    def add(
        self, tenant: str, path: str, name: str | None, chosen: Chosen | None = None
    ) -> DatasetAdded:
        """Read, check, profile and store what lies at a path.

        Raises:
            InvalidInput, NotFound: if the data cannot be used; says where and why.
            Unavailable: if it cannot be stored; nothing is left behind.
        """
        prepared, wanted = self._prepare(path, name, chosen)
        with self._adding:
            planned = self._planned(tenant, prepared, wanted, named=name is not None)
            if not planned.known:
                source = _source(path, chosen)
                self._repository.insert(tenant, planned.name, planned.version, prepared, source)
        return planned

    def list(self, tenant: str) -> DatasetList:
        """The newest version of every dataset, by name."""
        return DatasetList(
            datasets=[
                _summary(versions[0])
                for _, versions in sorted(self._repository.all(tenant).items())
            ]
        )

    def describe(self, tenant: str, reference: str) -> DatasetDescription:
        """All that is known of a version."""
        found = self.resolve(tenant, reference)
        versions = self._repository.versions(tenant, found.name)
        return DatasetDescription(
            name=found.name,
            version=found.version,
            versions=sorted(v.version for v in versions),
            sha256=found.sha256,
            source=found.source,
            builtin=found.builtin,
            created=found.created,
            profile=found.profile,
            used_by=self._repository.uses(found),
        )

    def check_removable(self, tenant: str, reference: str) -> DatasetDescription:
        """The version, if nothing stands against removing it.

        Raises:
            Conflict: if it ships with the platform, or something was made from it.
        """
        found = self.describe(tenant, reference)
        if found.builtin:
            raise Conflict(f"{found.name} v{found.version} ships with the platform and stays.")
        if found.used_by:
            raise Conflict(
                f"{found.name} v{found.version} is used by {', '.join(found.used_by[:5])}.",
                hint="Results would lose the data they rest on; remove them first.",
            )
        return found

    def remove(self, tenant: str, reference: str) -> DatasetRemoved:
        """Remove a version and, where nobody else has the same content, its stored rows."""
        found = self.check_removable(tenant, reference)
        self._repository.remove(self.resolve(tenant, f"{found.name}@{found.version}"))
        return DatasetRemoved(name=found.name, version=found.version, rows=found.profile.rows)

    def evidence(self, tenant: str, name: str, version: int) -> list[Evidence]:
        """What stands of a version: read from the table, and its rows hashed again."""
        what, source = f"{name} v{version}", "dataset store"
        found = self._repository.find(tenant, name, version)
        if found is None:
            return [Evidence(fact=what, value="absent", source=source)]
        rows = _as_given(self._store.read(found.sha256), found.profile)
        given = found.profile.split_from != "assigned"
        return [
            Evidence(fact=f"rows of {what}", value=len(rows), source=source),
            Evidence(
                fact=f"SHA-256 of the stored rows of {what}",
                value=content_hash(rows, with_split=given),
                source=source,
            ),
        ]

    # Inside

    def _prepare(self, path: str, name: str | None, chosen: Chosen | None) -> tuple[Prepared, str]:
        where = absolute(path)
        wanted = slug(name if name is not None else where.stem)
        return prepare(where, chosen), wanted

    def _planned(self, tenant: str, prepared: Prepared, name: str, *, named: bool) -> DatasetAdded:
        everything = self._repository.all(tenant)
        same_name = next((v for n, v in everything.items() if fold(n) == fold(name)), [])
        candidates = same_name if named else [v for vs in everything.values() for v in vs]
        known = next((v for v in candidates if v.sha256 == prepared.sha256), None)
        unused = None
        if known is None:
            name = same_name[0].name if same_name else name
            version = same_name[0].version + 1 if same_name else 1
        else:
            unused = name if fold(name) != fold(known.name) else None
            name, version = known.name, known.version
        return DatasetAdded(
            name=name,
            version=version,
            sha256=prepared.sha256,
            known=known is not None,
            profile=known.profile if known else prepared.profile,
            unused_name=unused,
            before=_before(same_name[0]) if same_name and known is None else None,
        )


def _source(path: str, chosen: Chosen | None) -> str:
    """Where rows come from, as it is told."""
    told = str(absolute(path))
    return f"{told} and {chosen.test}" if chosen and chosen.test else told


def _as_given(rows: Iterable[Row], profile: DatasetProfile) -> list[Row]:
    """Rows with the splits that their source gave them, as their hash counts them."""
    taken = {name: "train" for name in profile.taken_from_train}
    return [replace(row, split=taken.get(row.split, row.split)) for row in rows]


def _before(found: Dataset) -> Before:
    return Before(version=found.version, rows=found.profile.rows, source=found.source)


def slug(name: str) -> str:
    """A name for the catalogue: lower case, digits, dashes.

    Raises:
        InvalidInput: if no letter or digit is left, or it is too long.
    """
    made = re.sub(r"[\W_]+", "-", name.casefold()).strip("-")
    if not made:
        raise InvalidInput(f"{name!r} has no letter or digit to make a name of.")
    if len(made) > 64:
        raise InvalidInput(f"The name {made[:20]}... is longer than 64 characters.")
    return made


def _summary(found: Dataset) -> DatasetSummary:
    return DatasetSummary(
        name=found.name,
        version=found.version,
        rows=found.profile.rows,
        classes=len(found.profile.classes),
        splits=found.profile.splits,
        sha256=found.sha256,
        builtin=found.builtin,
        created=found.created,
    )
