"""What a language model's training takes: arithmetic, time and memory, from the model's sizes.

A token costs twice the number of weights that it meets forwards, and as much again backwards; where
all weights are trained, a third time for their gradients (Kaplan et al., "Scaling laws", 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.training.language.spec import DEFAULTS
from tools.training.timing import durations
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings

USUAL_SECONDS = (25.0, 20.0)
"""Before the first step, and around the computing, where none of the kind has been seen."""
RUNTIME_MB = 900
_CHARACTERS_A_TOKEN = 3.8
_TEMPLATE_TOKENS = 12
_LEARNT_SHARE = 0.4
_SAMPLE = 2000
_SHORTEST = 512
"""Tokens of a pack at least; shorter texts share one and save no memory."""


def weights_of(config: dict[str, Any]) -> tuple[float, float]:
    """How many weights the layers and the vocabulary have; a gated layer has three matrices."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    inner = config.get("intermediate_size") or 4 * hidden
    return layers * (3 * hidden**2 + 3 * hidden * inner), float(config["vocab_size"] * hidden)


def tokens_of(rows: Sequence[Row], max_length: int) -> float:
    """About how many tokens rows have, from their characters."""
    from tools.datasets.kinds import conversation

    sample = rows[:_SAMPLE]
    lengths = [
        sum(len(m["content"]) / _CHARACTERS_A_TOKEN + _TEMPLATE_TOKENS for m in conversation(row))
        for row in sample
    ]
    return sum(min(max_length, length) for length in lengths) * len(rows) / max(1, len(sample))


def operations_of(args: StartTraining, rows: Sequence[Row], config: dict[str, Any]) -> float:
    """The arithmetic of a training, its measuring of the validation split included."""
    layers, vocabulary = weights_of(config)
    train = tokens_of([r for r in rows if r.split == "train"], args.max_length)
    held_out = tokens_of([r for r in rows if r.split == "validation"], args.max_length)
    epochs = args.epochs or DEFAULTS[args.method].epochs
    passes = 3 if args.method == "full" else 2
    a_token = 2 * (layers + _LEARNT_SHARE * vocabulary)
    return epochs * a_token * (passes * train + held_out)


def estimate(
    args: StartTraining,
    dataset: Dataset,
    rows: Sequence[Row],
    config: dict[str, Any],
    settings: Settings,
) -> TrainingEstimate:
    """Time, memory and cost of a training."""
    from tools.training.estimating import Speedometer
    from tools.training.fitting import room

    meter, kind = Speedometer(settings), kind_of(args)
    operations = operations_of(args, rows, config)
    times = durations(meter, kind, args.base_model, USUAL_SECONDS, operations)
    epochs = args.epochs or DEFAULTS[args.method].epochs
    count = dataset.profile.splits.get("train", 0)
    memory, disk, free = memory_mb(args, config), disk_mb(args, config), room(settings)
    fits = memory <= free.memory_mb and disk <= free.disk_mb
    return TrainingEstimate(
        base_model=args.base_model,
        dataset=dataset.name,
        dataset_version=dataset.version,
        method=args.method,
        rows=count,
        epochs=epochs,
        steps=epochs * math.ceil(count / (args.batch_size * args.gradient_accumulation)),
        **times,
        memory_mb=memory,
        disk_mb=disk,
        memory_free_mb=free.memory_mb,
        disk_free_mb=free.disk_mb,
        fits=fits,
        would_fit=[] if fits else would_fit(args, config, free.memory_mb),
        cost=round(times["seconds"] / 3600 * settings.hourly_rate, 6),
        currency=settings.currency,
        examples_per_second=round(count * epochs * meter.read(kind) / max(operations, 1.0), 1),
    )


def memory_mb(args: StartTraining, config: dict[str, Any]) -> int:
    """Likely peak memory: weights, what the optimiser keeps, activations and logits of a pack."""
    layers, vocabulary = weights_of(config)
    weights = layers + vocabulary
    bytes_a_weight = {"full": 20.0, "qlora": 1.2}.get(args.method, 4.0)
    tokens = max(512, args.max_length)
    kept = 1 if args.gradient_checkpointing else config["num_hidden_layers"]
    inner = config.get("intermediate_size") or 4 * config["hidden_size"]
    activations = tokens * (12 * config["hidden_size"] + 6 * inner) * 4 * kept
    logits = 3 * _LEARNT_SHARE * tokens * config["vocab_size"] * 4
    return round(RUNTIME_MB + (weights * bytes_a_weight + activations + logits) / 1e6)


def disk_mb(args: StartTraining, config: dict[str, Any]) -> int:
    """Likely disk: checkpoints with the optimiser's state, the model here and with MLflow."""
    layers, vocabulary = weights_of(config)
    trained = {"full": 1.0, "prompt": 0.0}.get(args.method, 0.004 * args.rank)
    whole = 2 * (layers + vocabulary) if args.merge or args.method == "full" else 0
    return round(50 + (trained * (layers + vocabulary) * 4 * 9 + 2 * whole) / 1e6)


def would_fit(args: StartTraining, config: dict[str, Any], free_mb: int) -> list[str]:
    """Changes with which a training would fit into memory, at most three.

    A smaller batch is none of them: packs of texts are computed one after the other whatever the
    batch is, so that it costs no memory.
    """
    shorter = (args.max_length >> halvings for halvings in range(1, 6))
    lengths = [{"max_length": length} for length in shorter if length >= _SHORTEST]
    fits = [c for c in lengths if memory_mb(args.model_copy(update=c), config) <= free_mb]
    changes: list[dict[str, Any]] = [
        *fits[:1],
        {"gradient_checkpointing": True},
        {"method": "lora"},
        {"method": "qlora"},
        {"method": "lora", "gradient_checkpointing": True, "max_length": 512},
        {"method": "qlora", "gradient_checkpointing": True, "max_length": 512},
    ]
    fitting = [c for c in changes if memory_mb(args.model_copy(update=c), config) <= free_mb]
    return [
        ", ".join(
            name.replace("_", " ") + ("" if value is True else f" {value}")
            for name, value in change.items()
        )
        for change in fitting[:3]
    ]


def kind_of(args: StartTraining) -> str:
    """Whose speed a training is measured with."""
    return f"language {args.method} {args.precision}"
