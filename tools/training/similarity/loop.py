"""The training loop of a sentence encoder: batches of rows that belong together, checkpoints.

A run that is cut off and resumed gives the same numbers as one that is not. Of several processes
that train together each encodes a part of a batch's texts; the loss holds every row against all the
others, so that each gets the vectors of the others, too, and computes it of the whole batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.training.asking import PRUNED, Ask
from tools.training.batching import epoch_batches, even_batches, pad
from tools.training.encoder import Encoder, mean_pool
from tools.training.ending import OUT_OF_TIME
from tools.training.outcome import refuse_diverged
from tools.training.pausing import Paused
from tools.training.similarity.ranking import (
    Ranking,
    measure,
    places_of,
    ranking_loss,
    retrieval,
)
from tools.training.similarity.spec import EmbeddingSpec
from tools.training.state import load_checkpoint, save_checkpoint
from tools.training.together import Group

Report = Callable[[float, str, dict[str, float]], None]
Rows = Sequence[Sequence[list[int]]]
_BATCH = 64


@dataclass(slots=True)
class EpochRanking:
    """What an epoch reached; epoch 0 is before the first step."""

    epoch: int
    training_loss: float | None
    validation_loss: float
    validation_accuracy: float
    reciprocal_rank: float
    triplet_accuracy: float

    @property
    def rank(self) -> tuple[float, float]:
        """Greater is better: the counterparts' mean reciprocal rank, then a smaller loss."""
        return self.reciprocal_rank, -self.validation_loss


@dataclass(slots=True)
class Progress:
    """Where a training stands; everything but the weights."""

    epoch: int = 1
    batch: int = 0
    step: int = 0
    epoch_loss: float = 0.0
    seconds: float = 0.0
    resumed: int = 0
    stopped: str = ""
    scores: list[EpochRanking] = field(default_factory=list[EpochRanking])
    steps: list[tuple[int, float, float]] = field(default_factory=list[tuple[int, float, float]])

    @property
    def best(self) -> EpochRanking:
        """The trained epoch that finds the most counterparts; the start before there is one."""
        return max(self.scores[1:] or self.scores, key=lambda score: score.rank)


