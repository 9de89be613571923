"""What is measured: a registered version or a training job's model, with all that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.registry.trained import check_artifact, trained_model

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.registry.service import RegistryService


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure.

    Attributes:
        model: its registered name, or the training's.
        version: its version, if registered.
        job: the training job that made it.
        run_id: that job's MLflow run.
        folder: the classifier's files.
        content_hash: SHA-256 that they must have.
        dataset: what it was trained on, `name@2`.
        labels: its classes, in the order of its outputs.
        base_model: the encoder it was tuned from.
        parameters: the settings it was trained with.
        task: what it was trained for: `classification`, `multilabel`, `language`, `embedding`.
    """

    model: str
    version: int | None
    job: int
    run_id: str
    folder: Path
    content_hash: str
    dataset: str
    labels: tuple[str, ...]
    base_model: str
    parameters: dict[str, Any]
    task: str = "classification"

    @property
    def embeds(self) -> bool:
        """True if it gives vectors, not classes."""
        return self.task == "embedding"

    def check(self) -> None:
        """Refuse files that are not what the training wrote.

        Raises:
            Conflict: if they are missing or differ.
        """
        check_artifact(self.folder, self.content_hash, str(self))

    def __str__(self) -> str:
        """The model as people write it."""
        if self.version is not None:
            return f"{self.model} v{self.version}"
        return f"{self.model} of job {self.job}"


def worker_of(subject: Subject) -> str:
    """The module whose process measures a model."""
    return "tools.evaluation.retrieval_worker" if subject.embeds else "tools.evaluation.worker"


def subject_of_job(kernel: Kernel, job: int, tenant: str) -> Subject:
    """The model of a training job, under its registered name where it has one.

    Raises:
        Conflict: if the job has not finished or made no model.
    """
    trained = trained_model(kernel, job, tenant)
    known = _registry(kernel).of_job(job, tenant)
    lineage = trained.lineage
    return Subject(
        model=known.model if known else trained.name,
        version=known.version if known else None,
        job=job,
        run_id=lineage.run_id,
        folder=trained.folder,
        content_hash=lineage.content_hash,
        dataset=str(lineage.dataset),
        labels=lineage.labels,
        base_model=str(lineage.base_model),
        parameters=dict(trained.result.parameters),
        task=trained.result.task,
    )


def subject_of_version(kernel: Kernel, model: str, version: int | None, tenant: str) -> Subject:
    """A registered version, the newest when none is named.

    Raises:
        NotFound: if it is not registered.
    """
    registry = _registry(kernel)
    found = (
        registry.latest(model, tenant)
        if version is None
        else registry.version(model, version, tenant)
    )
    trained = trained_model(kernel, found.lineage.trained_by or found.job, tenant)
    return Subject(
        model=model,
        version=found.version,
        job=found.job,
        run_id=found.run_id,
        folder=found.artifact,
        content_hash=found.content_hash,
        dataset=str(found.dataset),
        labels=found.labels,
        base_model=str(found.base_model),
        parameters=dict(trained.result.parameters),
        task=trained.result.task,
    )


def version_of_job(kernel: Kernel, model: str, job: int, tenant: str) -> int:
    """The version of a model that came from a job.

    Raises:
        InvalidInput: if none did.
    """
    for found in _registry(kernel).backend.versions(tenant, model):
        if found.job == job:
            return found.version
    raise InvalidInput(
        f"No version of {model} comes from job {job}.", hint="Name the model or the job, not both."
    )


def _registry(kernel: Kernel) -> RegistryService:
    from tools.registry.service import RegistryService

    return kernel.get(RegistryService)
