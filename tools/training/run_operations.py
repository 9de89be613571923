"""The operations on a training's run: delete it, bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training.run_types import RunArgs, RunState

if TYPE_CHECKING:
    from tools.training.service import TrainingService


def _service(call: Call) -> TrainingService:
    from tools.training.service import TrainingService

    return call.get(TrainingService)


@operation("training.delete_run", effect=Effect.WRITE, hidden=True, idempotent=True)
def delete_run(args: RunArgs, call: Call) -> RunState:
    """Mark a training run as deleted; refused while a registered version comes from it."""
    return _service(call).delete_run(args.run_id, call.tenant)


@delete_run.preview
def _(args: RunArgs, call: Call) -> Preview:
    name = _service(call).check_deletable(args.run_id, call.tenant)
    return Preview(summary=f"Delete the training run of {name} ({args.run_id}).")


@delete_run.read_back
def _(args: RunArgs, result: RunState, call: Call) -> list[Evidence]:
    return _service(call).stage_evidence(args.run_id, call.tenant)


@delete_run.inverse
def _(args: RunArgs, result: RunState, call: Call) -> Inverse | None:
    return Inverse(operation="training.restore_run", arguments={"run_id": args.run_id})


@delete_run.says
def _(args: RunArgs, result: RunState) -> str:
    return f"The training run of {result.model_name} is deleted; its files are kept."


@operation("training.restore_run", effect=Effect.WRITE, hidden=True, idempotent=True)
def restore_run(args: RunArgs, call: Call) -> RunState:
    """Bring a deleted training run back."""
    return _service(call).restore_run(args.run_id, call.tenant)


@restore_run.read_back
def _(args: RunArgs, result: RunState, call: Call) -> list[Evidence]:
    return _service(call).stage_evidence(args.run_id, call.tenant)


@restore_run.inverse
def _(args: RunArgs, result: RunState, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": args.run_id})


@restore_run.says
def _(args: RunArgs, result: RunState) -> str:
    return f"The training run of {result.model_name} is back."
