"""What evaluations found of a version, as the promotion gate asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.registry.measurements import MeasuredSlice, Measurement, measurement_source

if TYPE_CHECKING:
    from tools.evaluation.types import EvaluationResult
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo


@measurement_source
def evaluations_of(kernel: Kernel, version: ModelVersionInfo) -> Sequence[Measurement]:
    """The evaluations of a version, newest first; none on rows of a certain time alone."""
    from tools.evaluation.store import ResultStore

    found = ResultStore(kernel).results(
        version.tenant, version.model, {version.job: version.version}
    )
    whole = (r for r in found if r.period is None)
    return [_measurement(r) for r in whole if r.version == version.version]


def _measurement(result: EvaluationResult) -> Measurement:
    figures = result.model_dump(exclude={"id", "version", "job"})
    return Measurement(
        dataset=result.dataset,
        split=result.split,
        values={k: float(v) for k, v in figures.items() if isinstance(v, int | float)},
        slices=[MeasuredSlice(s.column, s.value, s.rows, s.accuracy) for s in result.worst_slices],
    )
