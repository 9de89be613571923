"""Teaching a smaller classifier what the larger one says, and writing it as a trained one.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015: the student's softened
probabilities are drawn to its teacher's, and a share of the loss is the true label. Where a text
may have several labels, each of them is a yes or no with a softened probability of its own.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tools.training.batching import epoch_batches, pad

if TYPE_CHECKING:
    from tools.training.modelling import TextClassifier
    from tools.training.objectives import Objective
    from tools.training.optimizing.targets import Source

TEMPERATURE = 2.0
LABEL_SHARE = 0.3
_BATCH = 16
_WARM_UP = 0.1


def teach(
    student: TextClassifier, source: Source, *, epochs: int, rate: float, seed: int = 0
) -> None:
    """Train all weights of a student on the training texts, from the parent's logits.

    Args:
        student: changed in place.
        source: the parent with its training rows.
        epochs: passes over them; 0 leaves the student as it is.
        rate: peak learning rate; linear warm-up, then linear to zero.
        seed: same seed, same result.
    """
    rows, objective = source.learnable(), source.objective()
    texts = [text for text, _ in rows]
    ids = source.classifier.encode(texts)
    teacher = torch.from_numpy(source.classifier.logits(texts)).float()
    truth = objective.targets([target for _, target in rows])
    torch.manual_seed(seed)
    for parameter in student.parameters():
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.01)
    total = epochs * math.ceil(len(ids) / _BATCH)
    step = 0
    student.train()
    for epoch in range(epochs):
        for chosen in epoch_batches([len(row) for row in ids], _BATCH, seed, epoch):
            for group in optimiser.param_groups:
                group["lr"] = rate * _schedule(step, total)
            logits = student(*pad([ids[i] for i in chosen]))
            loss = distillation_loss(objective, logits, teacher[chosen], truth[chosen])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            step += 1
            if step % 8 == 0 or step == total:
                source.report(step / total, f"learning from its teacher, {step} of {total} steps")
    student.eval().requires_grad_(False)


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


def write_classifier(student: TextClassifier, sizes: dict[str, Any], out: Path) -> None:
    """Write weights and sizes over a copy of the parent's small files; a trained classifier."""
    from safetensors.torch import save_file

    encoder = {n: v.detach().clone().contiguous() for n, v in student.encoder.state_dict().items()}
    head = {n: v.detach().clone().contiguous() for n, v in student.head.state_dict().items()}
    save_file(encoder, out / "model.safetensors")
    save_file(head, out / "head.safetensors")
    for name, changes in (("config.json", sizes), ("classifier.json", {"method": "full"})):
        told: dict[str, Any] = json.loads((out / name).read_text())
        text = json.dumps({**told, **changes}, indent=1, ensure_ascii=False)
        (out / name).write_text(text + "\n")


def _schedule(step: int, total: int) -> float:
    warm = max(1, round(total * _WARM_UP))
    return min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
