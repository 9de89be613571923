"""The operations on trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training.optimizing import operations as optimizing
from tools.training.prompting import operations as prompting
from tools.training.types import (
    CancelTraining,
    EstimateTraining,
    ListTrainings,
    PauseTraining,
    ResumeTraining,
    RunArgs,
    RunState,
    StartTraining,
    TrainingCancelled,
    TrainingEstimate,
    TrainingList,
    TrainingPaused,
    TrainingResult,
    TrainingState,
    TrainingStatusArgs,
    TuneTraining,
    TuningResult,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.training.following import TrainingJobs
    from tools.training.service import TrainingService

__all__ = ["optimizing", "prompting"]


def _service(kernel: Kernel) -> TrainingService:
    from tools.training.service import TrainingService

    return kernel.get(TrainingService)


def _jobs(kernel: Kernel) -> TrainingJobs:
    from tools.training.following import TrainingJobs

    return kernel.get(TrainingJobs)


@entity_source(EntityKind.BASE_MODEL)
def base_model_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """The base models that are known by name."""
    from tools.training.base_models import NAMES

    return list(NAMES)


@operation(
    "training.start",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "train a ticket router on the bundled tickets",
        "fine-tune minilm on the complaints dataset",
        "train a model called mail sorter on support-emails with lora for 3 epochs",
        "start a training run on product reviews",
        "retrain the ticket router on last week's tickets",
        "kick off a full fine-tune of minilm on chat-logs, 5 epochs, learning rate 2e-5",
        "teach a classifier to sort the refunds data",
        "train only the head on tickets and name it quick router",
        "fit a sentiment model on reviews@2 with rank 16 and batch size 32",
        "run lora on tickets with seed 7",
        "build me an intent classifier from the intents dataset",
        "please learn the categories in week31 and call the result triage",
        "use the returns data to fine tune a model for 4 epochs",
        "I need a new router, train it on the ticket data",
        "do a quick training on complaints, one epoch is enough",
        "fine-tune smollm2 on the faq pairs, rank 16, two epochs, lr 2e-4",
        "qlora on support-chats with rank 8",
        "instruction-tune smollm2 on the helpdesk answers and merge the adapter",
        "prompt tuning on the faq data, 10 epochs",
        "fine-tune an embedding model on the duplicate-questions pairs",
    ),
)
def start(args: StartTraining, call: Call) -> TrainingResult:
    """Fine-tune a classifier, or a language model's answers, on a dataset, as a durable job.

    What is learnt follows from the dataset: labelled texts, prompts or chats, or pairs and triplets
    of texts. Trains in a child process with checkpoints, so that a killed process goes on where it
    was; keeps the weights of the trained epoch that is best on the validation split; records
    everything in MLflow.
    Refused before anything starts when the dataset, its splits or the base model do not fit.
    """
    return _service(call.kernel).run(args, call)


@start.normalise
def _(args: StartTraining, call: Call) -> StartTraining:
    return _service(call.kernel).normalise(args, call.tenant)


@start.preview
def _(args: StartTraining, call: Call) -> Preview:
    return _service(call.kernel).preview(args, call.tenant)


@start.read_back
def _(args: StartTraining, result: TrainingResult, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(result.run_id, call.tenant)


@start.inverse
def _(args: StartTraining, result: TrainingResult, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": result.run_id})


@start.says
def _(args: StartTraining, result: TrainingResult) -> str:
    return (
        f"Trained {result.model_name} on {result.dataset} v{result.dataset_version}"
        f"{_of_rows(result)} from {result.base_model} in "
        f"{result.seconds:.0f} s: loss {result.initial_loss:.2f} → {result.final_loss:.2f}, "
        f"{_score(result)}.{_told(result.warnings)}"
    )


def _told(warnings: list[str]) -> str:
    return "".join(f" {warning}" for warning in warnings)


def _of_rows(result: TrainingResult) -> str:
    """Which rows, where those of a certain time were asked for."""
    rows = result.parameters.get("rows")
    return f" ({rows})" if rows else ""


def _score(result: TrainingResult) -> str:
    found = result.metrics
    if result.task == "multilabel":
        micro, macro = result.validation_micro_f1, result.validation_macro_f1
        return f"validation micro F1 {micro:.1%}, macro F1 {macro:.1%}"
    if result.task == "language":
        return (
            f"right answers {found['exact_match_before']:.1%} → {found['exact_match']:.1%}, "
            f"F1 of their words {found['token_f1_before']:.1%} → {found['token_f1']:.1%}"
        )
    if result.task == "embedding":
        return (
            f"counterpart nearest {found['accuracy_before']:.1%} → "
            f"{result.validation_accuracy:.1%} of held-out texts, nDCG@10 "
            f"{found['ndcg_at_10']:.3f} ({found['ndcg_at_10_low']:.3f} to "
            f"{found['ndcg_at_10_high']:.3f})"
        )
    return f"validation accuracy {result.validation_accuracy:.1%}"


@operation(
    "training.estimate",
    effect=Effect.READ,
    examples=(
        "how long would it take to train on the tickets?",
        "estimate a training run on complaints with 5 epochs",
        "what would fine-tuning minilm on product reviews cost?",
        "how much memory does training on chat-logs need",
        "how long will a full fine-tune on support-emails run?",
        "price of training a ticket router on the bundled tickets",
        "before we start: what does lora on the refunds dataset take?",
        "give me a time and cost estimate for training on week31",
        "would 10 epochs on tickets be expensive?",
        "roughly how many minutes to train on the returns data",
    ),
)
def estimate(args: EstimateTraining, call: Call) -> TrainingEstimate:
    """Estimate time, memory and cost of a training from this machine's measured speed."""
    return _service(call.kernel).estimate(args, call.tenant)


