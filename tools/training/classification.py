"""The task of training a text classifier."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training import base_models
from tools.training.particular import OF_HEAD, OF_LORA
from tools.training.preparing import (
    check_length,
    check_trainable,
    cut_texts,
    make_spec,
    parameters_of,
    write_data,
)
from tools.training.space import SETTINGS, around
from tools.training.spec import DEFAULTS, TrainingSpec
from tools.training.targeting import targets_of
from tools.training.tasks import Prepared
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings


class ClassificationTask:
    """One class a text, or several; see `Task`."""

    name = "classification"
    child = "tools.training.child"
    base_model = "minilm"
    suffix = "classifier"
    methods = tuple(DEFAULTS)
    objectives: tuple[str, ...] = ("quality", "latency", "size")
    varied = tuple(SETTINGS)

    def default_space(self, method: str) -> str:
        """Rates around the method's defaults, batch size, rank."""
        found = DEFAULTS[method]
        parts = [around("head_learning_rate", found.head_learning_rate, 5), "batch_size 8|16|32"]
        if method != "head":
            parts.append(around("learning_rate", found.learning_rate, 4))
        if method == "lora":
            parts.append("rank 4|8|16")
        return ", ".join(parts)

    def own(self, method: str) -> Sequence[str]:
        """Those of the head, and of matrices."""
        return (*OF_HEAD, *((*OF_LORA, "trained_share") if method == "lora" else ()))

    def tuned(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial."""
        return parameters_of(TrainingSpec.from_dict(dict(spec)))

    def quality(self, measured: Mapping[str, Any]) -> float:
        """Accuracy, or micro F1 where a text may have several labels."""
        return measured["validation_micro_f1"]

    def defaults(self, method: str) -> Mapping[str, Any]:
        """What is not named."""
        found = DEFAULTS[method]
        return {
            "epochs": found.epochs,
            "learning_rate": found.learning_rate,
            "batch_size": 16,
            "max_length": 128,
        }

    def check(self, args: StartTraining, dataset: Dataset) -> list[str]:
        """Refuse what cannot be trained; returns warnings."""
        base_models.check(args.base_model)
        check_length(base_models.folder(args.base_model), args.max_length)
        targets_of(args, self.name)
        return check_trainable(dataset)

    def estimate(
        self, args: StartTraining, dataset: Dataset, rows: Sequence[Row], settings: Settings
    ) -> TrainingEstimate:
        """Time, memory and cost."""
        from tools.training.estimating import estimate

        texts = [row.text for row in rows]
        found = estimate(args, dataset, _config(args), settings, [])
        return found.model_copy(update={"cut": cut_texts(texts, args.max_length)})

    def prepare(
        self,
        args: StartTraining,
        dataset: Dataset,
        rows: Sequence[Row],
        folder: Path,
        settings: Settings,
    ) -> Prepared:
        """Write the data, and say what the child is told."""
        from tools.training.estimating import kind_of, work_of

        labels = write_data(folder / "data", list(rows))
        base = base_models.folder(args.base_model)
        spec = make_spec(args, base, folder, labels, settings.threads, dataset.profile.kind)
        work = work_of(args, dataset, _config(args))
        return Prepared(asdict(spec), parameters_of(spec), work.operations, kind_of(args))


def _config(args: StartTraining) -> dict[str, Any]:
    return json.loads((base_models.folder(args.base_model) / "config.json").read_text())
