"""How well vectors find their counterparts: the loss that trains them, and what judges them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


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
    scores = anchors @ torch.cat([positives, negatives]).T
    own = scores.diagonal()[: len(anchors)]
    places = (scores > own[:, None]).sum(1) + 1
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
