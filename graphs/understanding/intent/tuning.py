"""Tuning the sentence encoder on labelled rows, so that rows of one label come to lie together.

Supervised contrastive loss (Khosla et al., 2020) over batches of many labels with a few rows each;
a label's name is one more view of it, after SetFit (Tunstall et al., 2022). If asked
for, a second term pulls each row to its label's prototype and away from those of
all other labels, also of those that the batch does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.training.batching import even_batches, pad
from tools.training.encoder import Encoder, mean_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the encoder is tuned.

    Attributes:
        steps: gradient steps; 0 leaves the encoder as it is.
        batch: rows a step, names of labels included.
        rate: highest learning rate; rises over the first tenth, then falls linearly.
        temperature: of the contrastive loss.
        prototypes: weight of the prototypes' term.
        smoothing: of the prototypes' targets.
        dropout: share of hidden values dropped after each block.
        frozen: lower layers that stay as they are; the word embeddings do whenever it is over 0.
    """

    steps: int
    batch: int = 128
    rate: float = 1e-4
    temperature: float = 0.07
    prototypes: float = 0.0
    smoothing: float = 0.1
    dropout: float = 0.1
    frozen: int = 3


def encode(encoder: Encoder, ids: Sequence[Sequence[int]]) -> Tensor:
    """Unit vectors of token ids, in their order; rows of like length share a forward pass."""
    order: list[int] = []
    parts: list[Tensor] = []
    for chunk in even_batches([len(row) for row in ids], _CHUNK):
        tokens, mask = pad([ids[i] for i in chunk])
        parts.append(functional.normalize(mean_pool(encoder(tokens, mask), mask), dim=-1))
        order += chunk
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def tune(
    encoder: Encoder,
    ids: Sequence[Sequence[int]],
    labels: Sequence[int],
    names: Sequence[Sequence[int]],
    tuning: Tuning,
    seed: int,
) -> list[float]:
    """Tune `encoder` in place; returns each step's loss.

    Args:
        encoder: what is tuned.
        ids: the rows' token ids.
        labels: the rows' labels, as numbers from 0.
        names: token ids of each label's name; empty if names say nothing.
        tuning: how.
        seed: the same seed gives the same weights on the same machine.
    """
    if tuning.steps <= 0:
        return []
    random = np.random.default_rng(seed)
    trained = _thaw(encoder, tuning.frozen)
    centres = _centres(encoder, ids, labels, random) if tuning.prototypes else None
    groups: list[dict[str, Any]] = [{"params": trained, "weight_decay": 0.01, "top": tuning.rate}]
    if centres is not None:
        groups.append({"params": [centres], "weight_decay": 0.0, "top": 20 * tuning.rate})
    optimiser = torch.optim.AdamW(groups, lr=tuning.rate)
    batches = _batches(np.asarray(labels), bool(names), tuning.batch, random)
    hooks = _add_dropout(encoder, tuning.dropout)
    losses: list[float] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for step in range(1, tuning.steps + 1):
            share = _pace(step, tuning.steps)
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * share
            rows, named = next(batches)
            vectors = encode(encoder, [ids[i] for i in rows] + [names[c] for c in named])
            truth = torch.tensor([labels[i] for i in rows] + named)
            loss = _contrast(vectors, truth, tuning.temperature)
            if centres is not None:
                loss = loss + tuning.prototypes * _pull(vectors, truth, centres, tuning)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
    for hook in hooks:
        hook.remove()
    encoder.requires_grad_(False)
    return losses


def _contrast(vectors: Tensor, truth: Tensor, temperature: float) -> Tensor:
    own = torch.eye(len(vectors), dtype=torch.bool)
    similar = (vectors @ vectors.T / temperature).masked_fill(own, -1e4)
    alike = (truth[:, None] == truth[None]) & ~own
    chance = similar - torch.logsumexp(similar, 1, keepdim=True)
    count = alike.sum(1)
    return (-(chance * alike).sum(1) / count.clamp(min=1))[count > 0].mean()


def _pull(vectors: Tensor, truth: Tensor, centres: Tensor, tuning: Tuning) -> Tensor:
    near = vectors @ functional.normalize(centres, dim=-1).T / tuning.temperature
    return functional.cross_entropy(near, truth, label_smoothing=tuning.smoothing)


def _pace(step: int, steps: int) -> float:
    rise = max(1.0, steps / 10)
    return min(1.0, step / rise) * (1.0 - (step - 1) / steps)


def _thaw(encoder: Encoder, frozen: int) -> list[torch.nn.Parameter]:
    encoder.requires_grad_(True)
    if frozen:
        encoder.embeddings.requires_grad_(False)
        for layer in list(encoder.encoder.layer)[:frozen]:
            layer.requires_grad_(False)
    return [p for p in encoder.parameters() if p.requires_grad]


def _centres(
    encoder: Encoder, ids: Sequence[Sequence[int]], labels: Sequence[int], random: Any
) -> Tensor:
    truth = np.asarray(labels)
    chosen = [
        int(i)
        for label in range(int(truth.max()) + 1)
        for i in random.permutation(np.flatnonzero(truth == label))[:10]
    ]
    with torch.no_grad():
        vectors = encode(encoder, [ids[i] for i in chosen])
    member = functional.one_hot(torch.tensor(truth[chosen])).float()
    return functional.normalize(member.T @ vectors, dim=-1).requires_grad_(True)


def _add_dropout(encoder: Encoder, share: float) -> list[Any]:
    def drop(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        return functional.dropout(output, share, training=True)

    places = [
        place
        for layer in encoder.encoder.layer
        for name, place in layer.named_modules()
        if name in ("attention.output.dense", "output.dense")
    ]
    return [place.register_forward_hook(drop) for place in places] if share else []


def _batches(
    truth: NDArray[Any], named: bool, size: int, random: Any
) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and names of each step: a label's rows come round in turn, so that none is left out."""
    rows = [np.flatnonzero(truth == label) for label in range(int(truth.max()) + 1)]
    queues: list[list[int]] = [[] for _ in rows]
    extra = 1 if named else 0
    width = min(len(rows), size // (2 + extra))
    views = max(2, size // width - extra)
    waiting: list[int] = []
    while True:
        while len(waiting) < width:
            waiting += [int(c) for c in random.permutation(len(rows)) if int(c) not in waiting]
        chosen, waiting = waiting[:width], waiting[width:]
        batch: list[int] = []
        for label in chosen:
            for _ in range(min(views, len(rows[label]))):
                if not queues[label]:
                    queues[label] = [int(i) for i in random.permutation(rows[label])]
                batch.append(queues[label].pop())
        yield batch, (chosen if named else [])