@estimate.normalise
def _(args: EstimateTraining, call: Call) -> EstimateTraining:
    filled = _service(call.kernel).normalise(args, call.tenant)
    return EstimateTraining(**filled.model_dump())


@estimate.says
def _(args: EstimateTraining, result: TrainingEstimate) -> str:
    from tools.training.fitting import unfit

    return (
        f"Training {result.base_model} on {result.rows} rows of {result.dataset} for "
        f"{result.epochs} epochs takes about {result.seconds:.0f} s "
        f"({result.seconds_low:.0f} to {result.seconds_high:.0f} s), {result.memory_mb} MB of "
        f"memory and {result.cost:.4f} {result.currency}."
        f"{unfit(result)}{_told(result.warnings)}"
    )


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
    return _jobs(call.kernel).status(args.job, call.tenant)


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
        return f"{what} is done: validation accuracy {reached}."
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
    return _jobs(call.kernel).cancel(args.job, call.tenant)


@cancel.normalise
def _(args: CancelTraining, call: Call) -> CancelTraining:
    return CancelTraining(job=_jobs(call.kernel).running(args.job, call.tenant, "cancel"))


@cancel.preview
def _(args: CancelTraining, call: Call) -> Preview:
    state = _jobs(call.kernel).status(args.job, call.tenant)
    return Preview(
        summary=f"Stop training {state.model_name} (job {state.job}), {state.progress:.0%} done.",
        risk="The job cannot be taken up again; what it learnt so far is not registered.",
    )


@cancel.read_back
def _(args: CancelTraining, result: TrainingCancelled, call: Call) -> list[Evidence]:
    return _job_evidence(result.job, call)


def _job_evidence(job: int, call: Call) -> list[Evidence]:
    state = _jobs(call.kernel).status(job, call.tenant)
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
    return _jobs(call.kernel).pause(args.job, call.tenant)


@pause.normalise
def _(args: PauseTraining, call: Call) -> PauseTraining:
    jobs = _jobs(call.kernel)
    return PauseTraining(job=jobs.running(args.job, call.tenant, "pause", paused=False))


@pause.preview
def _(args: PauseTraining, call: Call) -> Preview:
    state = _jobs(call.kernel).status(args.job, call.tenant)
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
    return _jobs(call.kernel).resume(args.job, call.tenant)


@resume.normalise
def _(args: ResumeTraining, call: Call) -> ResumeTraining:
    jobs = _jobs(call.kernel)
    return ResumeTraining(job=jobs.running(args.job, call.tenant, "resume", paused=True))


@resume.preview
def _(args: ResumeTraining, call: Call) -> Preview:
    state = _jobs(call.kernel).status(args.job, call.tenant)
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
    return _jobs(call.kernel).list(call.tenant, args)


_NOTHING = "Nothing has been trained yet."


@list_.says
def _(args: ListTrainings, result: TrainingList) -> str:
    if not result.trainings:
        return "There is no such training." if args.status or args.period else _NOTHING
    shown = "; ".join(
        f"job {t.job} {t.model_name} on {t.dataset}: {t.status}" for t in result.trainings[:5]
    )
    return f"{len(result.trainings)} trainings, newest first: {shown}."


