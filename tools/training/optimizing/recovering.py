"""Teaching a smaller model what the larger one says, and writing a classifier as a trained one.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015: the student's softened
probabilities are drawn to its teacher's, and a share of the loss is the true label. Where a text
may have several labels, each of them is a yes or no with a softened probability of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tools.training.batching import epoch_batches, pad

if TYPE_CHECKING:
    from tools.training.objectives import Objective
    from tools.training.optimizing.sources import Exportable, Network, Source

TEMPERATURE = 2.0
LABEL_SHARE = 0.3
SAMPLE = 256
"""Training rows by which it is told what a model needs least."""
BATCH = 16
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a smaller model learns.

    Attributes:
        ids: the token ids of every training text.
        loss: of a batch: what the student answers, and which of the texts they are.
    """

    ids: Sequence[list[int]]
    loss: Callable[[Tensor, list[int]], Tensor]


def teach(student: Network, source: Exportable, *, epochs: int, rate: float, seed: int = 0) -> None:
    """Train all weights of a student on the training texts, from the parent's answers.

    Args:
        student: changed in place.
        source: the parent with its training rows.
        epochs: passes over them; 0 leaves the student as it is.
        rate: peak learning rate; linear warm-up, then linear to zero.
        seed: same seed, same result.
    """
    lesson = source.lesson()
    ids = lesson.ids
    torch.manual_seed(seed)
    for parameter in student.parameters():
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.01)
    total = epochs * math.ceil(len(ids) / BATCH)
    step = 0
    student.train()
    for epoch in range(epochs):
        for chosen in epoch_batches([len(row) for row in ids], BATCH, seed, epoch):
            for group in optimiser.param_groups:
                group["lr"] = rate * _schedule(step, total)
            loss = lesson.loss(student(*pad([ids[i] for i in chosen])), chosen)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            step += 1
            if step % 8 == 0 or step == total:
                source.report(step / total, f"learning from its teacher, {step} of {total} steps")
    student.eval().requires_grad_(False)


def label_lesson(source: Source) -> Lesson:
    """The training texts with the parent's logits and their labels."""
    rows, objective = source.learnable(), source.objective()
    texts = [text for text, _ in rows]
    teacher = torch.from_numpy(source.classifier.logits(texts)).float()
    truth = objective.targets([target for _, target in rows])

    def loss(logits: Tensor, chosen: list[int]) -> Tensor:
        return distillation_loss(objective, logits, teacher[chosen], truth[chosen])

    return Lesson(source.classifier.encode(texts), loss)


def label_losses(source: Source, model: Network) -> Iterator[Tensor]:
    """The loss of batches of a sample of the training rows, by their labels."""
    rows, objective = source.learnable()[:SAMPLE], source.objective()
    ids = source.classifier.encode([text for text, _ in rows])
    for start in range(0, len(rows), BATCH):
        logits = model(*pad(ids[start : start + BATCH]))
        truth = objective.targets([target for _, target in rows[start : start + BATCH]])
        yield objective.loss(logits, truth)


def distillation_loss(
    objective: Objective, student: Tensor, teacher: Tensor, truth: Tensor
) -> Tensor:
    """Divergence of the softened probabilities, and cross-entropy with the labels.

    Args:
        objective: of the teacher, without smoothing.
        student: logits, batch × labels.
        teacher: the same of the teacher.
        truth: as the objective takes it.
    """
    soft = objective.softened(student, teacher, TEMPERATURE)
    hard = objective.smoothed(student, truth)
    return (1 - LABEL_SHARE) * TEMPERATURE**2 * soft + LABEL_SHARE * hard


def write_classifier(student: Network, sizes: dict[str, Any], out: Path) -> None:
    """Write weights and sizes over a copy of the parent's small files; a trained classifier."""
    from tools.training.modelling import TextClassifier

    if not isinstance(student, TextClassifier):
        raise TypeError("no classifier")
    save_weights(student.encoder, out / "model.safetensors")
    save_weights(student.head, out / "head.safetensors")
    change(out / "config.json", sizes)
    change(out / "classifier.json", {"method": "full"})


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's weights by their names."""
    from safetensors.torch import save_file

    save_file({n: v.detach().clone().contiguous() for n, v in module.state_dict().items()}, path)


def change(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON object again with other values."""
    told: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**told, **values}, indent=1, ensure_ascii=False) + "\n")


def _schedule(step: int, total: int) -> float:
    warm = max(1, round(total * _WARM_UP))
    return min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
