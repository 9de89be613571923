"""The operations that follow trainings: how they stand, cancel, pause, resume, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training.following_types import (
    CancelTraining,
    ListTrainings,
    PauseTraining,
    ResumeTraining,
    TrainingCancelled,
    TrainingList,
    TrainingPaused,
    TrainingState,
    TrainingStatusArgs,
)
from tools.training.timing import said

if TYPE_CHECKING:
    from tools.training.following import TrainingJobs


def _jobs(call: Call) -> TrainingJobs:
    from tools.training.following import TrainingJobs

    return call.get(TrainingJobs)


@operation(
    "training.status",
    effect=Effect.READ,
    examples=(
        "how is the training going?",
        "training status",
        "is job 7 done training yet?",
        "what's the loss of the current run",
        "how far along is the fine-tune",
        "did the training finish?",
        "show progress of training job 12",
        "what accuracy did the last training reach?",
        "when will the ticket router be trained",
        "check on the training run",
        "why did training job 4 fail",
    ),
)
def status(args: TrainingStatusArgs, call: Call) -> TrainingState:
    """Tell how a training or tuning job stands: progress, loss, time left, or why it failed."""
    return _jobs(call).status(args.job, call.tenant)


@status.says
def _(args: TrainingStatusArgs, result: TrainingState) -> str:
    what = f"Training {result.model_name} (job {result.job})"
    if result.status == "failed":
        return f"{what} failed: {result.error}"
    if result.status in ("running", "paused"):
        return f"{what} is {result.progress:.0%} done. {result.message}"
    if result.status == "done":
        accuracy = result.metrics.get("validation_accuracy")
        reached = "–" if accuracy is None else f"{accuracy:.1%}"
        took = (
            "" if result.seconds is None else f" {said(result.seconds, result.estimated_seconds)}"
        )
        return f"{what} is done: validation accuracy {reached}.{took}"
    return f"{what} is {result.status}."


@operation(
    "training.cancel",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "cancel the training",
        "stop training job 7",
        "abort the fine-tune",
        "kill the current training run",
        "please stop the training, I picked the wrong dataset",
        "call off job 12, the tuning takes too long",
        "halt the tuning job",
        "end the running training now",
        "never mind the training, cancel it",
        "stop learning on complaints",
    ),
)
def cancel(args: CancelTraining, call: Call) -> TrainingCancelled:
    """Stop a running training or tuning job; says what had been done and what is kept."""
    return _jobs(call).cancel(args.job, call.tenant)


@cancel.normalise
def _(args: CancelTraining, call: Call) -> CancelTraining:
    return CancelTraining(job=_jobs(call).running(args.job, call.tenant, "cancel"))


@cancel.preview
def _(args: CancelTraining, call: Call) -> Preview:
    state = _jobs(call).status(args.job, call.tenant)
    return Preview(
        summary=f"Stop training {state.model_name} (job {state.job}), {state.progress:.0%} done.",
        risk="The job cannot be taken up again; what it learnt so far is not registered.",
    )


@cancel.read_back
def _(args: CancelTraining, result: TrainingCancelled, call: Call) -> list[Evidence]:
    return _job_evidence(result.job, call)


def _job_evidence(job: int, call: Call) -> list[Evidence]:
    state = _jobs(call).status(job, call.tenant)
    return [Evidence(fact=f"status of job {job}", value=state.status, source="jobs")]


@cancel.says
def _(args: CancelTraining, result: TrainingCancelled) -> str:
    return f"Job {result.job} is {result.status}: {result.done}; {result.kept}."


@operation(
    "training.pause",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "pause the training",
        "pause training job 7",
        "put the fine-tune on hold",
        "hold the training run for now",
        "suspend the current training",
        "pause the tuning, I need the machine",
        "let the training rest until tonight",
        "pause job 12's training",
        "freeze the fine-tuning where it is",
        "halt the training for a while, we go on later",
    ),
)
def pause(args: PauseTraining, call: Call) -> TrainingPaused:
    """Pause a training or tuning job at its next step: it keeps a checkpoint and frees the machine.

    It stays paused over restarts of the platform, until it is resumed or cancelled.
    """
    return _jobs(call).pause(args.job, call.tenant)


@pause.normalise
def _(args: PauseTraining, call: Call) -> PauseTraining:
    jobs = _jobs(call)
    return PauseTraining(job=jobs.running(args.job, call.tenant, "pause", paused=False))


@pause.preview
def _(args: PauseTraining, call: Call) -> Preview:
    state = _jobs(call).status(args.job, call.tenant)
    return Preview(summary=f"Pause training {state.model_name}, {state.progress:.0%} done.")


@pause.read_back
def _(args: PauseTraining, result: TrainingPaused, call: Call) -> list[Evidence]:
    return _job_evidence(result.job, call)


@pause.inverse
def _(args: PauseTraining, result: TrainingPaused, call: Call) -> Inverse | None:
    return Inverse(operation="training.resume", arguments={"job": result.job})


@pause.says
def _(args: PauseTraining, result: TrainingPaused) -> str:
    return f"Training job {result.job} is {result.status}, {result.progress:.0%} done."


@operation(
    "training.resume",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "resume the training",
        "resume training job 7",
        "go on with the paused training",
        "continue the fine-tune",
        "let the training run again",
        "unpause the training",
        "take the tuning up again where it stopped",
        "carry on with training job 12",
        "the paused fine-tuning may go on now",
        "pick the training up from its checkpoint",
    ),
)
def resume(args: ResumeTraining, call: Call) -> TrainingPaused:
    """Let a paused training or tuning job go on from its checkpoint."""
    return _jobs(call).resume(args.job, call.tenant)


@resume.normalise
def _(args: ResumeTraining, call: Call) -> ResumeTraining:
    jobs = _jobs(call)
    return ResumeTraining(job=jobs.running(args.job, call.tenant, "resume", paused=True))


@resume.preview
def _(args: ResumeTraining, call: Call) -> Preview:
    state = _jobs(call).status(args.job, call.tenant)
    return Preview(summary=f"Go on with training {state.model_name}, {state.progress:.0%} done.")


@resume.read_back
def _(args: ResumeTraining, result: TrainingPaused, call: Call) -> list[Evidence]:
    return _job_evidence(result.job, call)


@resume.inverse
def _(args: ResumeTraining, result: TrainingPaused, call: Call) -> Inverse | None:
    return Inverse(operation="training.pause", arguments={"job": result.job})


@resume.says
def _(args: ResumeTraining, result: TrainingPaused) -> str:
    return f"Training job {result.job} goes on ({result.progress:.0%} done)."


@operation(
    "training.list",
    effect=Effect.READ,
    examples=(
        "list training runs",
        "show me all trainings",
        "what have we trained so far?",
        "which training jobs are running",
        "training history",
        "show the last 5 trainings",
        "what fine-tunes did we do this week",
        "list recent runs with their accuracy",
        "which runs failed?",
        "past training and tuning jobs please",
    ),
)
def list_(args: ListTrainings, call: Call) -> TrainingList:
    """List training and tuning jobs, newest first, with status and metrics."""
    return _jobs(call).list(call.tenant, args)


_NOTHING = "Nothing has been trained yet."


@list_.says
def _(args: ListTrainings, result: TrainingList) -> str:
    if not result.trainings:
        return "There is no such training." if args.status or args.period else _NOTHING
    shown = "; ".join(
        f"job {t.job} {t.model_name} on {t.dataset}: {t.status}" for t in result.trainings[:5]
    )
    return f"{len(result.trainings)} trainings, newest first: {shown}."
