"""Tuning the sentence encoder on labelled rows, so that rows of one label come to lie together.

Two losses are added. Supervised contrastive loss (Khosla et al., 2020) over batches of many labels
with a few rows each; a label's name is one more view of it, after SetFit (Tunstall et al., 2022).
And cross-entropy over learnt prototypes of all labels, also of those that a batch does not hold.

Only the upper layers are tuned. What the lower ones say of a row never changes: it is computed
once (`below`), and a step costs half of what it would. On processors that multiply in bfloat16,
that halves it once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.training.batching import even_batches, pad, pad_hidden
from tools.training.encoder import Encoder, mean_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

BATCH = 128
"""Rows a step, if nothing else is said."""

FROZEN = 3
"""Lower layers that stay as they are, if nothing else is said."""

_CHUNK = 16
_CENTRE_ROWS = 10


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the encoder is tuned.

    Attributes:
        steps: gradient steps; 0 leaves the encoder as it is.
        batch: rows a step, names of labels included.
        rate: highest learning rate; rises over the first tenth, then falls linearly.
        temperature: of the contrastive loss.
        prototypes: weight of the prototypes' cross-entropy; 0 leaves it out.
        prototype_temperature: divides the cosines to the prototypes.
        prototype_rate: learning rate of the prototypes, as a multiple of `rate`.
        smoothing: of the prototypes' targets.
        dropout: share of hidden values dropped after each block.
        frozen: lower layers that stay as they are; the word embeddings always do.
    """

    steps: int
    batch: int = BATCH
    rate: float = 2e-4
    temperature: float = 0.07
    prototypes: float = 1.0
    prototype_temperature: float = 0.05
    prototype_rate: float = 20.0
    smoothing: float = 0.1
    dropout: float = 0.1
    frozen: int = FROZEN


def below(encoder: Encoder, ids: Sequence[Sequence[int]], frozen: int = FROZEN) -> Sequence[Tensor]:
    """What the frozen layers say of each row of token ids: tokens × size, in 16 bits.

    Args:
        encoder: its lower layers are run.
        ids: the rows' token ids, at least one each.
        frozen: how many layers.
    """
    found: dict[int, Tensor] = {}
    with torch.no_grad(), _quick():
        for chunk in even_batches([len(row) for row in ids], _CHUNK):
            tokens, mask = pad([ids[i] for i in chunk])
            hidden = encoder.lower(tokens, mask, frozen).bfloat16()
            for place, i in enumerate(chunk):
                found[i] = hidden[place, : len(ids[i])].clone()
    return [found[i] for i in range(len(ids))]


def encode(encoder: Encoder, rows: Sequence[Tensor], frozen: int = FROZEN) -> Tensor:
    """Unit vectors of rows as `below` gives them, in their order."""
    order: list[int] = []
    parts: list[Tensor] = []
    for chunk in even_batches([len(row) for row in rows], _CHUNK):
        hidden, mask = pad_hidden([rows[i] for i in chunk])
        with _quick():
            above = encoder.upper(hidden, mask, frozen)
        parts.append(functional.normalize(mean_pool(above.float(), mask), dim=-1))
        order += chunk
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def vectors(encoder: Encoder, rows: Sequence[Tensor], frozen: int = FROZEN) -> Matrix:
    """The same as numbers, for judges that learn from them."""
    with torch.inference_mode():
        return encode(encoder, rows, frozen).numpy()


