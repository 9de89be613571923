"""The training's operations: train, estimate, tune."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training import following_operations, run_operations
from tools.training.optimizing import operations as optimizing
from tools.training.prompting import operations as prompting
from tools.training.telling import of_rows, score, settings, warned
from tools.training.types import (
    EstimateTraining,
    StartTraining,
    TrainingEstimate,
    TrainingResult,
    TuneTraining,
    TuningResult,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.training.service import TrainingService

__all__ = ["following_operations", "optimizing", "prompting", "run_operations"]


def _service(call: Call) -> TrainingService:
    from tools.training.service import TrainingService

    return call.get(TrainingService)


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
        "train on the refunds data for at most 10 minutes",
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
    return _service(call).run(args, call)


@start.normalise
def _(args: StartTraining, call: Call) -> StartTraining:
    return _service(call).normalise(args, call.tenant)


@start.preview
def _(args: StartTraining, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@start.read_back
def _(args: StartTraining, result: TrainingResult, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.run_id, call.tenant)


@start.inverse
def _(args: StartTraining, result: TrainingResult, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": result.run_id})


@start.says
def _(args: StartTraining, result: TrainingResult) -> str:
    return (
        f"Trained {result.model_name} on {result.dataset} v{result.dataset_version}"
        f"{of_rows(result)} from {result.base_model} in "
        f"{result.seconds:.0f} s: loss {result.initial_loss:.2f} → {result.final_loss:.2f}, "
        f"{score(result)}.{warned(result.warnings)}"
    )


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
    return _service(call).estimate(args, call.tenant)


@estimate.normalise
def _(args: EstimateTraining, call: Call) -> EstimateTraining:
    filled = _service(call).normalise(args, call.tenant)
    return EstimateTraining(**filled.model_dump())


@estimate.says
def _(args: EstimateTraining, result: TrainingEstimate) -> str:
    from tools.training.fitting import unfit

    return (
        f"Training {result.base_model} on {result.rows} rows of {result.dataset} for "
        f"{result.epochs} epochs takes about {result.seconds:.0f} s "
        f"({result.seconds_low:.0f} to {result.seconds_high:.0f} s), {result.memory_mb} MB of "
        f"memory and {result.cost:.4f} {result.currency}."
        f"{unfit(result)}{warned(result.warnings)}"
    )


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
    return _service(call).run_tuning(args, call)


@tune.normalise
def _(args: TuneTraining, call: Call) -> TuneTraining:
    return _service(call).normalise(args, call.tenant)


@tune.preview
def _(args: TuneTraining, call: Call) -> Preview:
    return _service(call).preview_tuning(args, call.tenant)


@tune.read_back
def _(args: TuneTraining, result: TuningResult, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.run_id, call.tenant)


@tune.inverse
def _(args: TuneTraining, result: TuningResult, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": result.run_id})


@tune.says
def _(args: TuneTraining, result: TuningResult) -> str:
    pruned = sum(t.state == "pruned" for t in result.trials)
    return (
        f"Tried {len(result.trials)} settings on {result.dataset} v{result.dataset_version} "
        f"({pruned} given up early); trial {result.best_trial}{settings(result)} is best with "
        f"{score(result)}.{warned(result.warnings)}"
    )
