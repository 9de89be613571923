"""The task of fine-tuning a language model on prompts and answers, or on chats."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training import base_models
from tools.training.ending import seconds_of
from tools.training.enough import require_rows
from tools.training.language import estimating
from tools.training.language.bases import config_of
from tools.training.language.spec import (
    BATCH_SIZE,
    DEFAULTS,
    MAX_LENGTH,
    VIRTUAL_TOKENS,
    LanguageSpec,
)
from tools.training.particular import OF_LORA
from tools.training.space import VARIED, around
from tools.training.targeting import targets_of
from tools.training.tasks import Prepared
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings

_LEAST_ROWS = 8


class LanguageTask:
    """Answers to prompts, or in chats; see `Task`."""

    name = "language"
    child = "tools.training.language.child"
    base_model = "smollm2"
    suffix = "assistant"
    methods = tuple(DEFAULTS)
    objectives: tuple[str, ...] = ("quality", "size")
    varied = (*VARIED, "gradient_accumulation")

    def default_space(self, method: str) -> str:
        """The rate around the method's default, batch size, rank."""
        parts = [around("learning_rate", DEFAULTS[method].learning_rate, 4), "batch_size 4|8|16"]
        if method in ("lora", "qlora"):
            parts.append("rank 4|8|16")
        return ", ".join(parts)

    def own(self, method: str) -> Sequence[str]:
        """Those of matrices, or of virtual tokens."""
        if method == "prompt":
            return ("virtual_tokens",)
        return OF_LORA if method in ("lora", "qlora") else ()

    def tuned(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial."""
        return LanguageSpec.from_dict(dict(spec)).parameters

    def quality(self, measured: Mapping[str, Any]) -> float:
        """The share of the answers' tokens that are foretold rightly."""
        return measured["metrics"]["token_accuracy"]

    def defaults(self, method: str) -> Mapping[str, Any]:
        """What is not named."""
        found = DEFAULTS[method]
        return {
            "epochs": found.epochs,
            "learning_rate": found.learning_rate,
            "batch_size": BATCH_SIZE,
            "max_length": MAX_LENGTH,
        }

    def check(self, args: StartTraining, dataset: Dataset) -> list[str]:
        """Refuse what cannot be trained; returns warnings.

        Raises:
            InvalidInput: if base model, dataset and settings do not fit.
            Unavailable: if the base model has not been fetched.
        """
        if args.base_model == "minilm":
            raise InvalidInput(
                "minilm is an encoder and writes no answers.",
                hint="Use smollm2, or the folder of a causal language model.",
            )
        folder = base_models.folder(args.base_model)
        config = config_of(folder)
        base_models.require_tokenizer(folder)
        if config.get("model_type") in ("bert", "roberta", "distilbert"):
            raise InvalidInput(
                f"{args.base_model} is a {config['model_type']} model and writes no answers.",
                hint="Use smollm2, or the folder of a causal language model.",
            )
        positions = config.get("max_position_embeddings", args.max_length)
        if args.max_length > positions:
            raise InvalidInput(
                f"max_length is {args.max_length}, the base model reads {positions} tokens."
            )
        targets_of(args, self.name)
        return check_rows(dataset)

    def estimate(
        self, args: StartTraining, dataset: Dataset, rows: Sequence[Row], settings: Settings
    ) -> TrainingEstimate:
        """Time, memory and cost."""
        return estimating.estimate(args, dataset, rows, _config(args), settings)

    def prepare(
        self,
        args: StartTraining,
        dataset: Dataset,
        rows: Sequence[Row],
        folder: Path,
        settings: Settings,
    ) -> Prepared:
        """Write the chats, and say what the child is told."""
        write_chats(folder / "data", rows)
        spec = make_spec(args, folder, settings.threads)
        operations = estimating.operations_of(args, rows, _config(args))
        return Prepared(asdict(spec), spec.parameters, operations, estimating.kind_of(args))


def check_rows(dataset: Dataset) -> list[str]:
    """Refuse a dataset with too little to train or to validate on; returns warnings.

    Raises:
        InvalidInput: says which split lacks rows.
    """
    require_rows(dataset, _LEAST_ROWS)
    few = dataset.profile.splits["validation"] < 30
    return [*dataset.profile.warnings, *(["The validation split is small."] * few)]


def write_chats(folder: Path, rows: Sequence[Row]) -> None:
    """Write train.jsonl and validation.jsonl, one chat a line."""
    from tools.datasets.kinds import conversation

    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        chosen = [conversation(row) for row in rows if row.split == split]
        lines = [json.dumps({"messages": chat}, ensure_ascii=False) for chat in chosen]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_spec(args: StartTraining, folder: Path, threads: int) -> LanguageSpec:
    """The spec of a training whose files lie in `folder`."""
    from tools.training.preparing import precision_of

    defaults = DEFAULTS[args.method]
    return LanguageSpec(
        base_model=args.base_model,
        base_folder=str(base_models.folder(args.base_model)),
        data=str(folder / "data"),
        output=str(folder / "language-model"),
        checkpoint=str(folder / "checkpoint.pt"),
        method=args.method,
        epochs=args.epochs or defaults.epochs,
        learning_rate=args.learning_rate or defaults.learning_rate,
        rank=args.rank,
        batch_size=args.batch_size,
        seed=args.seed,
        max_length=args.max_length,
        dora=args.dora,
        rslora=args.rslora,
        merge=args.merge,
        gradient_accumulation=args.gradient_accumulation,
        gradient_checkpointing=args.gradient_checkpointing,
        precision=precision_of(args.precision),
        scheduler=args.scheduler,
        warmup=args.warmup,
        weight_decay=args.weight_decay,
        patience=args.patience,
        lora_alpha=args.lora_alpha,
        lora_dropout=args.lora_dropout or 0.0,
        target_modules=targets_of(args, "language"),
        virtual_tokens=args.virtual_tokens or VIRTUAL_TOKENS,
        pack_tokens=max(512, 2 ** math.ceil(math.log2(args.max_length))),
        threads=threads,
        max_seconds=seconds_of(args.max_minutes),
        keep=args.keep,
    )


def _config(args: StartTraining) -> dict[str, Any]:
    return config_of(base_models.folder(args.base_model))
