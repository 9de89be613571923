"""What variants are made from: a trained classifier or language model, with its training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tools.training.export import Classifier
    from tools.training.modelling import TextClassifier
    from tools.training.objectives import Objective
    from tools.training.objectives import Target as Truth
    from tools.training.optimizing.recovering import Lesson
    from tools.training.similarity.vectors import SentenceVectors

    Network = TextClassifier | SentenceVectors

Report = Callable[[float, str], None]


class Exportable(Protocol):
    """A trained encoder that is exported as a graph."""

    @property
    def folder(self) -> Path:
        """The parent's files."""
        ...

    @property
    def report(self) -> Report:
        """Receives the share done of this variant, 0 to 1, and a line."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """Settings of single targets."""
        ...

    @property
    def network(self) -> Network:
        """The parent as it was trained, in torch."""
        ...

    @property
    def max_length(self) -> int:
        """Tokens after which a text is cut."""
        ...

    def outputs(self) -> dict[str, int]:
        """What the graph's outputs are called, the answer first, and the size of each."""
        ...

    def graph(self) -> nn.Module:
        """What is exported: token ids and mask in, the outputs out."""
        ...

    def batches(self, size: int = 1) -> Iterator[dict[str, Any]]:
        """The calibration texts as the exported graph takes them."""
        ...

    def losses(self, model: Network) -> Iterator[torch.Tensor]:
        """The loss that the parent was trained on, of batches of a sample of its training rows."""
        ...

    def lesson(self) -> Lesson:
        """What a smaller one learns from the parent."""
        ...

    def write(self, student: Network, sizes: dict[str, Any], out: Path) -> None:
        """Write a smaller one as a training would, over a copy of the parent's small files."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """What a classifier's variant is made from; see `Exportable`.

    Attributes:
        classifier: the parent, loaded in torch.
        folder: its files.
        texts: calibration texts, of the split that it was trained on.
        rows: the training split as (text, label), for what learns again; a list of labels where a
            text may have several.
        report: receives the share done of this variant, 0 to 1, and a line.
        options: settings of single targets.
    """

    classifier: Classifier
    folder: Path
    texts: Sequence[str]
    rows: Sequence[tuple[str, str | list[str]]] = ()
    report: Report = lambda _share, _line: None
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def network(self) -> TextClassifier:
        """See `Exportable.network`."""
        return self.classifier.model

    @property
    def max_length(self) -> int:
        """See `Exportable.max_length`."""
        return self.classifier.max_length

    def outputs(self) -> dict[str, int]:
        """See `Exportable.outputs`."""
        labels = len(self.classifier.labels)
        return {"logits": labels, "embedding": self.classifier.model.head.in_features}

    def graph(self) -> nn.Module:
        """See `Exportable.graph`."""
        from tools.training.modelling import WithEmbedding

        return WithEmbedding(self.classifier.model).eval()

    def learnable(self) -> list[tuple[str, Truth]]:
        """The training texts with the places of their labels, those with unknown ones left out."""
        places = {label: place for place, label in enumerate(self.classifier.labels)}
        found: list[tuple[str, Truth]] = []
        for text, told in self.rows:
            if isinstance(told, str):
                if told in places:
                    found.append((text, places[told]))
            elif places.keys() >= {*told}:
                found.append((text, [places[label] for label in told]))
        return found

    def objective(self) -> Objective:
        """What the parent was trained for, without smoothing."""
        from tools.training.objectives import objective

        several = self.classifier.multilabel
        return objective(len(self.classifier.labels), 0.0, several=several)

    def batches(self, size: int = 1) -> Iterator[dict[str, Any]]:
        """See `Exportable.batches`."""
        return fed(self.classifier.encode(self.texts), size)

    def losses(self, model: Network) -> Iterator[torch.Tensor]:
        """See `Exportable.losses`."""
        from tools.training.optimizing.recovering import label_losses

        return label_losses(self, model)

    def lesson(self) -> Lesson:
        """See `Exportable.lesson`."""
        from tools.training.optimizing.recovering import label_lesson

        return label_lesson(self)

    def write(self, student: Network, sizes: dict[str, Any], out: Path) -> None:
        """See `Exportable.write`."""
        from tools.training.optimizing.recovering import write_classifier

        write_classifier(student, sizes, out)


@dataclass(frozen=True, slots=True)
class LanguageSource:
    """What a language model's variant is made from.

    Attributes:
        folder: the trained model's files.
        report: receives the share done of this variant, 0 to 1, and a line.
    """

    folder: Path
    report: Report = lambda _share, _line: None


def fed(ids: Sequence[list[int]], size: int) -> Iterator[dict[str, Any]]:
    """Token ids as exported graphs take them, so many texts at a time; empty ones are left out."""
    known = [row for row in ids if row]
    for start in range(0, len(known), size):
        chosen = known[start : start + size]
        longest = max(len(row) for row in chosen)
        input_ids = np.zeros((len(chosen), longest), dtype=np.int64)
        mask = np.zeros_like(input_ids)
        for place, row in enumerate(chosen):
            input_ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        yield {"input_ids": input_ids, "attention_mask": mask}
