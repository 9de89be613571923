"""Several processes that train one model: each takes a part of every batch, all step alike.

Gradients are added over all of them before each step, so that a step is that of one process with
the whole batch. What could differ between hosts (scores, the wish to pause) is decided by the
first process and told to the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

_SILENCE_SECONDS = 120.0


Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a training; without arguments there is but this one.

    Attributes:
        rank: the place of this process.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """True in the process that decides, and keeps the checkpoint."""
        return self.rank == 0

    def part(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of a batch that this process computes."""
        return list(rows[self.rank :: self.size])

    def add_gradients(self, parameters: Iterable[Tensor], loss: float) -> float:
        """Add every gradient and the loss over all processes.

        Returns:
            The sum of the losses.
        """
        if self.size == 1:
            return loss
        trained = [p for p in parameters if p.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([torch.tensor([loss]), *(part.flatten() for part in parts)])
        distributed.all_reduce(flat)
        sizes = [p.numel() for p in trained]
        for parameter, total in zip(trained, flat[1:].split(sizes), strict=True):
            parameter.grad = total.view_as(parameter).clone()
        return float(flat[0])

    def agreed(self, figures: Sequence[float]) -> list[float]:
        """The figures of the first process."""
        if self.size == 1:
            return list(figures)
        told = torch.tensor(figures, dtype=torch.float64)
        distributed.broadcast(told, 0)
        return told.tolist()

    def gathered(self, part: Tensor, rows: int) -> Tensor:
        """The vectors of all rows of a batch, of which this process computed its part.

        A loss over all of them has its gradient here in this process's own vectors only;
        `add_gradients` completes it.

        Args:
            part: vectors of the part, a row each.
            rows: how many the whole batch has.
        """
        if self.size == 1:
            return part
        whole = torch.zeros(rows, part.shape[1], dtype=part.dtype)
        whole[self.rank :: self.size] = part.detach()
        distributed.all_reduce(whole)
        whole[self.rank :: self.size] = part
        return whole

    def pausing(self, marker: str) -> bool:
        """Whether a pause is asked for, as the first process sees it.

        Args:
            marker: the file that asks for it; empty if nobody can.
        """
        return bool(self.agreed([bool(marker) and Path(marker).exists()])[0])

    def out_of_time(self, seconds: float, limit: float | None) -> bool:
        """Whether a training has come to its limit of time, as the first process sees it.

        Args:
            seconds: what was computed so far.
            limit: seconds after which it ends; None if it has no limit.
        """
        return limit is not None and bool(self.agreed([seconds >= limit])[0])

    def kept(self, pooled: Tensor, rows: int, dropout: float) -> Tensor:
        """Drop of this process's part what one process would drop of it.

        Args:
            pooled: vectors of the part, a row each.
            rows: how many the whole batch has.
            dropout: the share that is dropped.
        """
        if self.size == 1:
            return nn.functional.dropout(pooled, dropout)
        whole = torch.ones(rows, pooled.shape[1], dtype=pooled.dtype)
        return pooled * nn.functional.dropout(whole, dropout)[self.rank :: self.size]


@contextmanager
def joined(told: dict[str, Any] | None, silence: float = _SILENCE_SECONDS) -> Iterator[Group]:
    """Meet the other processes of a training; leave them at the end.

    Args:
        told: `rank`, `size` and `meeting` (`host:port` of the first process); None if it is alone.
        silence: seconds after which another that says nothing is given up.
    """
    if told is None:
        yield Group()
        return
    group = Group(int(told["rank"]), int(told["size"]))
    distributed.init_process_group(
        "gloo",
        init_method=f"tcp://{told['meeting']}",
        rank=group.rank,
        world_size=group.size,
        timeout=timedelta(seconds=silence),
    )
    try:
        yield group
    finally:
        distributed.destroy_process_group()
