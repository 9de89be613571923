"""How long a training takes and what it needs, from this machine's speed.

Time = what is fixed + arithmetic / speed. Arithmetic: a layer of hidden size h costs 24 h²
operations a token forwards; as much again backwards for its inputs, and again for its weights where
they are all trained. Speed is measured once with a small matrix product and then, for each method
and precision, corrected by what finished trainings reached. The times that are fixed
(`tools.training.timing`) are learnt for each base model too. All are kept in the home.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.fitting import alternatives, room
from tools.training.particular import share_of
from tools.training.spec import DEFAULTS
from tools.training.timing import durations
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings

USUAL_SECONDS = (12.0, 8.0)
"""Before the first step, and around the computing, where none of the kind has been seen."""
RUNTIME_MB = 620
_EFFICIENCY = 0.55
_CHARACTERS_A_TOKEN = 4.3
_WEIGHT = 0.5
_MEASURED = "matrix product"
_FIXED = ("starting", "around")


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
    trained = math.ceil(layers * share_of(args))
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

    def read(self, kind: str) -> float:
        """The known speed of a kind of training; one measured now if there is none."""
        known = self._known()
        if kind in known:
            return known[kind]
        if _MEASURED not in known:
            self._write(_MEASURED, _EFFICIENCY * _matrix_speed(self._settings.threads))
        return self._known()[_MEASURED]

    def learn(self, kind: str, operations: float, seconds: float) -> None:
        """Correct the speed of a kind by a finished training."""
        if seconds > 0 and operations > 0:
            old, reached = self.read(kind), operations / seconds
            mean = (1 - _WEIGHT) * math.log(old) + _WEIGHT * math.log(reached)
            self._write(kind, math.exp(mean))

    def fixed(self, kind: str, usual: tuple[float, float]) -> tuple[float, float]:
        """Seconds before a kind of training computes and around it: as seen here, or as usual."""
        known = self._known()
        starting, around = (known.get(f"{n} {kind}", u) for n, u in zip(_FIXED, usual, strict=True))
        return starting, around

    def learn_fixed(
        self, kind: str, expected: tuple[float, float], seen: tuple[float, float]
    ) -> None:
        """Correct what is fixed of a kind by a finished training."""
        for name, old, seconds in zip(_FIXED, expected, seen, strict=True):
            if seconds > 0:
                self._write(f"{name} {kind}", (1 - _WEIGHT) * old + _WEIGHT * seconds)

    def _known(self) -> dict[str, float]:
        try:
            return {k: float(v) for k, v in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, kind: str, value: float) -> None:
        folder = self._settings.folder("work")
        staged = Path(folder) / "speed.json.new"
        staged.write_text(json.dumps({**self._known(), kind: value}))
        staged.replace(self._path)


def kind_of(args: StartTraining) -> str:
    """The kind of training whose speed is learnt apart."""
    return f"{args.method} {args.precision}" + (" twice" if args.gradient_checkpointing else "")


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
    kind: str | None = None,
) -> TrainingEstimate:
    """Time, memory and cost of a training; `kind` is whose speed counts if not the method's."""
    work = work_of(args, dataset, config)
    meter, kind = Speedometer(settings), kind or kind_of(args)
    times = durations(meter, kind, args.base_model, USUAL_SECONDS, work.operations)
    epochs = args.epochs or DEFAULTS[args.method].epochs
    rows = dataset.profile.splits.get("train", 0)
    memory = _memory(args, work, epochs, config)
    disk, free = _disk(args, dataset, config), room(settings)
    fits = memory <= free.memory_mb and disk <= free.disk_mb

    def memory_of(changed: StartTraining) -> int:
        return _memory(changed, work_of(changed, dataset, config), epochs, config)

    return TrainingEstimate(
        base_model=args.base_model,
        dataset=dataset.name,
        dataset_version=dataset.version,
        method=args.method,
        rows=rows,
        epochs=epochs,
        steps=epochs * math.ceil(rows / (args.batch_size * args.gradient_accumulation)),
        **times,
        memory_mb=memory,
        disk_mb=disk,
        memory_free_mb=free.memory_mb,
        disk_free_mb=free.disk_mb,
        fits=fits,
        would_fit=[] if fits else alternatives(args, memory_of, free.memory_mb),
        cost=round(times["seconds"] / 3600 * settings.hourly_rate, 6),
        currency=settings.currency,
        examples_per_second=round(rows * epochs * meter.read(kind) / max(work.operations, 1.0), 1),
        warnings=warnings,
    )


def _numbers(config: dict[str, Any]) -> int:
    """How many numbers an encoder has."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    a_layer = 4 * hidden**2 + 2 * hidden * config["intermediate_size"]
    return config["vocab_size"] * hidden + layers * a_layer


def _memory(args: StartTraining, work: Work, epochs: int, config: dict[str, Any]) -> int:
    """Megabytes at the peak: the runtime, weights with gradients and moments, activations."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    copies = 5 if args.method == "full" else 2
    cached = 0 if args.method == "full" else min(work.tokens / epochs * hidden * 4, 1 << 30)
    kept = math.ceil(layers * share_of(args))
    if args.gradient_checkpointing:
        kept = min(kept, 1)
    tokens = args.batch_size * args.max_length
    activations = tokens * hidden * 4 * (16 * max(kept, 1) + layers)
    scores = args.batch_size * config["num_attention_heads"] * args.max_length**2 * 4
    total = _numbers(config) * 4 * copies + cached + activations + scores * max(kept, 1)
    return round(RUNTIME_MB + total / 1e6)


def _disk(args: StartTraining, dataset: Dataset, config: dict[str, Any]) -> int:
    """Megabytes: the texts, two checkpoints and the classifier, here and with MLflow."""
    text = dataset.profile.rows * (dataset.profile.lengths.p50 + 100)
    share = {"full": 1.0, "lora": 0.1, "head": 0.01}.get(args.method, 1.0)
    weights = _numbers(config) * 4 * share
    return round(20 + (text + 2 * 4 * weights + 3 * weights) / 1e6)


def error_of(actual: float, expected: float) -> float | None:
    """How far an expectation was off, as a share of it; None without one."""
    return round(actual / expected - 1, 4) if expected > 0 else None
