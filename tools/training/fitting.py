"""Whether a training fits on this machine, and what would fit instead."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from tools.kernel.settings import Settings
    from tools.training.types import StartTraining, TrainingEstimate

_SPARE = 0.9
"""The share of what is free that a training may take: others need some of it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is free, in megabytes."""

    memory_mb: int
    disk_mb: int


def room(settings: Settings) -> Room:
    """What a training may take: `training_memory_mb`, or most of what is free now."""
    import psutil

    free = psutil.virtual_memory().available
    limit = _group_limit()
    memory = min(free, limit) if limit is not None else free
    given = settings.training_memory_mb
    disk = shutil.disk_usage(settings.folder("work")).free
    return Room(given or round(_SPARE * memory / 1e6), round(_SPARE * disk / 1e6))


def _group_limit() -> int | None:
    """Bytes that this process's control group still may use; None without a limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        most = int((folder / "memory.max").read_text())
        return most - int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return None


def refuse_unfit(estimate: TrainingEstimate) -> None:
    """Refuse a training that cannot fit.

    Raises:
        InvalidInput: with what it needs, what there is, and what would fit.
    """
    if estimate.fits:
        return
    where = f"{estimate.base_model} ({estimate.method}) on {estimate.dataset}"
    raise InvalidInput(
        f"Training {where} does not fit: it needs {_short(estimate)}.", hint=_instead(estimate)
    )


def unfit(estimate: TrainingEstimate) -> str:
    """That a training would be refused, and what would fit; empty if it fits."""
    if estimate.fits:
        return ""
    return (
        f" It does not fit and would be refused: it needs {_short(estimate)}. {_instead(estimate)}"
    )


def _short(estimate: TrainingEstimate) -> str:
    sizes = (
        ("memory", estimate.memory_mb, estimate.memory_free_mb),
        ("disk", estimate.disk_mb, estimate.disk_free_mb),
    )
    return " and ".join(
        f"{needed} MB of {what}, {free} MB are free"
        for what, needed, free in sizes
        if needed > free
    )


def _instead(estimate: TrainingEstimate) -> str:
    return f"What would fit: {'; '.join(estimate.would_fit) or 'nothing on this machine'}."


def alternatives(
    args: StartTraining, memory_of: Callable[[StartTraining], int], free_mb: int
) -> list[str]:
    """The smallest changes of a training that make it fit into memory, at most three of them.

    Args:
        args: the training that does not fit.
        memory_of: megabytes that a training needs.
        free_mb: megabytes that there are.
    """
    found: list[str] = []
    for kind in (_smaller_batches, _shorter_texts, _recomputed, _smaller_methods, _all_at_once):
        fit = next((told for told, changed in kind(args) if memory_of(changed) <= free_mb), None)
        if fit is not None:
            found.append(fit)
    return found[:3]


Change = tuple[str, "StartTraining"]


def _with(args: StartTraining, **changes: object) -> StartTraining:
    return args.model_copy(update=changes)


def _smaller_batches(args: StartTraining) -> Iterator[Change]:
    batch, steps = args.batch_size // 2, args.gradient_accumulation * 2
    while batch >= 1:
        told = f"batch size {batch} with gradient accumulation {steps}"
        yield told, _with(args, batch_size=batch, gradient_accumulation=steps)
        batch, steps = batch // 2, steps * 2


def _shorter_texts(args: StartTraining) -> Iterator[Change]:
    length = args.max_length // 2
    while length >= 32:
        yield f"max length {length}", _with(args, max_length=length)
        length //= 2


def _recomputed(args: StartTraining) -> Iterator[Change]:
    if not args.gradient_checkpointing:
        yield "gradient checkpointing", _with(args, gradient_checkpointing=True)


def _smaller_methods(args: StartTraining) -> Iterator[Change]:
    order = ("full", "lora", "head")
    later = order[order.index(args.method) + 1 :] if args.method in order else ()
    for method in later:
        yield f"method {method}", _with(args, method=method)


def _all_at_once(args: StartTraining) -> Iterator[Change]:
    small = {"batch_size": 1, "max_length": 64, "gradient_checkpointing": True}
    for method in ("lora", "head"):
        told = f"method {method}, batch size 1, max length 64 and gradient checkpointing"
        yield told, _with(args, **small, method=method)
