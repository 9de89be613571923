"""How well vectors find their counterparts: the loss that trains them, and what judges them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_CUT = 10
_RESAMPLES = 1000


def ranking_loss(anchors: Tensor, positives: Tensor, negatives: Tensor, scale: float) -> Tensor:
    """In-batch softmax: an anchor's own positive against all others of the batch and all negatives.

    Henderson et al., "Efficient natural language response suggestion", 2017 (multiple negatives
    ranking). All vectors have length 1.

    Args:
        anchors: n × size.
        positives: n × size, in the anchors' order.
        negatives: any number × size; none for pairs.
        scale: the inverse temperature.
    """
    scores = scale * anchors @ torch.cat([positives, negatives]).T
    return functional.cross_entropy(scores, torch.arange(len(anchors)))


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is measured on held-out rows.

    Attributes:
        loss: `ranking_loss` over all of them as one batch.
        accuracy: share of anchors whose own positive is the nearest of all candidates.
        reciprocal_rank: the mean of 1 / (place of the own positive).
        triplet_accuracy: share of rows whose positive is nearer than their negative; of pairs, than
            the next row's positive.
    """

    loss: float
    accuracy: float
    reciprocal_rank: float
    triplet_accuracy: float


def measure(
    anchors: Tensor, positives: Tensor, negatives: Tensor, owners: list[int], scale: float
) -> Ranking:
    """Judge the vectors of held-out rows.

    Args:
        anchors: n × size.
        positives: n × size.
        negatives: m × size.
        owners: the row of each negative.
        scale: the inverse temperature.
    """
    own = (anchors * positives).sum(1)
    places = places_of(anchors, positives, negatives)
    if owners:
        near = (anchors[owners] * negatives).sum(1)
        won = own[owners] > near
    else:
        won = own > (anchors * positives.roll(1, 0)).sum(1)
    return Ranking(
        loss=ranking_loss(anchors, positives, negatives, scale).item(),
        accuracy=(places == 1).float().mean().item(),
        reciprocal_rank=(1 / places).mean().item(),
        triplet_accuracy=won.float().mean().item(),
    )


def places_of(anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """The place of each anchor's own positive among all candidates, from 1."""
    scores = anchors @ torch.cat([positives, negatives]).T
    own = scores.diagonal()[: len(anchors)]
    return (scores > own[:, None]).sum(1) + 1


def retrieval(places: Tensor) -> dict[str, float]:
    """How well counterparts are retrieved, each with its 95 % bootstrap interval over the anchors.

    Args:
        places: of each anchor's only relevant candidate, from 1.

    Returns:
        `recall_at_1`, `recall_at_5`, `recall_at_10`, `mrr`, and `ndcg_at_10` (Järvelin and
        Kekäläinen, 2002; with one relevant candidate 1 / log2(1 + place) within the first ten),
        each also with `_low` and `_high`.
    """
    measures = {f"recall_at_{k}": (places <= k).double() for k in (1, 5, 10)}
    measures["mrr"] = 1 / places.double()
    measures["ndcg_at_10"] = (places <= _CUT) / torch.log2(1 + places.double())
    values = torch.stack(list(measures.values()))
    generator = torch.Generator().manual_seed(0)
    drawn = [
        values[:, torch.randint(len(places), (len(places),), generator=generator)].mean(1)
        for _ in range(_RESAMPLES)
    ]
    ends = torch.stack(drawn).quantile(torch.tensor([0.025, 0.975]).double(), dim=0)
    found: dict[str, float] = {}
    for place, name in enumerate(measures):
        low, high = ends[:, place].tolist()
        found |= {name: values[place].mean().item(), f"{name}_low": low, f"{name}_high": high}
    return found
