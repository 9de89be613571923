"""What a classifier is trained for: one class a text, or any number of labels a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from tools.training.spec import TrainingSpec

Target = int | list[int]
THRESHOLD = 0.5


class Objective(Protocol):
    """The losses of one kind of target, and what outputs say of it."""

    def targets(self, chosen: Sequence[Target]) -> Tensor:
        """The targets of a batch as the losses take them."""
        ...

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss that is reported."""
        ...

    def smoothed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss that is trained on, its targets smoothed."""
        ...

    def softened(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """How far a student's softened probabilities are from its teacher's, a mean over rows."""
        ...

    def predicted(self, logits: Tensor) -> Sequence[Target]:
        """What the outputs say of each row."""
        ...


def objective_of(spec: TrainingSpec) -> Objective:
    """The objective of a spec's task."""
    return objective(len(spec.labels), spec.label_smoothing, several=spec.task == "multilabel")


def objective(labels: int, smoothing: float, *, several: bool) -> Objective:
    """The objective of a classifier.

    Args:
        labels: how many there are.
        smoothing: share of the target spread over the others, 0 to 1.
        several: whether a text may have any number of them.
    """
    return ManyLabels(labels, smoothing) if several else OneClass(smoothing)


class OneClass:
    """Softmax and cross-entropy.

    Args:
        smoothing: share of the target spread over all classes.
    """

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing

    def targets(self, chosen: Sequence[Target]) -> Tensor:
        """The places of the classes."""
        return torch.tensor(chosen)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy."""
        return functional.cross_entropy(logits, targets)

    def smoothed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy with smoothed labels."""
        return functional.cross_entropy(logits, targets, label_smoothing=self._smoothing)

    def softened(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Divergence of the softened probabilities of all classes."""
        return functional.kl_div(
            functional.log_softmax(student / temperature, dim=-1),
            functional.softmax(teacher / temperature, dim=-1),
            reduction="batchmean",
        )

    def predicted(self, logits: Tensor) -> Sequence[Target]:
        """The most probable class."""
        return logits.argmax(1).tolist()


class ManyLabels:
    """A sigmoid and binary cross-entropy for each label.

    Args:
        labels: how many there are.
        smoothing: how far targets are drawn from 0 and 1 towards a half.
    """

    def __init__(self, labels: int, smoothing: float) -> None:
        self._labels = labels
        self._smoothing = smoothing

    def targets(self, chosen: Sequence[Target]) -> Tensor:
        """Ones where a row has a label, batch × labels."""
        made = torch.zeros(len(chosen), self._labels)
        for row, places in enumerate(chosen):
            made[row, places] = 1.0
        return made

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy, a mean over rows and labels."""
        return functional.binary_cross_entropy_with_logits(logits, targets)

    def smoothed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The same with smoothed targets, a sum over labels so that many of them do not slow it."""
        soft = targets * (1 - self._smoothing) + self._smoothing / 2
        return self._labels * functional.binary_cross_entropy_with_logits(logits, soft)

    def softened(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Divergence of each label's softened probability, a sum over labels."""
        wanted = torch.sigmoid(teacher / temperature)
        cross = functional.binary_cross_entropy_with_logits(student / temperature, wanted)
        own = functional.binary_cross_entropy(wanted, wanted)
        return self._labels * (cross - own)

    def predicted(self, logits: Tensor) -> Sequence[Target]:
        """The labels that are more probable than not."""
        return [row.nonzero().flatten().tolist() for row in logits.sigmoid() > THRESHOLD]


def scores(
    targets: Sequence[Target], predicted: Sequence[Target], classes: int
) -> tuple[float, float, float]:
    """Share of rows that are right in full, F1 averaged over the labels that occur, micro F1."""
    both = zip(targets, predicted, strict=True)
    pairs = [(_places(target), _places(found)) for target, found in both]
    hits, wrong = [0] * classes, [0] * classes
    for wanted, found in pairs:
        for place in wanted & found:
            hits[place] += 1
        for place in wanted ^ found:
            wrong[place] += 1
    f1 = [2 * h / (2 * h + w) for h, w in zip(hits, wrong, strict=True) if h or w]
    right = sum(wanted == found for wanted, found in pairs) / len(pairs)
    said = 2 * sum(hits) + sum(wrong)
    return right, sum(f1) / max(1, len(f1)), 2 * sum(hits) / max(1, said)


def _places(target: Target) -> set[int]:
    return {target} if isinstance(target, int) else set(target)
