"""Token ids into tensors, and rows into batches of like length."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

POOL = 8


def pad(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both batch × longest, int64."""
    longest = max(len(row) for row in ids)
    input_ids = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for i, row in enumerate(ids):
        input_ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[i, : len(row)] = 1
    return input_ids, mask


def pad_hidden(hidden: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Hidden states (batch × longest × size) and attention mask of rows of several lengths."""
    longest = max(row.shape[0] for row in hidden)
    padded = torch.zeros(len(hidden), longest, hidden[0].shape[1])
    mask = torch.zeros(len(hidden), longest, dtype=torch.long)
    for i, row in enumerate(hidden):
        padded[i, : row.shape[0]] = row
        mask[i, : row.shape[0]] = 1
    return padded, mask


def epoch_batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch: shuffled, but of like length, so that little is padding.

    A function of its arguments alone, so that a resumed training sees the same batches.
    """
    shuffle = random.Random(f"{seed}:{epoch}")  # noqa: S311 - not for secrets
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda i: lengths[i])
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    shuffle.shuffle(batches)
    return batches


def even_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """All rows by length, for passes in which order does not matter."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    return [order[i : i + size] for i in range(0, len(order), size)]
