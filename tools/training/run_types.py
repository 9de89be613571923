"""What the operations on a training's run take and answer."""

from __future__ import annotations

from pydantic import Field

from tools.kernel.operations import Args, Result


class RunArgs(Args):
    """One training run."""

    run_id: str = Field(description="The MLflow run's id.", min_length=1, max_length=64)


class RunState(Result):
    """A run after it was deleted or restored."""

    run_id: str
    model_name: str
    stage: str
