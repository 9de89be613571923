"""The task of fine-tuning a sentence encoder on pairs or triplets of texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training import base_models
from tools.training.ending import seconds_of
from tools.training.particular import OF_LORA
from tools.training.preparing import check_length, cut_texts, precision_of
from tools.training.similarity.spec import (
    BATCH_SIZE,
    DEFAULTS,
    MAX_LENGTH,
    SCALE,
    EmbeddingSpec,
)
from tools.training.space import VARIED, around
from tools.training.targeting import targets_of
from tools.training.tasks import Prepared
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings


class EmbeddingTask:
    """Which texts are alike; see `Task`."""

    name = "embedding"
    child = "tools.training.similarity.child"
    base_model = "minilm"
    suffix = "embedding"
    methods = tuple(DEFAULTS)
    objectives: tuple[str, ...] = ("quality",)
    varied = VARIED

    def default_space(self, method: str) -> str:
        """The rate around the method's default, batch size, rank."""
        parts = [around("learning_rate", DEFAULTS[method][1], 4), "batch_size 16|32|64"]
        return ", ".join([*parts, *(["rank 4|8|16"] if method == "lora" else [])])

    def own(self, method: str) -> Sequence[str]:
        """The loss's scale, and those of matrices."""
        return ("scale", *(OF_LORA if method == "lora" else ()))

    def tuned(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial."""
        return EmbeddingSpec.from_dict(dict(spec)).parameters

    def quality(self, measured: Mapping[str, Any]) -> float:
        """The mean reciprocal rank of the held-out counterparts."""
        return measured["metrics"]["reciprocal_rank"]

    def defaults(self, method: str) -> Mapping[str, Any]:
        """What is not named."""
        epochs, rate = DEFAULTS[method]
        return {
            "epochs": epochs,
            "learning_rate": rate,
            "batch_size": BATCH_SIZE,
            "max_length": MAX_LENGTH,
        }

    def check(self, args: StartTraining, dataset: Dataset) -> list[str]:
        """Refuse what cannot be trained; returns warnings."""
        from tools.training.language.task import check_rows

        base_models.check(args.base_model)
        check_length(base_models.folder(args.base_model), args.max_length)
        targets_of(args, self.name)
        return check_rows(dataset)

    def estimate(
        self, args: StartTraining, dataset: Dataset, rows: Sequence[Row], settings: Settings
    ) -> TrainingEstimate:
        """Time, memory and cost: as a classifier's, on two or three texts a row."""
        from tools.datasets.kinds import alike
        from tools.training.estimating import estimate

        full = args.model_copy(update={"method": "full", "batch_size": 2 * args.batch_size})
        found = estimate(
            full, dataset, self._config(args), settings, [], f"embedding {args.method}"
        )
        texts = [text for row in rows for text in alike(row)]
        cut = cut_texts(texts, args.max_length)
        return found.model_copy(update={"method": args.method, "cut": cut})

    def prepare(
        self,
        args: StartTraining,
        dataset: Dataset,
        rows: Sequence[Row],
        folder: Path,
        settings: Settings,
    ) -> Prepared:
        """Write the texts, and say what the child is told."""
        from tools.training.estimating import work_of

        write_texts(folder / "data", rows)
        spec = make_spec(args, folder, settings.threads)
        full = args.model_copy(update={"method": "full"})
        work = work_of(full, dataset, self._config(args))
        return Prepared(asdict(spec), spec.parameters, work.operations, f"embedding {args.method}")

    def _config(self, args: StartTraining) -> dict[str, Any]:
        return json.loads((base_models.folder(args.base_model) / "config.json").read_text())


def write_texts(folder: Path, rows: Sequence[Row]) -> None:
    """Write train.jsonl and validation.jsonl, the texts of one row a line."""
    from tools.datasets.kinds import alike

    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        chosen = [alike(row) for row in rows if row.split == split]
        lines = [json.dumps({"texts": texts}, ensure_ascii=False) for texts in chosen]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_spec(args: StartTraining, folder: Path, threads: int) -> EmbeddingSpec:
    """The spec of a training whose files lie in `folder`."""
    epochs, rate = DEFAULTS[args.method]
    return EmbeddingSpec(
        base_model=args.base_model,
        base_folder=str(base_models.folder(args.base_model)),
        data=str(folder / "data"),
        output=str(folder / "embedding"),
        checkpoint=str(folder / "checkpoint.pt"),
        method=args.method,
        epochs=args.epochs or epochs,
        learning_rate=args.learning_rate or rate,
        rank=args.rank,
        dora=args.dora,
        rslora=args.rslora,
        batch_size=args.batch_size,
        seed=args.seed,
        max_length=args.max_length,
        warmup=args.warmup,
        weight_decay=args.weight_decay,
        patience=args.patience,
        precision=precision_of(args.precision),
        lora_alpha=args.lora_alpha,
        lora_dropout=args.lora_dropout or 0.0,
        target_modules=targets_of(args, "embedding"),
        scale=args.scale or SCALE,
        threads=threads,
        max_seconds=seconds_of(args.max_minutes),
        keep=args.keep,
    )
