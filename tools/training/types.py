"""What training operations take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

Method = Literal["lora", "qlora", "full", "head", "prompt"]
TaskName = Literal["classification", "language", "embedding"]
Scheduler = Literal["linear", "cosine", "constant"]
Objective = Literal["quality", "latency", "size"]
Sampler = Literal["tpe", "random"]
Precision = Literal["auto", "fp32", "bf16"]
Keep = Literal["best", "last"]


class _What(Args):
    """What is trained, on what, and how; shared by training, estimating and tuning."""

    base_model: Annotated[
        str, Slot(EntityKind.BASE_MODEL, "Which base model should I start from?", closed=False)
    ] = Field(
        "minilm",
        description="The model to start from: `minilm`, `smollm2`, or a folder that transformers "
        "can load; `smollm2` where answers are learnt and nothing is named.",
        max_length=1024,
    )
    dataset: Annotated[str, Slot(EntityKind.DATASET, "Which dataset should I train on?")] = Field(
        description="A dataset's name, or `name@2` for a certain version of it."
    )
    period: str | None = Field(
        None,
        description="Only rows from then are learnt from, such as `last week` or `since "
        "2026-01-01`, by the dataset's column of dates; all rows if it has none.",
        max_length=100,
    )
    precision: Precision = Field(
        "auto",
        description="`bf16` computes matrix products in bfloat16; `auto` does so where the "
        "processor has instructions for it.",
    )
    method: Method = Field(
        "lora",
        description="`lora` trains small matrices beside the layers (of a classifier's encoder "
        "the upper third of them), `qlora` the same on weights held in four bits, `full` trains "
        "every weight, `head` only the classifier on the frozen "
        "encoder, `prompt` only virtual tokens before every text.",
    )
    task: TaskName | None = Field(
        None,
        description="What is learnt: classes, a language model's answers, or an embedding of "
        "texts; from the dataset's kind if not given.",
    )
    name: Annotated[str | None, Slot(EntityKind.MODEL, closed=False)] = Field(
        None,
        description="What the model will be called in the registry; from the dataset if not given.",
        max_length=64,
    )
    epochs: int | None = Field(
        None, ge=1, le=100, description="Passes over the training split; by method if not given."
    )
    batch_size: int = Field(
        16, ge=1, le=512, description="Texts computed at once; 8 for a language model."
    )
    gradient_accumulation: int = Field(
        1, ge=1, le=256, description="Batches whose gradients are added before a step."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Same seed, same result.")
    max_length: int = Field(
        128,
        ge=8,
        le=8192,
        description="Tokens after which a text is cut; 512 for a language model.",
    )
    warmup: float = Field(
        0.1, ge=0, le=0.9, description="Share of the steps over which the rate rises."
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="Decoupled decay of AdamW.")
    scheduler: Scheduler = Field(
        "linear", description="How the learning rate goes on after the warm-up."
    )
    patience: int = Field(
        2,
        ge=0,
        le=100,
        description="Epochs without improvement after which training stops; 0 for no early "
        "stopping.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations twice instead of keeping them: slower, smaller."
    )
    packing: bool | None = Field(
        None,
        description="Several texts computed as one, kept apart by masks: always so of a language "
        "model, never of what else is trained, whose batches hold texts of like length.",
    )
    lora_alpha: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="What LoRA's product is scaled by, over the rank; twice the rank if not given.",
    )
    lora_dropout: float | None = Field(
        None, ge=0, le=0.9, description="Dropout before LoRA's matrices; 0 if not given."
    )
    target_modules: str | None = Field(
        None,
        description="Which linear layers get LoRA's matrices: `all-linear`, `attention`, or names "
        "as peft takes them, such as `q_proj, v_proj`; all of them if not given.",
        max_length=1000,
    )
    trained_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of a classifier's layers, from the top, that LoRA trains; a third if "
        "not given.",
    )
    head_learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Peak learning rate of a classifier's head; by method if not given.",
    )
    head_dropout: float | None = Field(
        None, ge=0, le=0.9, description="Dropout before a classifier's head; 0.1 if not given."
    )
    dropout: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="`head_dropout` of a classifier, `lora_dropout` of all else.",
    )
    label_smoothing: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="Share of a classifier's targets spread over all classes; 0.1 if not given.",
    )
    virtual_tokens: int | None = Field(
        None,
        ge=1,
        le=512,
        description="Tokens that prompt tuning learns, before every text; 20 if not given.",
    )
    scale: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="What an embedding's cosines are multiplied by in the loss; 20 if not given.",
    )


class StartTraining(_What):
    """A training to start."""

    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Peak learning rate; by method if not given. A classifier's "
        "head has a rate of its own unless only the head is trained.",
    )
    rank: int = Field(8, ge=1, le=256, description="Rank of the LoRA matrices.")
    dora: bool = Field(False, description="Weight-decomposed LoRA: direction and size apart.")
    rslora: bool = Field(False, description="LoRA scaled by the root of its rank.")
    merge: bool = Field(
        False, description="Also write the whole model, the adapter added into its weights."
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        le=7 * 24 * 60,
        description="Minutes of computing after which it stops, is measured and kept as if "
        "it had ended; starting before and recording after are not counted.",
    )
    keep: Keep = Field(
        "best",
        description="Which weights are kept: of the epoch that is best on the validation split, "
        "or of the `last` step.",
    )


class EstimateTraining(StartTraining):
    """A training to estimate; the arguments of `training.start`."""


class TuneTraining(_What):
    """A search for good hyperparameters."""

    trials: int = Field(6, ge=1, le=200, description="How many settings to try.")
    timeout_minutes: float | None = Field(
        None, gt=0, le=7 * 24 * 60, description="Start no further trial after this many minutes."
    )
    space: str | None = Field(
        None,
        description="What is varied, and between what: `learning_rate 1e-5..1e-3, rank 4..32, "
        "batch_size 8|16|32`; around the method's defaults if not given.",
        max_length=1000,
    )
    objective: Objective = Field(
        "quality",
        description="What counts beside quality on the validation split: nothing, the `latency` of "
        "a single text, or the `size` of what would be deployed.",
    )
    parallel: int = Field(1, ge=1, le=64, description="How many trials run at once.")
    sampler: Sampler = Field(
        "tpe",
        description="How settings are chosen: `tpe` by what the trials before gave, `random`.",
    )
    pruning: bool = Field(
        True, description="Give up trials that fall behind; not where two objectives count."
    )


class TrainingResult(Result):
    """What a training made and measured.

    Attributes:
        job: the job that did it.
        run_id: its MLflow run.
        model_name: the name under which it can be registered.
        base_model: what it started from.
        dataset_version: the version of the dataset that it was trained on.
        dataset_sha256: SHA-256 of that version's rows.
        epochs: passes done over the training split (fewer than asked after early stopping); one
            that a limit of time cut off counts.
        best_epoch: the epoch whose weights were kept.
        initial_loss: mean cross-entropy on the validation split before the first step.
        final_loss: the same for the kept weights.
        task: `classification`, or `multilabel` for any number of labels a text; `language`;
            `embedding`.
        validation_accuracy: share of validation rows that the kept weights label rightly (where a
            text may have several labels: all of them); of a language model the share of answers
            that are right word for word, of an embedding the share of texts whose counterpart is
            the nearest.
        validation_macro_f1: F1 on the validation split, a mean over the classes; of a language
            model F1 of the answers' words, of an embedding the mean reciprocal rank.
        metrics: what else the task measures, before and after.
        warnings: what to know of it: that nothing was improved, that texts were cut.
        validation_micro_f1: F1 over all labels together.
        seconds: work of the job from its beginning to its recorded end, over all attempts, with
            what a kill made it do again; waiting in the queue and pauses are left out.
        estimated_seconds: what had been expected of that before it started, for as many epochs as
            were trained.
        estimate_error: how far `seconds` was from that: 0.2 for a fifth longer, -0.2 for shorter.
        peak_memory_mb: the most memory that its process took.
        memory_error: how far that was from what had been expected, as a share.
        stopped: why it ended before its last epoch; empty if it did not.
        trained_parameters: how many numbers were trained.
        total_parameters: how many numbers the model has.
        artifact_path: the trained classifier's folder.
        artifact_sha256: SHA-256 over that folder's files.
        parameters: the settings it was trained with.
    """

    job: int
    run_id: str
    model_name: str
    base_model: str
    method: str
    dataset: str
    dataset_version: int
    dataset_sha256: str
    epochs: int
    best_epoch: int
    initial_loss: float
    final_loss: float
    validation_accuracy: float
    validation_macro_f1: float
    metrics: dict[str, float] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    validation_micro_f1: float = 0.0
    task: str = "classification"
    seconds: float
    estimated_seconds: float | None = None
    estimate_error: float | None = None
    peak_memory_mb: float | None = None
    memory_error: float | None = None
    stopped: str = ""
    trained_parameters: int
    total_parameters: int
    artifact_path: str
    artifact_sha256: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class TrialResult(Result):
    """One setting tried by a tuning.

    Attributes:
        number: its place, counted from 1 as its progress is told.
        state: `complete`, `pruned` (given up early as worse than the others) or `failed`.
        value: quality on the validation split (accuracy, or micro F1 of several labels); of the
            last epoch done when pruned.
        seconds: from the start of its computing process to the end of its steps.
        latency_ms: median time of one text alone.
        size_mb: megabytes (2^20 bytes) where it is deployed: its files, and the base model that an
            adapter or a head rests on.
    """

    number: int
    state: str
    value: float | None
    parameters: dict[str, JsonValue]
    epochs: int
    seconds: float
    latency_ms: float | None = None
    size_mb: float | None = None


class TuningResult(TrainingResult):
    """The best trial as a trained model, and all trials.

    Attributes:
        study: the Optuna study's name.
        best_trial: the number of the trial whose model was kept.
        space: what was varied.
        objective: what counted beside quality.
        front: the trials that no other beats in quality and the other objective at once.
        importance: how much each setting mattered for quality, as shares (fANOVA); empty with
            fewer than four complete trials.
        trial_estimated_seconds: what one whole trial had been expected to take;
            `estimated_seconds` is of all trials, as far as they went.
    """

    study: str
    best_trial: int
    trials: list[TrialResult]
    space: str = ""
    objective: str = "quality"
    front: list[int] = Field(default_factory=list)
    importance: dict[str, float] = Field(default_factory=dict)
    trial_estimated_seconds: float | None = None


class TrainingEstimate(Result):
    """What a training would take.

    Attributes:
        seconds: likely duration of the job once it begins, all included.
        seconds_low: when it stops early or the machine is idle.
        seconds_high: when the machine is busy.
        startup_seconds: the part of them that its computing process takes before its steps.
        around_seconds: the part for preparing, writing, measuring and recording.
        memory_mb: likely peak memory of the training process.
        disk_mb: likely disk it takes while it runs and afterwards.
        memory_free_mb: what it may take of memory.
        disk_free_mb: what it may take of disk.
        fits: False if it needs more than there is; such a training is refused.
        would_fit: changes with which it would fit.
        cut: how many texts are longer than `max_length`, and what would do; empty if none is.
        cost: seconds at the configured hourly rate.
        examples_per_second: the measured speed of this machine that it rests on.
    """

    base_model: str
    dataset: str
    dataset_version: int
    method: str
    rows: int
    epochs: int
    steps: int
    seconds: float
    seconds_low: float
    seconds_high: float
    startup_seconds: float = 0.0
    around_seconds: float = 0.0
    memory_mb: int
    disk_mb: int = 0
    memory_free_mb: int = 0
    disk_free_mb: int = 0
    fits: bool = True
    would_fit: list[str] = Field(default_factory=list)
    cut: str = ""
    cost: float
    currency: str
    examples_per_second: float
    warnings: list[str] = Field(default_factory=list)
