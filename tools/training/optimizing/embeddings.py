"""What an embedding's variants are made from: its encoder, and texts that belong together.

A smaller encoder learns the vectors that the parent gives to the training texts (Reimers and
Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation", 2020);
what it needs least is told by the loss that the parent was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tools.training.batching import even_batches, pad
from tools.training.encoder import load_encoder
from tools.training.export import load_tokenizer
from tools.training.optimizing.recovering import BATCH, SAMPLE, Lesson, change, save_weights
from tools.training.optimizing.sources import Report, fed
from tools.training.similarity.folder import FACTS, read_facts, write_onnx
from tools.training.similarity.ranking import ranking_loss
from tools.training.similarity.spec import SCALE
from tools.training.similarity.vectors import SentenceVectors, load_vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn

    from tools.training.optimizing.sources import Network

OUTPUT = "sentence_embedding"


@dataclass(frozen=True, slots=True)
class EmbeddingSource:
    """What an embedding's variant is made from; see `Exportable`.

    Attributes:
        vectors: the parent, loaded in torch.
        tokenizer: turns texts into token ids, cut but not padded.
        folder: its files.
        max_length: tokens after which a text is cut.
        texts: calibration texts, of the split that it was trained on.
        rows: the training split: anchor, positive, perhaps a negative.
        report: receives the share done of this variant, 0 to 1, and a line.
        options: settings of single targets.
    """

    vectors: SentenceVectors
    tokenizer: Tokenizer
    folder: Path
    max_length: int
    texts: Sequence[str]
    rows: Sequence[Sequence[str]] = ()
    report: Report = lambda _share, _line: None
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def network(self) -> SentenceVectors:
        """See `Exportable.network`."""
        return self.vectors

    def outputs(self) -> dict[str, int]:
        """See `Exportable.outputs`."""
        return {OUTPUT: self.vectors.encoder.embeddings.word_embeddings.embedding_dim}

    def graph(self) -> nn.Module:
        """See `Exportable.graph`."""
        return self.vectors

    def batches(self, size: int = 1) -> Iterator[dict[str, Any]]:
        """See `Exportable.batches`."""
        return fed(self._encode(self.texts), size)

    def losses(self, model: Network) -> Iterator[Tensor]:
        """See `Exportable.losses`; the last row stays out where it would stand alone."""
        rows = self.rows[:SAMPLE]
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            if len(chosen) > 1 or any(len(row) > 2 for row in chosen):
                yield self._loss(model, chosen)

    def lesson(self) -> Lesson:
        """See `Exportable.lesson`."""
        ids = self._encode([*dict.fromkeys(text for row in self.rows for text in row)])
        teacher = _embedded(self.vectors, ids)

        def loss(vectors: Tensor, chosen: list[int]) -> Tensor:
            return (vectors - teacher[chosen]).square().sum(1).mean()

        return Lesson(ids, loss)

    def write(self, student: Network, sizes: dict[str, Any], out: Path) -> None:
        """See `Exportable.write`; with the int8 ONNX file that every trained embedding has."""
        save_weights(student.encoder, out / "model.safetensors")
        change(out / "config.json", sizes)
        change(out / FACTS, {"method": "full"})
        write_onnx(load_encoder(out), out / "model.onnx")

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def _loss(self, model: Network, rows: Sequence[Sequence[str]]) -> Tensor:
        anchors, positives = ([row[place] for row in rows] for place in (0, 1))
        negatives = [row[2] for row in rows if len(row) > 2]
        found: Tensor = model(*pad(self._encode([*anchors, *positives, *negatives])))
        first, second = len(rows), 2 * len(rows)
        return ranking_loss(found[:first], found[first:second], found[second:], SCALE)


def source_of(
    folder: Path,
    rows: Sequence[Sequence[str]],
    texts: Sequence[str],
    report: Report,
    options: dict[str, Any],
) -> EmbeddingSource:
    """A trained embedding's folder as what variants are made from."""
    longest = int(read_facts(folder)["max_length"])
    tokenizer = load_tokenizer(folder, longest)
    return EmbeddingSource(
        load_vectors(folder), tokenizer, folder, longest, texts, rows, report, options
    )


def _embedded(model: SentenceVectors, ids: Sequence[list[int]]) -> Tensor:
    found: list[Tensor] = [torch.empty(0)] * len(ids)
    with torch.no_grad():
        for chosen in even_batches([len(row) for row in ids], BATCH):
            for place, row in zip(chosen, model(*pad([ids[i] for i in chosen])), strict=True):
                found[place] = row
    return torch.stack(found)
