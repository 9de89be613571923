"""What a version was not trained on, and how well it did there when it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.errors import PilothouseError

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

MOST_ROWS = 200


def held_out(kernel: Kernel, version: ModelVersionInfo) -> list[tuple[str, str]]:
    """Rows that a version was not trained on, as text and label; none if its data is gone."""
    rows = _rows(kernel, version, "test")
    if rows is None:
        rows = _rows(kernel, version, "validation")
    return [(row.text, _answer(row)) for row in (rows or [])[:MOST_ROWS]]


def further(kernel: Kernel, version: ModelVersionInfo, known: int) -> list[str]:
    """Texts of the validation split, where the others are few, to tell where texts lie.

    Args:
        kernel: the platform's kernel.
        version: what was trained.
        known: how many held-out rows there are.
    """
    if not 0 < known < MOST_ROWS:
        return []
    rows = _rows(kernel, version, "validation") or []
    return [row.text for row in rows[: MOST_ROWS - known]]


def registered(kernel: Kernel, version: ModelVersionInfo) -> tuple[float, int] | None:
    """The accuracy that was measured when a version was made, 0 to 1, and on how many rows."""
    from tools.training.optimizing.versions import HELD_OUT_ROWS

    known = version.lineage.metrics
    found = next((known[n] for n in ("accuracy", "validation_accuracy") if n in known), None)
    if found is None:
        return None
    if known.get(HELD_OUT_ROWS, 0) >= 1:
        return found, int(known[HELD_OUT_ROWS])  # a variant's, which the test split measured
    rows = _rows(kernel, version, "validation")
    return (found, len(rows)) if rows else None


def _rows(kernel: Kernel, version: ModelVersionInfo, split: str) -> list[Row] | None:
    """A split of what a version was trained on; None if there is none, or none any more."""
    from tools.datasets.service import DatasetService

    if version.dataset is None:
        return None
    try:
        return list(kernel.get(DatasetService).rows(version.tenant, version.dataset, split))
    except PilothouseError:
        return None


def _answer(row: Row) -> str:
    """The label as a device says it: several of them joined, in their order."""
    return row.label if row.labels is None else ", ".join(sorted(row.labels))
