"""The computing process of a language model's training; see `tools.kernel.child`.

Writes the model's folder and, beside it, `curve.json` and `curve.png`.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.child import child_main, emit
from tools.kernel.errors import InvalidInput, Unavailable
from tools.training.asking import Ask, asking
from tools.training.ending import kept, time_warnings
from tools.training.language.spec import LanguageSpec
from tools.training.outcome import cut_warning, improvement_warnings
from tools.training.pausing import PAUSED, Paused

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tools.datasets.kinds import Message
    from tools.training.language.adapting import Adapted
    from tools.training.language.loop import LanguageTrainer, Progress
    from tools.training.language.rows import TokenRow
    from tools.training.together import Group

Report = Callable[[float, str, dict[str, float]], None]
_STARTED = time.monotonic()
_MOST_NEW_TOKENS = 96
_SILENCE_SECONDS = 900.0
"""The first of several answers questions before and between; the others wait for it."""


def train(
    spec: LanguageSpec, report: Report, ask: Ask | None = None, group: Group | None = None
) -> dict[str, Any]:
    """Carry out a training and write the model's folder.

    Args:
        spec: what to train.
        report: receives the share done, a line, and the figures.
        ask: of a trial, whether it should end after an epoch.
        group: the processes that train together; this one alone if not given.

    Returns:
        The measured part of a `TrainingResult`; nothing in a process that is not the group's first.

    Raises:
        InvalidInput: if the base model cannot be trained so.
        Unavailable: if files cannot be written (a full disk).
    """
    try:
        return _train(spec, report, ask, group)
    except OSError as error:
        raise Unavailable(
            f"The training could not read or write its files: {error.strerror or error}.",
            hint="Free some space and start it again.",
        ) from error


def _train(
    spec: LanguageSpec, report: Report, ask: Ask | None, group: Group | None
) -> dict[str, Any]:
    import torch

    from tools.training.language.bases import load_tokenizer, ready
    from tools.training.language.loop import LanguageTrainer
    from tools.training.language.writing import write_folder

    report(0.0, "loading the base model", {})
    torch.set_num_threads(spec.threads)
    spec = replace(spec, base_folder=str(ready(Path(spec.base_folder))))
    tokenizer = load_tokenizer(Path(spec.base_folder))
    chats = {split: _chats(spec, split) for split in ("train", "validation")}
    rows = {split: _rows(spec, tokenizer, chats[split]) for split in chats}
    adapted = _adapted(spec, tokenizer)
    trainer = LanguageTrainer(spec, adapted, rows["train"], rows["validation"], report, ask, group)
    judge = _Judge(spec, tokenizer, chats["validation"])
    first = group is None or group.first
    before = judge.before(adapted, report) if first else (0.0, 0.0)
    try:
        progress = trainer.run()
    except Paused:
        return {PAUSED: True, "done": trainer.done}
    if not first:
        return {}
    report(0.92, "answering the validation split's questions", {})
    measured = _summary(spec, trainer, progress, before, judge.score(adapted))
    measured["metrics"]["cut_rows"] = float(sum(row.cut for row in rows["train"]))
    cut = cut_warning([row.whole for row in rows["train"]], spec.max_length)
    measured["warnings"] += [cut] if cut else []
    report(0.96, "writing the model", {})
    write_folder(spec, adapted, measured)
    return measured


def _chats(spec: LanguageSpec, split: str) -> list[list[Message]]:
    lines = (Path(spec.data) / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["messages"] for line in lines]


def _rows(
    spec: LanguageSpec, tokenizer: PreTrainedTokenizerBase, chats: list[list[Message]]
) -> list[TokenRow]:
    from tools.training.language.rows import token_row

    return [token_row(tokenizer, chat, spec.max_length) for chat in chats]


def _adapted(spec: LanguageSpec, tokenizer: PreTrainedTokenizerBase) -> Adapted:
    import torch

    from tools.training.language.adapting import Adapted
    from tools.training.language.bases import load_model

    half = spec.precision == "bf16" and spec.method != "full"
    dtype = torch.bfloat16 if half else torch.float32
    model = load_model(Path(spec.base_folder), dtype, nf4=spec.method == "qlora")
    positions = getattr(model.config, "max_position_embeddings", spec.max_length)
    if spec.max_length > positions:
        raise InvalidInput(
            f"max_length is {spec.max_length}, the base model reads {positions} tokens."
        )
    told: Any = tokenizer("Answer the question.", add_special_tokens=False)
    return Adapted(model, spec, list(told["input_ids"]))


class _Judge:
    """Answers validation questions, before training once and after it."""

    def __init__(
        self, spec: LanguageSpec, tokenizer: PreTrainedTokenizerBase, chats: list[list[Message]]
    ) -> None:
        self._spec = spec
        self._tokenizer = tokenizer
        self._chats = chats[: spec.judged]
        self._right = [chat[-1]["content"] for chat in self._chats]
        lengths = [len(tokenizer(text)["input_ids"]) for text in self._right]
        self._longest = min(_MOST_NEW_TOKENS, max(lengths, default=1) + 8)

    def before(self, adapted: Adapted, report: Report) -> tuple[float, float]:
        """Exact match and F1 of the untrained model; measured once, whatever cuts in."""
        # Beside the data, so that the trials of a tuning measure it once.
        kept = Path(self._spec.data) / f"before-{self._spec.max_length}.json"
        if kept.is_file():
            found: list[float] = json.loads(kept.read_text())
            return found[0], found[1]
        report(0.02, "answering with the untrained model", {})
        scores = self.score(adapted, untrained=True)
        staged = kept.with_suffix(f".{os.getpid()}")
        staged.write_text(json.dumps(scores))
        staged.replace(kept)
        return scores

    def score(self, adapted: Adapted, *, untrained: bool = False) -> tuple[float, float]:
        """Exact match and F1 of the model as it is now."""
        from tools.training.language.answers import scored
        from tools.training.language.generating import answering

        model = answering(adapted, self._tokenizer, self._spec.max_length, untrained=untrained)
        asked = [chat[:-1] for chat in self._chats]
        return scored(model.generate(asked, self._longest), self._right)


def _summary(
    spec: LanguageSpec,
    trainer: LanguageTrainer,
    progress: Progress,
    before: tuple[float, float],
    after: tuple[float, float],
) -> dict[str, Any]:
    import math

    from tools.training.curve import draw_curve

    curve = {
        "epochs": [asdict(score) for score in progress.scores],
        "steps": progress.steps,
        "accuracy": "share of right tokens",
    }
    beside = Path(spec.output).parent
    (beside / "curve.json").write_text(json.dumps(curve))
    draw_curve(curve, beside / "curve.png")
    first, best = progress.scores[0], kept(progress.scores, progress.best, spec.keep)
    losses = first.validation_loss, best.validation_loss
    trained = sum(value.numel() for value in trainer.adapted.trained().values())
    return {
        "warnings": [
            *improvement_warnings((-losses[0],), (-losses[1],), losses, spec.keep),
            *time_warnings(spec, progress.stopped, trainer.passes, best.epoch),
        ],
        "passes": trainer.passes,
        "epochs": progress.scores[-1].epoch,
        "best_epoch": best.epoch,
        "initial_loss": first.validation_loss,
        "final_loss": best.validation_loss,
        "validation_accuracy": after[0],
        "validation_macro_f1": after[1],
        "seconds": progress.seconds + trainer.began - _STARTED,
        "compute_seconds": progress.seconds,
        "resumed": progress.resumed,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stopped": progress.stopped,
        "trained_parameters": trained,
        "total_parameters": sum(value.numel() for value in trainer.adapted.parameters()),
        "metrics": {
            "perplexity": math.exp(min(50.0, best.validation_loss)),
            "token_accuracy": best.validation_accuracy,
            "exact_match": after[0],
            "exact_match_before": before[0],
            "token_f1": after[1],
            "token_f1_before": before[1],
            "judged": float(min(spec.judged, trainer.validation_count)),
            "tokens_per_second": progress.tokens / max(0.001, progress.seconds),
        },
    }


def _report(share: float, line: str, figures: dict[str, float]) -> None:
    emit(progress=share, message=line, metrics=figures)


def _main(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.together import joined

    with joined(spec.get("group"), _SILENCE_SECONDS) as group:
        return train(LanguageSpec.from_dict(spec), _report, asking(spec), group)


if __name__ == "__main__":
    child_main(_main)
