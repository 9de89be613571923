"""How long a training takes and what it needs, from this machine's speed.

Time = starting up + arithmetic / speed. Arithmetic: a layer of hidden size h costs 24 h² operations
a token forwards; as much again backwards for its inputs, and again for its weights where they are
all trained. Speed is measured once with a small matrix product and then corrected by what finished
trainings reached; both are kept in the home.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.spec import DEFAULTS
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings

STARTUP_SECONDS = 12.0
RUNTIME_MB = 620
_EFFICIENCY = 0.55
_CHARACTERS_A_TOKEN = 4.3
_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """The arithmetic of a training, in operations, and its tokens."""

    operations: float
    tokens: float


def work_of(args: StartTraining, dataset: Dataset, config: dict[str, Any]) -> Work:
    """What a training has to compute.

    Args:
        args: the training, with epochs filled in.
        dataset: what it learns from.
        config: the base model's `config.json`.
    """
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    a_layer = 2 * (4 * hidden**2 + 2 * hidden * config["intermediate_size"])
    trained = math.ceil(layers * DEFAULTS[args.method].trained_share)
    lengths, splits = dataset.profile.lengths, dataset.profile.splits
    characters = 0.7 * lengths.p50 + 0.3 * lengths.p90
    a_row = min(args.max_length, characters / _CHARACTERS_A_TOKEN + 2)
    train, held_out = splits.get("train", 0) * a_row, splits.get("validation", 0) * a_row
    epochs = args.epochs or DEFAULTS[args.method].epochs
    passes = 3 if args.method == "full" else 2
    once = (train + held_out) * (layers - trained) * a_layer
    each = (train * passes + held_out) * trained * a_layer
    return Work(once + epochs * each, train * epochs)


class Speedometer:
    """Operations a second that a training reaches on this machine; kept in a file of the home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / "work" / "speed.json"

    def read(self) -> float:
        """The known speed; measured now if there is none."""
        try:
            return float(json.loads(self._path.read_text())["operations_per_second"])
        except (OSError, ValueError, KeyError, TypeError):
            measured = _EFFICIENCY * _matrix_speed(self._settings.threads)
            self._write(measured)
            return measured

    def learn(self, operations: float, seconds: float) -> None:
        """Correct the speed by a finished training."""
        if seconds > 0 and operations > 0:
            reached = operations / seconds
            self._write(
                math.exp((1 - _WEIGHT) * math.log(self.read()) + _WEIGHT * math.log(reached))
            )

    def _write(self, value: float) -> None:
        folder = self._settings.folder("work")
        staged = Path(folder) / "speed.json.new"
        staged.write_text(json.dumps({"operations_per_second": value, "at": time.time()}))
        staged.replace(self._path)


def _matrix_speed(threads: int) -> float:
    import numpy as np
    from threadpoolctl import threadpool_limits

    rows, inner, columns = 512, 384, 1536
    a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    best = math.inf
    with threadpool_limits(threads):
        for _ in range(12):
            began = time.perf_counter()
            np.matmul(a, b)
            best = min(best, time.perf_counter() - began)
    return 2 * rows * inner * columns / best


def estimate(
    args: StartTraining,
    dataset: Dataset,
    config: dict[str, Any],
    settings: Settings,
    warnings: list[str],
) -> TrainingEstimate:
    """Time, memory and cost of a training."""
    work = work_of(args, dataset, config)
    speed = Speedometer(settings).read()
    computing = work.operations / speed
    seconds = STARTUP_SECONDS + computing
    epochs = args.epochs or DEFAULTS[args.method].epochs
    rows = dataset.profile.splits.get("train", 0)
    return TrainingEstimate(
        base_model=args.base_model,
        dataset=dataset.name,
        dataset_version=dataset.version,
        method=args.method,
        rows=rows,
        epochs=epochs,
        steps=epochs * math.ceil(rows / args.batch_size),
        seconds=round(seconds, 1),
        seconds_low=round(STARTUP_SECONDS / 2 + computing / 3, 1),
        seconds_high=round(1.5 * STARTUP_SECONDS + 3 * computing, 1),
        memory_mb=_memory(args, work, epochs, config),
        cost=round(seconds / 3600 * settings.hourly_rate, 6),
        currency=settings.currency,
        examples_per_second=round(rows * epochs / max(computing, 0.001), 1),
        warnings=warnings,
    )


def _memory(args: StartTraining, work: Work, epochs: int, config: dict[str, Any]) -> int:
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    a_layer = 4 * hidden**2 + 2 * hidden * config["intermediate_size"]
    numbers = config["vocab_size"] * hidden + layers * a_layer
    copies = 5 if args.method == "full" else 2
    cached = 0 if args.method == "full" else min(work.tokens / epochs * hidden * 4, 1 << 30)
    activations = args.batch_size * args.max_length * hidden * 4 * layers * 16
    return round(RUNTIME_MB + (numbers * 4 * copies + cached + activations) / 1e6)
