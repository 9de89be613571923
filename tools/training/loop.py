"""The training loop: epochs, losses, the best weights, checkpoints, and going on from one.

A run that is cut off and resumed gives the same numbers as one that is not: batches follow from
seed and epoch, and a checkpoint holds weights, optimiser, random state and position.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tools.training.batching import epoch_batches, even_batches, pad, pad_hidden
from tools.training.encoder import mean_pool
from tools.training.ending import OUT_OF_TIME
from tools.training.modelling import LowRank, TextClassifier, add_adapter
from tools.training.objectives import Target, objective_of, scores
from tools.training.outcome import refuse_diverged
from tools.training.pausing import Paused
from tools.training.spec import TrainingSpec
from tools.training.state import (
    EpochScore,
    Examples,
    State,
    load_checkpoint,
    save_checkpoint,
)
from tools.training.together import Group

Report = Callable[[float, str, dict[str, float]], None]
_CACHE_BYTES = 1 << 30
_EVALUATION_BATCH = 32
_SAVING_APART = 20
"""Epochs' ends are kept so that at most a twentieth of the time is spent on it."""


class Trainer:
    """Trains one classifier.

    Args:
        spec: what to do.
        model: the classifier, not yet adapted.
        train: the training split.
        validation: the validation split.
        report: receives the share done, a line and the figures, several times a second at most.
        after_epoch: called with each score; returns True to stop early (pruning).
        group: the processes that train it together; this one alone if not given.
    """

    def __init__(
        self,
        spec: TrainingSpec,
        model: TextClassifier,
        train: Examples,
        validation: Examples,
        report: Report,
        after_epoch: Callable[[EpochScore], bool] | None = None,
        group: Group | None = None,
    ) -> None:
        self.spec = spec
        self._group = group or Group()
        self.model = model
        self.train_set = train
        self.validation = validation
        self._report = report
        self._after_epoch = after_epoch
        layers = len(model.encoder.encoder.layer)
        self.depth = layers - math.ceil(layers * spec.trained_share)
        self.state = State()
        self._objective = objective_of(spec)
        self.best_weights: dict[str, Tensor] = {}
        self.began = time.monotonic()
        self._saved = self._reported = self.began
        self._saving_seconds = 0.0
        self._first_step, self._stepping_since = 0, self.began
        self._at_once = spec.batch_size * spec.gradient_accumulation
        self._batches_an_epoch = math.ceil(len(train.ids) / self._at_once)
        self._tokens = 0
        model.encoder.checkpointing = spec.gradient_checkpointing

    def run(self) -> State:
        """Train to the end, from the checkpoint if there is one; the model has what is kept."""
        torch.manual_seed(self.spec.seed)
        self._freeze()
        self._optimiser = self._make_optimiser()
        if not self._resume():
            self._start()
        self._first_step, self._stepping_since = self.state.step, time.monotonic()
        while self.state.epoch <= self.spec.epochs and not self.state.stopped:
            self._epoch()
        if self.spec.keep == "best":
            self.model.load_state_dict(self.best_weights, strict=False)
        self.state.seconds = self._elapsed()
        return self.state

    # Preparing

    def _freeze(self) -> None:
        spec, encoder = self.spec, self.model.encoder
        encoder.requires_grad_(spec.method == "full")
        if self.depth > 0:
            self._report(0.0, "reading the texts once through the frozen layers", {})
            self._cache(self.train_set)
            self._cache(self.validation)
        if spec.method == "lora":
            add_adapter(encoder, LowRank.of(spec, self.depth), spec.seed)

    def _cache(self, examples: Examples) -> None:
        size = self.model.head.in_features
        if sum(examples.lengths) * size * 4 > _CACHE_BYTES:
            return
        hidden: list[Tensor] = [torch.empty(0)] * len(examples.ids)
        with torch.no_grad(), self._mixed():
            for chosen in even_batches(examples.lengths, _EVALUATION_BATCH):
                for i, row in zip(chosen, self._lower(examples, chosen), strict=True):
                    hidden[i] = row[: len(examples.ids[i])].float()
        examples.hidden = hidden

    def _lower(self, examples: Examples, chosen: list[int]) -> Tensor:
        input_ids, mask = pad([examples.ids[i] for i in chosen])
        with torch.no_grad():
            return self.model.encoder.lower(input_ids, mask, self.depth)

    def _start(self) -> None:
        self.state.scores.append(self._evaluate(0, None))
        self._remember()

    # Training

    def _epoch(self) -> None:
        state, spec = self.state, self.spec
        batches = epoch_batches(self.train_set.lengths, self._at_once, spec.seed, state.epoch)
        while state.batch < len(batches) and not state.stopped:
            self._step(batches[state.batch])
            state.batch += 1
            self._save_if_due(spec.checkpoint_seconds)
            if time.monotonic() - self._reported >= 0.5:
                self._tell()
            if self.done < 1 and self._group.out_of_time(self._elapsed(), spec.max_seconds):
                state.stopped = OUT_OF_TIME
            elif self._group.pausing(spec.pause):
                self._pause()
        score = self._evaluate(state.epoch, state.epoch_loss / max(1, state.epoch_rows))
        state.scores.append(score)
        if state.best is score:
            self._remember()
        if not state.stopped:
            self._stop_early(score)
        state.epoch, state.batch = state.epoch + 1, 0
        state.epoch_loss, state.epoch_rows = 0.0, 0
        # A checkpoint of all weights can take longer than a small epoch does.
        self._save_if_due(_SAVING_APART * self._saving_seconds)
        self._tell()
        more = state.epoch <= spec.epochs and not state.stopped
        if more and self._group.pausing(spec.pause):
            self._pause()

    def _pause(self) -> None:
        self._save()
        raise Paused

    def _stop_early(self, score: EpochScore) -> None:
        state = self.state
        if 0 < self.spec.patience <= score.epoch - state.best.epoch:
            state.stopped = f"no better for {self.spec.patience} epochs"
        elif self._after_epoch is not None and self._after_epoch(score):
            # After the last epoch there is nothing to spare: the trial is whole.
            state.stopped = "pruned" if score.epoch < self.spec.epochs else state.stopped

    def _step(self, chosen: list[int]) -> None:
        state = self.state
        rate = self._schedule(state.step)
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self.model.train()
        self._optimiser.zero_grad()
        size, loss = self.spec.batch_size, 0.0
        for start in range(0, len(chosen), size):
            loss += self._backward(chosen[start : start + size], len(chosen))
        loss = self._group.add_gradients(self.model.parameters(), loss)
        refuse_diverged(loss, self.spec.learning_rate)
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self._optimiser.step()
        state.step += 1
        state.epoch_loss += loss * len(chosen)
        state.epoch_rows += len(chosen)
        self._tokens += sum(len(self.train_set.ids[i]) for i in chosen)
        state.steps.append((state.step, loss, self._optimiser.param_groups[0]["lr"]))

    def _backward(self, chosen: list[int], of: int) -> float:
        """Add the gradients of one batch out of `of` rows; its share of their mean loss."""
        mine, dropout = self._group.part(chosen), self.spec.head_dropout
        if not mine:  # the last batch of an epoch can be small; random numbers go on alike
            self._group.kept(torch.empty(0, self.model.head.in_features), len(chosen), dropout)
            return 0.0
        with self._mixed():
            pooled = self._pooled(self.train_set, mine)
            logits = self.model.head(self._group.kept(pooled, len(chosen), dropout)).float()
        targets = self._targets(self.train_set, mine)
        share = len(mine) / of
        (share * self._objective.smoothed(logits, targets)).backward()
        return share * self._objective.loss(logits.detach(), targets).item()

    def _mixed(self) -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.spec.precision == "bf16")

    def _targets(self, examples: Examples, chosen: list[int]) -> Tensor:
        return self._objective.targets([examples.targets[i] for i in chosen])

    def _schedule(self, step: int) -> float:
        """The share of the peak rate at a step: a linear warm-up, then as the spec says."""
        total = self.spec.epochs * self._batches_an_epoch
        warm = max(1, round(total * self.spec.warmup))
        left = max(0.0, (total - step) / max(1, total - warm))
        after = {
            "linear": left,
            "cosine": (1 - math.cos(math.pi * min(1.0, left))) / 2,
            "constant": 1.0,
        }
        return min(1.0, (step + 1) / warm, after[self.spec.scheduler])

    def _make_optimiser(self) -> torch.optim.Optimizer:
        spec = self.spec
        encoder = [p for p in self.model.encoder.parameters() if p.requires_grad]
        head = {"params": list(self.model.head.parameters()), "peak": spec.head_learning_rate}
        groups: list[dict[str, Any]] = [head]
        if encoder:
            groups.insert(0, {"params": encoder, "peak": spec.learning_rate})
        return torch.optim.AdamW(groups, lr=0.0, weight_decay=spec.weight_decay, fused=True)

    def _pooled(self, examples: Examples, chosen: list[int]) -> Tensor:
        if examples.hidden is not None:
            hidden, mask = pad_hidden([examples.hidden[i] for i in chosen])
        elif self.depth > 0:
            hidden = self._lower(examples, chosen)
            _, mask = pad([examples.ids[i] for i in chosen])
        else:
            input_ids, mask = pad([examples.ids[i] for i in chosen])
            hidden = self.model.encoder.embeddings(input_ids)
        return mean_pool(self.model.encoder.upper(hidden, mask, self.depth), mask)

    def _evaluate(self, epoch: int, training_loss: float | None) -> EpochScore:
        self.model.eval()
        examples, loss = self.validation, 0.0
        predicted: list[Target] = [0] * len(examples.ids)
        with torch.no_grad(), self._mixed():
            for chosen in even_batches(examples.lengths, _EVALUATION_BATCH):
                logits = self.model.head(self._pooled(examples, chosen)).float()
                targets = self._targets(examples, chosen)
                loss += self._objective.loss(logits, targets).item() * len(chosen)
                for i, found in zip(chosen, self._objective.predicted(logits), strict=True):
                    predicted[i] = found
        found = scores(examples.targets, predicted, len(self.spec.labels))
        agreed = self._group.agreed([loss / len(examples.ids), *found])
        refuse_diverged(agreed[0], self.spec.learning_rate)
        return EpochScore(epoch, training_loss, *agreed)

    # Keeping and telling

    def _trained(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}

    def _remember(self) -> None:
        self.best_weights = {name: value.clone() for name, value in self._trained().items()}

    @property
    def passes(self) -> float:
        """How often it has gone through the training split, in whole and in part."""
        return self.state.step / self._batches_an_epoch

    @property
    def done(self) -> float:
        """The share of the steps that is done."""
        return self.passes / self.spec.epochs

    def _elapsed(self) -> float:
        return self.state.seconds + time.monotonic() - self.began

    def _tell(self) -> None:
        self._reported = time.monotonic()
        state, spec = self.state, self.spec
        done = self.done
        steps = state.step - self._first_step
        since = max(0.001, time.monotonic() - self._stepping_since)
        speed = steps * self._at_once / since
        left = (1 - done) * spec.epochs * len(self.train_set.ids) / max(0.001, speed)
        last = state.scores[-1]
        _, loss, rate = state.steps[-1]
        figures = {
            "loss": loss,
            "learning_rate": rate,
            "examples_per_second": speed,
            "tokens_per_second": self._tokens / since,
            "eta_seconds": left,
            "epoch": float(min(state.epoch, spec.epochs)),
            "validation_loss": last.validation_loss,
            "validation_accuracy": last.validation_accuracy,
        }
        line = f"epoch {min(state.epoch, spec.epochs)} of {spec.epochs}, loss {loss:.3f}"
        if last.epoch > 0:
            line += f", validation accuracy {last.validation_accuracy:.1%}"
        line += f", rate {rate:.1e}, {figures['tokens_per_second']:.0f} tokens/s"
        self._report(0.05 + 0.9 * done, f"{line}, about {left:.0f} s left", figures)

    def _save_if_due(self, after: float) -> None:
        if time.monotonic() - self._saved >= min(after, self.spec.checkpoint_seconds):
            self._save()

    def _save(self) -> None:
        if not self._group.first:
            return
        began = time.monotonic()
        state = {**asdict(self.state), "seconds": self._elapsed()}
        save_checkpoint(
            Path(self.spec.checkpoint),
            {
                "fingerprint": self.spec.fingerprint,
                "state": state,
                "weights": self._trained(),
                "best": self.best_weights,
                "optimiser": self._optimiser.state_dict(),
                "random": torch.get_rng_state(),
            },
        )
        self._saved = time.monotonic()
        self._saving_seconds = self._saved - began

    def _resume(self) -> bool:
        found = load_checkpoint(Path(self.spec.checkpoint))
        if found is None or found["fingerprint"] != self.spec.fingerprint:
            return False
        raw = found["state"]
        raw["scores"] = [EpochScore(**score) for score in raw["scores"]]
        self.state = State(**raw)
        self.state.resumed += 1
        self.model.load_state_dict(found["weights"], strict=False)
        self.best_weights = found["best"]
        self._optimiser.load_state_dict(found["optimiser"])
        torch.set_rng_state(found["random"])
        return True
