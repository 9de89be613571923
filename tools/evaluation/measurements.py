"""What evaluations found of a version, as the promotion gate asks for it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.evaluation.predictions import Predicted
from tools.evaluation.slices import slice_scores
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


@measurement_source
def shrinking_of(kernel: Kernel, version: ModelVersionInfo) -> Sequence[Measurement]:
    """What the job that made a variant measured of it; older than every evaluation of it."""
    if version.lineage.variant is None:
        return []
    from tools.kernel.mlflow_store import artifact_folder
    from tools.training.optimizing.recording import HELD_OUT

    path = artifact_folder(kernel.settings, version.run_id) / HELD_OUT
    if not path.is_file():
        return []
    from tools.evaluation.statistics import accuracy_interval  # numpy takes its time

    told = json.loads(path.read_text())
    rows = [Predicted(**row, confidence=math.nan) for row in told["rows"]]
    values, slices = dict(version.metrics), list[MeasuredSlice]()
    if rows:
        ends = accuracy_interval(sum(row.right for row in rows), len(rows))
        values |= {"accuracy_low": ends.low, "accuracy_high": ends.high}
        slices = [MeasuredSlice(s.column, s.value, s.rows, s.accuracy) for s in slice_scores(rows)]
    return [Measurement(told["dataset"], told["split"], values, slices)]


def _measurement(result: EvaluationResult) -> Measurement:
    figures = result.model_dump(exclude={"id", "version", "job"})
    return Measurement(
        dataset=result.dataset,
        split=result.split,
        values={k: float(v) for k, v in figures.items() if isinstance(v, int | float)},
        slices=[MeasuredSlice(s.column, s.value, s.rows, s.accuracy) for s in result.worst_slices],
    )
