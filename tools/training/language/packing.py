"""Rows of several lengths in one pass, without padding and without computing a shared head twice.

A pack is one long row: the head that all rows begin with, then each row's own tokens, at the
positions that they have in their row. The attention mask lets a token see the head and what stands
before it in its own row. The result is what each row alone would give; a token that predicts
nothing learnt gets no logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tools.training.language.rows import TokenRow


@dataclass(frozen=True, slots=True)
class Pack:
    """What a model computes at once.

    Attributes:
        ids: tokens, 1 × n.
        positions: of each token in its row, 1 × n, virtual tokens not counted.
        owners: the row that a token belongs to, n; -1 for the shared head.
        predicting: places whose next token is learnt.
        targets: those next tokens.
    """

    ids: Tensor
    positions: Tensor
    owners: Tensor
    predicting: Tensor
    targets: Tensor

    def mask(self, virtual: int = 0) -> Tensor:
        """Which tokens see which, 1 × 1 × n × n; `virtual` tokens before the pack see as a head."""
        owners = torch.cat([torch.full((virtual,), -1), self.owners])
        places = torch.arange(len(owners))
        seen = (owners[None, :] == owners[:, None]) | (owners[None, :] == -1)
        return (seen & (places[None, :] <= places[:, None]))[None, None]


def pack(rows: Sequence[TokenRow], head: int) -> Pack:
    """Several rows, whose first `head` tokens are the same, as one."""
    ids, positions, owners = list(rows[0].ids[:head]), list(range(head)), [-1] * head
    predicting: list[int] = []
    targets: list[int] = []
    for owner, row in enumerate(rows):
        begin = len(ids)
        for place in range(head, len(row.ids)):
            if row.learnt[place] and place > 0:
                before = begin + place - head - 1
                predicting.append(before if place > head else head - 1)
                targets.append(row.ids[place])
        ids += row.ids[head:]
        positions += range(head, len(row.ids))
        owners += [owner] * (len(row.ids) - head)
    return Pack(
        torch.tensor([ids]),
        torch.tensor([positions]),
        torch.tensor(owners),
        torch.tensor(predicting, dtype=torch.long),
        torch.tensor(targets, dtype=torch.long),
    )


def packs_of(rows: Sequence[TokenRow], head: int, budget: int) -> list[Pack]:
    """All rows in packs of about `budget` tokens; a longer row is a pack of its own."""
    packs: list[Pack] = []
    gathered: list[TokenRow] = []
    size = head
    for row in sorted(rows, key=lambda row: len(row.ids)):
        own = len(row.ids) - head
        if gathered and size + own > budget:
            packs.append(pack(gathered, head))
            gathered, size = [], head
        gathered.append(row)
        size += own
    if gathered:
        packs.append(pack(gathered, head))
    return packs
