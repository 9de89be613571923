"""What a registry backend must do; `tests/contracts/test_registry.py` is the same as a suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from; see `types.ModelVersionDetails` for the fields."""

    job: int
    run_id: str
    content_hash: str
    size_bytes: int = 0
    dataset: str | None = None
    dataset_hash: str | None = None
    base_model: str | None = None
    method: str | None = None
    labels: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    code_version: str | None = None
    registered_by: str | None = None
    variant: str | None = None
    parent: int | None = None
    trained_by: int | None = None


@dataclass(frozen=True, slots=True)
class ModelVersionInfo:
    """One registered version, as other domains see it.

    Attributes:
        tenant: whose it is.
        model: the model's name within the tenant.
        version: counts from 1, never given twice.
        artifact: the folder with the classifier.
        lineage: job, run, dataset, base model, metrics and content hash.
        aliases: the aliases that point at it, sorted.
        archived: True if it was put away.
        created: when it was registered.
        held: the aliases that pointed at it at any time.
    """

    tenant: str
    model: str
    version: int
    artifact: Path
    lineage: Lineage
    aliases: tuple[str, ...]
    archived: bool
    created: datetime
    held: tuple[str, ...] = ()

    @property
    def job(self) -> int:
        """The training job that made it."""
        return self.lineage.job

    @property
    def run_id(self) -> str:
        """The MLflow run of that job."""
        return self.lineage.run_id

    @property
    def dataset(self) -> str | None:
        """The training dataset with its version, `name@2`."""
        return self.lineage.dataset

    @property
    def base_model(self) -> str | None:
        """The encoder it was tuned from."""
        return self.lineage.base_model

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        return self.lineage.labels

    @property
    def metrics(self) -> Mapping[str, float]:
        """What the training measured."""
        return self.lineage.metrics

    @property
    def content_hash(self) -> str:
        """SHA-256 over the artifact's files."""
        return self.lineage.content_hash

    def __str__(self) -> str:
        """The version as people write it."""
        return f"{self.model} v{self.version}"


class RegistryBackend(ABC):
    """Keeps model versions and aliases.

    Implementations are safe to use from several threads and from several processes on one
    database. Names of one tenant are invisible to every other. A method that names a version which
    is not there raises `NotFound`; one that finds the wanted state already there changes nothing.
    """

    @abstractmethod
    def add(
        self, tenant: str, model: str, artifact: Path, lineage: Lineage
    ) -> tuple[ModelVersionInfo, bool]:
        """Register an artifact as the next version, whole or not at all.

        Returns:
            The version, and False if the job had been registered under this name before.
        """

    @abstractmethod
    def version(self, tenant: str, model: str, version: int) -> ModelVersionInfo:
        """One version.

        Raises:
            NotFound: with the versions that there are.
        """

    @abstractmethod
    def versions(self, tenant: str, model: str | None = None) -> Sequence[ModelVersionInfo]:
        """The versions of a model, or of all models, by model and newest first."""

    @abstractmethod
    def alias(self, tenant: str, model: str, alias: str) -> int | None:
        """The version that an alias points at."""

    @abstractmethod
    def set_alias(self, tenant: str, model: str, alias: str, version: int | None) -> int | None:
        """Point an alias at a version, or at none; answers with the version it had before."""

    @abstractmethod
    def set_archived(self, tenant: str, model: str, version: int, archived: bool) -> bool:
        """Put a version away or bring it back; answers whether that changed anything."""

    @abstractmethod
    def remove(self, tenant: str, model: str, version: int) -> None:
        """Take a version out; its number is not given again and its artifact stays.

        Raises:
            Conflict: if an alias points at it.
        """
