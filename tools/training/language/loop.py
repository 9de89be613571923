"""The training loop of a language model: steps over packs, losses, checkpoints, the best weights.

A run that is cut off and resumed gives the same numbers as one that is not: batches follow from
seed and epoch, and a checkpoint holds weights, optimiser, random state and position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.training.asking import PRUNED, Ask
from tools.training.batching import epoch_batches
from tools.training.ending import OUT_OF_TIME
from tools.training.language.adapting import Adapted
from tools.training.language.packing import Pack, packs_of
from tools.training.language.rows import TokenRow, shared_prefix
from tools.training.language.spec import LanguageSpec
from tools.training.outcome import refuse_diverged
from tools.training.pausing import Paused
from tools.training.state import load_checkpoint, save_checkpoint
from tools.training.together import Group

Report = Callable[[float, str, dict[str, float]], None]
_LEAST_HEAD = 4


@dataclass(slots=True)
class EpochLoss:
    """Mean loss of an answer's token, in nats, on both splits; epoch 0 is before the first step."""

    epoch: int
    training_loss: float | None
    validation_loss: float
    validation_accuracy: float


@dataclass(slots=True)
class Progress:
    """Where a training stands; everything but the weights."""

    epoch: int = 1
    batch: int = 0
    step: int = 0
    tokens: int = 0
    epoch_loss: float = 0.0
    epoch_learnt: int = 0
    seconds: float = 0.0
    resumed: int = 0
    stopped: str = ""
    scores: list[EpochLoss] = field(default_factory=list[EpochLoss])
    steps: list[tuple[int, float, float]] = field(default_factory=list[tuple[int, float, float]])

    @property
    def best(self) -> EpochLoss:
        """The trained epoch with the lowest loss on the validation split; the start before one."""
        return min(self.scores[1:] or self.scores, key=lambda score: score.validation_loss)