class EmbeddingTrainer:
    """Trains one encoder.

    Args:
        spec: what to do.
        encoder: the encoder; what is trained of it requires gradients.
        train: token ids of each row's texts: anchor, positive, perhaps a negative.
        validation: the same for the held-out rows.
        report: receives the share done, a line and the figures, twice a second at most.
        ask: of a trial, whether it should end after an epoch.
        group: the processes that train it together; this one alone if not given.
    """

    def __init__(
        self,
        spec: EmbeddingSpec,
        encoder: Encoder,
        train: Rows,
        validation: Rows,
        report: Report,
        ask: Ask | None = None,
        group: Group | None = None,
    ) -> None:
        self.spec = spec
        self._group = group or Group()
        self.encoder = encoder
        self.train_rows, self.validation = train, validation
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] = {}
        self._report = report
        self._ask = ask
        self._lengths = [max(map(len, row)) for row in train]
        self._batches = math.ceil(len(train) / spec.batch_size)
        self.began = self._saved = self._reported = time.monotonic()

    def run(self) -> Progress:
        """Train to the end, from a checkpoint if there is one; the encoder has what is kept."""
        progress, spec = self.progress, self.spec
        torch.manual_seed(spec.seed)
        self._trained = {n: p for n, p in self.encoder.named_parameters() if p.requires_grad}
        self._optimiser = torch.optim.AdamW(
            list(self._trained.values()), lr=0.0, weight_decay=spec.weight_decay, fused=True
        )
        if not self._resume():
            progress.scores.append(self._score(0, None))
            self.best_weights = self._weights()
            self._save()
        progress, self.began = self.progress, time.monotonic()
        self._first = progress.step
        while progress.epoch <= spec.epochs and not progress.stopped:
            self._epoch()
        if spec.keep == "best":
            self._restore(self.best_weights)
        progress.seconds = self._elapsed()
        return progress

    def embed(self, ids: Sequence[list[int]]) -> Tensor:
        """Unit vectors of token rows, in their order; keeps gradients where they are on."""
        if not ids:
            return torch.empty(0, self.encoder.embeddings.word_embeddings.embedding_dim)
        vectors: list[Tensor] = [torch.empty(0)] * len(ids)
        for chosen in even_batches([len(row) for row in ids], _BATCH):
            input_ids, mask = pad([ids[i] for i in chosen])
            pooled = mean_pool(self.encoder(input_ids, mask), mask)
            for i, row in zip(chosen, functional.normalize(pooled.float()), strict=True):
                vectors[i] = row
        return torch.stack(vectors)

    def _epoch(self) -> None:
        progress, spec = self.progress, self.spec
        self.encoder.train()
        batches = epoch_batches(self._lengths, spec.batch_size, spec.seed, progress.epoch)
        while progress.batch < len(batches) and not progress.stopped:
            self._step([self.train_rows[i] for i in batches[progress.batch]])
            progress.batch += 1
            now = time.monotonic()
            if now - self._saved >= spec.checkpoint_seconds:
                self._save()
            if now - self._reported >= 0.5:
                self._tell()
            if self._is_out_of_time():
                progress.stopped = OUT_OF_TIME
            elif self._group.pausing(spec.pause):
                self._save()
                raise Paused
        score = self._score(progress.epoch, progress.epoch_loss / max(1, progress.batch))
        progress.scores.append(score)
        if progress.best is score:
            self.best_weights = self._weights()
        elif not progress.stopped and 0 < spec.patience <= score.epoch - progress.best.epoch:
            progress.stopped = f"no better for {spec.patience} epochs"
        if not progress.stopped and self._ask and self._ask(score.epoch, score.reciprocal_rank):
            progress.stopped = PRUNED
        progress.epoch, progress.batch, progress.epoch_loss = progress.epoch + 1, 0, 0.0
        self._save()
        self._tell()

    def _step(self, rows: Rows) -> None:
        progress, spec = self.progress, self.spec
        rate = spec.learning_rate * self._schedule(progress.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        half = spec.precision == "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16) if half else nullcontext():
            vectors = self._vectors(rows)
        whole = ranking_loss(*vectors, spec.scale)
        if whole.requires_grad:  # a small last batch may have no text for this process
            whole.backward()
        # Gradients are parts of a sum; the loss is everybody's, and the first tells it.
        told = whole.item() if self._group.first else 0.0
        loss = self._group.add_gradients(self._trained.values(), told)
        refuse_diverged(loss, spec.learning_rate)
        nn.utils.clip_grad_norm_(list(self._trained.values()), 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad()
        progress.step += 1
        progress.epoch_loss += loss
        progress.steps.append((progress.step, loss, rate))

    def _schedule(self, step: int) -> float:
        """The share of the peak rate at a step: a linear warm-up, then linear to zero."""
        total = self.spec.epochs * self._batches
        warm = max(1, round(total * self.spec.warmup))
        return max(0.0, min((step + 1) / warm, (total - step) / max(1, total - warm)))

    def _vectors(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
        texts = [[row[0] for row in rows], [row[1] for row in rows]]
        texts.append([row[2] for row in rows if len(row) > 2])
        ids = [each for part in texts for each in part]
        vectors = self._group.gathered(self.embed(self._group.part(ids)), len(ids))
        first, second, third = vectors.split([len(part) for part in texts])
        return first, second, third

    def _score(self, epoch: int, training_loss: float | None) -> EpochRanking:
        self.encoder.eval()
        owners = [place for place, row in enumerate(self.validation) if len(row) > 2]
        with torch.no_grad():
            found: Ranking = measure(*self._vectors(self.validation), owners, self.spec.scale)
        agreed = self._group.agreed(astuple(found))
        refuse_diverged(agreed[0], self.spec.learning_rate)
        return EpochRanking(epoch, training_loss, *agreed)

    def retrieval(self) -> dict[str, float]:
        """How well the weights as they are retrieve the held-out counterparts; see `retrieval`."""
        self.encoder.eval()
        with torch.no_grad():
            return retrieval(places_of(*self._vectors(self.validation)))

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._trained.items()}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self._trained.items():
                value.copy_(weights[name])

    def _elapsed(self) -> float:
        return self.progress.seconds + time.monotonic() - self.began

    @property
    def passes(self) -> float:
        """How often it has gone through the training split, in whole and in part."""
        return self.progress.step / self._batches

    @property
    def done(self) -> float:
        """The share of the job that is done."""
        return 0.05 + 0.85 * self.passes / self.spec.epochs

    def _is_out_of_time(self) -> bool:
        limit = self.spec.max_seconds if self.passes < self.spec.epochs else None
        return self._group.out_of_time(self._elapsed(), limit)

    def _tell(self) -> None:
        self._reported = time.monotonic()
        progress, spec = self.progress, self.spec
        total = spec.epochs * self._batches
        speed = (progress.step - self._first) / max(0.001, time.monotonic() - self.began)
        left = (total - progress.step) / max(0.001, speed)
        _, loss, rate = progress.steps[-1]
        figures = {
            "loss": loss,
            "learning_rate": rate,
            "examples_per_second": speed * spec.batch_size,
            "eta_seconds": left,
            "validation_accuracy": progress.scores[-1].validation_accuracy,
        }
        line = f"epoch {min(progress.epoch, spec.epochs)} of {spec.epochs}, loss {loss:.3f}"
        self._report(self.done, f"{line}, about {left:.0f} s left", figures)

    def _save(self) -> None:
        if not self._group.first:
            return
        self._saved = time.monotonic()
        content: dict[str, Any] = {
            "fingerprint": self.spec.fingerprint,
            "progress": {**asdict(self.progress), "seconds": self._elapsed()},
            "weights": self._weights(),
            "best": self.best_weights,
            "optimiser": self._optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        save_checkpoint(Path(self.spec.checkpoint), content)

    def _resume(self) -> bool:
        found = load_checkpoint(Path(self.spec.checkpoint))
        if found is None or found["fingerprint"] != self.spec.fingerprint:
            return False
        raw = found["progress"]
        raw["scores"] = [EpochRanking(**score) for score in raw["scores"]]
        self.progress = Progress(**raw)
        self.progress.resumed += 1
        self._restore(found["weights"])
        self.best_weights = found["best"]
        self._optimiser.load_state_dict(found["optimiser"])
        torch.set_rng_state(found["random"])
        return True