def tune(
    encoder: Encoder,
    rows: Sequence[Tensor],
    labels: Sequence[int],
    names: Sequence[Tensor],
    tuning: Tuning,
    seed: int,
) -> list[float]:
    """Tune `encoder` in place; returns each step's loss.

    Args:
        encoder: what is tuned.
        rows: what its frozen layers say of the rows.
        labels: the rows' labels, as numbers from 0.
        names: what they say of each label's name; empty if names say nothing.
        tuning: how.
        seed: the same seed gives the same weights on the same machine.
    """
    if tuning.steps <= 0:
        return []
    random = np.random.default_rng(seed)
    truth = np.asarray(labels)
    trained = _thaw(encoder, tuning.frozen)
    centres = _centres(encoder, rows, truth, names, tuning, random)
    groups: list[dict[str, Any]] = [
        {"params": trained, "weight_decay": 0.01, "top": tuning.rate},
        {"params": [centres], "weight_decay": 0.0, "top": tuning.prototype_rate * tuning.rate},
    ]
    optimiser = torch.optim.AdamW(groups, lr=tuning.rate)
    batches = _batches(truth, bool(names), tuning.batch, random)
    hooks = _add_dropout(encoder, tuning.dropout, tuning.frozen)
    losses: list[float] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for step in range(1, tuning.steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * _pace(step, tuning.steps)
            chosen, named = next(batches)
            found = encode(
                encoder, [rows[i] for i in chosen] + [names[c] for c in named], tuning.frozen
            )
            loss = _loss(found, torch.tensor([*truth[chosen], *named]), centres, tuning)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
    for hook in hooks:
        hook.remove()
    encoder.requires_grad_(False)
    return losses


def _loss(found: Tensor, truth: Tensor, centres: Tensor, tuning: Tuning) -> Tensor:
    loss = _contrast(found, truth, tuning.temperature)
    if tuning.prototypes:
        near = found @ functional.normalize(centres, dim=-1).T / tuning.prototype_temperature
        pull = functional.cross_entropy(near, truth, label_smoothing=tuning.smoothing)
        loss = loss + tuning.prototypes * pull
    return loss


def _contrast(found: Tensor, truth: Tensor, temperature: float) -> Tensor:
    own = torch.eye(len(found), dtype=torch.bool)
    similar = (found @ found.T / temperature).masked_fill(own, -1e4)
    alike = (truth[:, None] == truth[None]) & ~own
    chance = similar - torch.logsumexp(similar, 1, keepdim=True)
    count = alike.sum(1)
    each = -(chance * alike).sum(1) / count.clamp(min=1)
    return each[count > 0].sum() / (count > 0).sum().clamp(min=1)


def _pace(step: int, steps: int) -> float:
    rise = max(1.0, steps / 10)
    return min(1.0, step / rise) * (1.0 - (step - 1) / steps)


def _quick() -> Any:
    """Matrix products in bfloat16 where the processor has them; elsewhere they would be slower."""
    able = torch.cpu.get_capabilities()
    quick = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.autocast("cpu", torch.bfloat16, enabled=quick)


def _thaw(encoder: Encoder, frozen: int) -> list[torch.nn.Parameter]:
    encoder.requires_grad_(False)
    for layer in list(encoder.encoder.layer)[frozen:]:
        layer.requires_grad_(True)
    return [p for p in encoder.parameters() if p.requires_grad]


def _centres(
    encoder: Encoder,
    rows: Sequence[Tensor],
    truth: NDArray[Any],
    names: Sequence[Tensor],
    tuning: Tuning,
    random: np.random.Generator,
) -> Tensor:
    """Where the prototypes begin: the mean of some rows of each label, and of its name."""
    classes = int(truth.max()) + 1
    chosen = [
        int(i)
        for label in range(classes)
        for i in random.permutation(np.flatnonzero(truth == label))[:_CENTRE_ROWS]
    ]
    found = vectors(encoder, [rows[i] for i in chosen] + list(names), tuning.frozen)
    of = np.concatenate([truth[chosen], np.arange(len(names))])
    member = (of[None] == np.arange(classes)[:, None]).astype(np.float32)
    return functional.normalize(torch.from_numpy(member @ found), dim=-1).requires_grad_(True)


def _add_dropout(encoder: Encoder, share: float, frozen: int) -> list[Any]:
    def drop(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        return functional.dropout(output, share, training=True)

    places = [
        place
        for layer in list(encoder.encoder.layer)[frozen:]
        for name, place in layer.named_modules()
        if name in ("attention.output.dense", "output.dense")
    ]
    return [place.register_forward_hook(drop) for place in places] if share else []


def _batches(
    truth: NDArray[Any], named: bool, size: int, random: np.random.Generator
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