class LanguageTrainer:
    """Trains one language model.

    Args:
        spec: what to do.
        adapted: the model and what is trained of it.
        train: the training split.
        validation: the validation split.
        report: receives the share done, a line and the figures, twice a second at most.
        ask: of a trial, whether it should end after an epoch.
        group: the processes that train it together; this one alone if not given.
    """

    def __init__(
        self,
        spec: LanguageSpec,
        adapted: Adapted,
        train: Sequence[TokenRow],
        validation: Sequence[TokenRow],
        report: Report,
        ask: Ask | None = None,
        group: Group | None = None,
    ) -> None:
        self.spec = spec
        self._group = group or Group()
        self.adapted = adapted
        self.train_rows = train
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] = {}
        self._report = report
        self._ask = ask
        head = shared_prefix([*train, *validation])
        self.head = head if head >= _LEAST_HEAD else 0
        self.validation_count = len(validation)
        self._validation = packs_of(validation, self.head, spec.pack_tokens)
        self._lengths = [len(row.ids) for row in train]
        self._a_step = spec.batch_size * spec.gradient_accumulation
        self._steps_an_epoch = math.ceil(len(train) / self._a_step)
        self.began = self._saved = self._reported = time.monotonic()

    def run(self) -> Progress:
        """Train to the end, from the checkpoint if there is one; the model has what is kept."""
        spec = self.spec
        torch.manual_seed(spec.seed)
        self._trained = list(self.adapted.trained().values())
        self._optimiser = torch.optim.AdamW(
            self._trained, lr=0.0, weight_decay=spec.weight_decay, fused=True
        )
        if not self._resume():
            self.progress.scores.append(self.measure(0, None))
            self.best_weights = self._weights()
            self._save()
        self.began, self._before = time.monotonic(), self.progress.tokens
        while self.progress.epoch <= spec.epochs and not self.progress.stopped:
            self._epoch()
        if spec.keep == "best":
            self.adapted.restore(self.best_weights)
        self.progress.seconds = self._elapsed()
        return self.progress

    def _epoch(self) -> None:
        progress, spec = self.progress, self.spec
        self.adapted.train()
        batches = epoch_batches(self._lengths, self._a_step, spec.seed, progress.epoch)
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
        score = self.measure(progress.epoch, progress.epoch_loss / max(1, progress.epoch_learnt))
        progress.scores.append(score)
        if progress.best is score:
            self.best_weights = self._weights()
        elif not progress.stopped and 0 < spec.patience <= score.epoch - progress.best.epoch:
            progress.stopped = f"no better for {spec.patience} epochs"
        if not progress.stopped and self._ask and self._ask(score.epoch, score.validation_accuracy):
            progress.stopped = PRUNED
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.epoch_loss, progress.epoch_learnt = 0.0, 0
        self._save()
        self._tell()

    def _step(self, rows: Sequence[TokenRow]) -> None:
        progress, spec = self.progress, self.spec
        rate = spec.learning_rate * self._schedule(progress.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        packs = packs_of(self._group.part(rows), self.head, spec.pack_tokens)
        whole = packs if self._group.size == 1 else packs_of(rows, self.head, spec.pack_tokens)
        learnt = sum(len(pack.targets) for pack in whole)
        total = 0.0
        for pack in packs:
            loss = functional.cross_entropy(self._logits(pack), pack.targets, reduction="sum")
            (loss / max(1, learnt)).backward()
            total += loss.item()
        total = self._group.add_gradients(self._trained, total)
        refuse_diverged(total, spec.learning_rate)
        nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad()
        progress.step += 1
        progress.tokens += sum(len(row.ids) for row in rows)
        progress.epoch_loss += total
        progress.epoch_learnt += learnt
        progress.steps.append((progress.step, total / max(1, learnt), rate))

    def _logits(self, pack: Pack) -> Tensor:
        with self._precision():
            mask = pack.mask(self.adapted.virtual_count)
            logits = self.adapted(pack.ids, pack.positions, mask, pack.predicting)
        return logits.float()

    def _precision(self) -> AbstractContextManager[Any]:
        if self.spec.precision == "bf16":
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return nullcontext()

    def _schedule(self, step: int) -> float:
        """Linear warm-up, then linear or by a cosine to zero, or constant."""
        total = self.spec.epochs * self._steps_an_epoch
        warm = max(1, round(total * self.spec.warmup))
        if step < warm:
            return (step + 1) / warm
        left = (total - step) / max(1, total - warm)
        if self.spec.scheduler == "constant":
            return 1.0
        return left if self.spec.scheduler == "linear" else (1 - math.cos(math.pi * left)) / 2

    def measure(self, epoch: int, training_loss: float | None) -> EpochLoss:
        """Loss and share of right tokens on the validation split."""
        self.adapted.eval()
        loss, right, count = 0.0, 0, 0
        with torch.no_grad():
            for pack in self._validation:
                logits = self._logits(pack)
                loss += functional.cross_entropy(logits, pack.targets, reduction="sum").item()
                right += int((logits.argmax(1) == pack.targets).sum())
                count += len(pack.targets)
        agreed = self._group.agreed([loss / max(1, count), right / max(1, count)])
        refuse_diverged(agreed[0], self.spec.learning_rate)
        return EpochLoss(epoch, training_loss, *agreed)

    # Keeping and telling

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.adapted.trained().items()}

    def _elapsed(self) -> float:
        return self.progress.seconds + time.monotonic() - self.began

    @property
    def passes(self) -> float:
        """How often it has gone through the training split, in whole and in part."""
        return self.progress.step / self._steps_an_epoch

    @property
    def done(self) -> float:
        """The share of the job that is done."""
        return 0.1 + 0.8 * self.passes / self.spec.epochs

    def _is_out_of_time(self) -> bool:
        limit = self.spec.max_seconds if self.passes < self.spec.epochs else None
        return self._group.out_of_time(self._elapsed(), limit)

    def _tell(self) -> None:
        self._reported = time.monotonic()
        progress, spec = self.progress, self.spec
        speed = (progress.tokens - self._before) / max(0.001, time.monotonic() - self.began)
        left = max(0.0, spec.epochs * sum(self._lengths) - progress.tokens) / max(0.001, speed)
        _, loss, rate = progress.steps[-1]
        figures = {
            "loss": loss,
            "learning_rate": rate,
            "tokens_per_second": speed,
            "eta_seconds": left,
            "epoch": float(min(progress.epoch, spec.epochs)),
            "validation_loss": progress.scores[-1].validation_loss,
        }
        line = (
            f"epoch {min(progress.epoch, spec.epochs)} of {spec.epochs}, loss {loss:.3f}, "
            f"{speed:.0f} tokens/s, about {left:.0f} s left"
        )
        self._report(self.done, line, figures)

    def _save(self) -> None:
        if not self._group.first:
            return
        self._saved = time.monotonic()
        save_checkpoint(
            Path(self.spec.checkpoint),
            {
                "fingerprint": self.spec.fingerprint,
                "progress": {**asdict(self.progress), "seconds": self._elapsed()},
                "weights": {n: value.detach() for n, value in self.adapted.trained().items()},
                "best": self.best_weights,
                "optimiser": self._optimiser.state_dict(),
                "random": torch.get_rng_state(),
            },
        )

    def _resume(self) -> bool:
        found = load_checkpoint(Path(self.spec.checkpoint))
        if found is None or found["fingerprint"] != self.spec.fingerprint:
            return False
        raw = found["progress"]
        raw["scores"] = [EpochLoss(**score) for score in raw["scores"]]
        self.progress = Progress(**raw)
        self.progress.resumed += 1
        self.adapted.restore(found["weights"])
        self.best_weights = found["best"]
        self._optimiser.load_state_dict(found["optimiser"])
        torch.set_rng_state(found["random"])
        return True