@operation(
    "training.tune",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "tune the hyperparameters on tickets",
        "find the best learning rate for the complaints dataset",
        "run a hyperparameter search on product reviews with 10 trials",
        "optimise the ticket router's settings on the bundled tickets",
        "try 5 different settings on support-emails and keep the best",
        "do a sweep over rank and learning rate on chat-logs",
        "search for better training settings on week31, at most 30 minutes",
        "run optuna on the refunds data",
        "which batch size works best for intents? tune it",
        "hyperparameter tuning for mail sorter on support-emails, 20 trials",
        "get the most out of minilm on returns: tune it",
        "tune on tickets with learning rate between 1e-5 and 1e-3 and rank 4 to 32",
        "search batch size 8, 16 or 32 on complaints, 3 trials at once, accuracy against latency",
    ),
)
def tune(args: TuneTraining, call: Call) -> TuningResult:
    """Search for good hyperparameters with Optuna and keep the best trial's model, as a job.

    Varies what `space` says. Trials that fall behind are given up early; with a second objective
    the one that costs least at one point of quality or less is kept. Trials are durable steps and
    the study is stored, so that a killed process goes on where it was.
    """
    return _service(call.kernel).run_tuning(args, call)


@tune.normalise
def _(args: TuneTraining, call: Call) -> TuneTraining:
    return _service(call.kernel).normalise(args, call.tenant)


@tune.preview
def _(args: TuneTraining, call: Call) -> Preview:
    return _service(call.kernel).preview_tuning(args, call.tenant)


@tune.read_back
def _(args: TuneTraining, result: TuningResult, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(result.run_id, call.tenant)


@tune.inverse
def _(args: TuneTraining, result: TuningResult, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": result.run_id})


@tune.says
def _(args: TuneTraining, result: TuningResult) -> str:
    pruned = sum(t.state == "pruned" for t in result.trials)
    return (
        f"Tried {len(result.trials)} settings on {result.dataset} v{result.dataset_version} "
        f"({pruned} given up early); trial {result.best_trial}{_settings(result)} is best with "
        f"{_score(result)}.{_told(result.warnings)}"
    )


def _settings(result: TuningResult) -> str:
    """What the best trial was tried with: ` (learning rate 0.002, rank 8)`."""
    best = next((t for t in result.trials if t.number == result.best_trial), None)
    if best is None or not best.parameters:
        return ""
    told = (
        f"{name.replace('_', ' ')} {f'{value:.3g}' if isinstance(value, float) else value}"
        for name, value in best.parameters.items()
    )
    return f" ({', '.join(told)})"


@operation("training.delete_run", effect=Effect.WRITE, hidden=True, idempotent=True)
def delete_run(args: RunArgs, call: Call) -> RunState:
    """Mark a training run as deleted; refused while a registered version comes from it."""
    return _service(call.kernel).delete_run(args.run_id, call.tenant)


@delete_run.preview
def _(args: RunArgs, call: Call) -> Preview:
    name = _service(call.kernel).check_deletable(args.run_id, call.tenant)
    return Preview(summary=f"Delete the training run of {name} ({args.run_id}).")


@delete_run.read_back
def _(args: RunArgs, result: RunState, call: Call) -> list[Evidence]:
    return _service(call.kernel).stage_evidence(args.run_id, call.tenant)


@delete_run.inverse
def _(args: RunArgs, result: RunState, call: Call) -> Inverse | None:
    return Inverse(operation="training.restore_run", arguments={"run_id": args.run_id})


@delete_run.says
def _(args: RunArgs, result: RunState) -> str:
    return f"The training run of {result.model_name} is deleted; its files are kept."


@operation("training.restore_run", effect=Effect.WRITE, hidden=True, idempotent=True)
def restore_run(args: RunArgs, call: Call) -> RunState:
    """Bring a deleted training run back."""
    return _service(call.kernel).restore_run(args.run_id, call.tenant)


@restore_run.read_back
def _(args: RunArgs, result: RunState, call: Call) -> list[Evidence]:
    return _service(call.kernel).stage_evidence(args.run_id, call.tenant)


@restore_run.inverse
def _(args: RunArgs, result: RunState, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": args.run_id})


@restore_run.says
def _(args: RunArgs, result: RunState) -> str:
    return f"The training run of {result.model_name} is back."
