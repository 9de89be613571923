"""Which registered models take part in a comparison of many, and which are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.evaluation.fitting import ALIKE
from tools.evaluation.subjects import Subject, subject_of_version

if TYPE_CHECKING:
    from tools.datasets.service import DatasetService
    from tools.evaluation.frontier_types import CompareFrontier
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

MOST_VERSIONS = 12


def entrants(
    kernel: Kernel, args: CompareFrontier, tenant: str, split: str
) -> tuple[list[Subject], list[str]]:
    """The registered models that take part, and what is told of those that are left out.

    On pairs and triplets of texts all embeddings do. On labelled texts those that know all of the
    dataset's labels: one that knows few would leave few rows for all. Versions of a model that is
    named, and models where none knows all labels, take part with one label that they know.

    Args:
        kernel: the platform's kernel.
        args: what is compared.
        tenant: whose models.
        split: the part of the dataset.
    """
    chosen = _chosen(kernel, args, tenant)
    if finds_texts(kernel, args.dataset, tenant):
        every = [subject_of_version(kernel, v.model, v.version, tenant) for v in chosen]
        return [s for s in every if s.embeds][:MOST_VERSIONS], []
    labels = {row.label for row in _datasets(kernel).rows(tenant, args.dataset, split)}
    fitting = [v for v in chosen if labels & set(v.labels)]
    whole = [v for v in fitting if labels <= set(v.labels)]
    kept = fitting if args.model or not whole else whole
    left_out = [
        f"{v.model} v{v.version} knows {len(labels & set(v.labels))} of the {len(labels)} "
        "labels and is left out."
        for v in fitting
        if v not in kept
    ]
    subjects = [subject_of_version(kernel, v.model, v.version, tenant) for v in kept]
    return subjects[:MOST_VERSIONS], left_out


def finds_texts(kernel: Kernel, dataset: str, tenant: str) -> bool:
    """Whether a dataset's rows say which texts belong together, so that embeddings compete."""
    return _datasets(kernel).resolve(tenant, dataset).profile.kind in ALIKE


def _chosen(kernel: Kernel, args: CompareFrontier, tenant: str) -> Sequence[ModelVersionInfo]:
    """All versions of a model that is named; else the newest of every model, and champions."""
    from tools.registry.service import RegistryService

    registry = kernel.get(RegistryService).backend
    every = [v for v in registry.versions(tenant, args.model) if not v.archived]
    newest: dict[str, int] = {}
    for found in sorted(every, key=lambda v: v.lineage.variant is not None):
        newest.setdefault(found.model, found.version)
    return [
        v for v in every if args.model or v.version == newest[v.model] or "champion" in v.aliases
    ]


def _datasets(kernel: Kernel) -> DatasetService:
    from tools.datasets.service import DatasetService

    return kernel.get(DatasetService)
