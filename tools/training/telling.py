"""What a training came to, for a person."""

from __future__ import annotations

from collections.abc import Container, Mapping

from tools.training.particular import in_effect
from tools.training.types import StartTraining, TrainingEstimate, TrainingResult, TuningResult

_SHOWN = (
    *("learning_rate", "batch_size", "gradient_accumulation", "max_length", "rank", "dora"),
    *("rslora", "merge", "warmup", "scheduler", "weight_decay", "patience", "precision"),
    *("gradient_checkpointing", "seed", "max_minutes", "keep"),
)
_OF_LORA = frozenset(["rank", "dora", "rslora", "merge"])


def warned(warnings: list[str]) -> str:
    """Warnings that follow a sentence, a space before each."""
    return "".join(f" {warning}" for warning in warnings)


def of_rows(result: TrainingResult) -> str:
    """Which rows it learnt from, where those of a certain time were asked for."""
    rows = result.parameters.get("rows")
    return f" ({rows})" if rows else ""


def score(result: TrainingResult) -> str:
    """How good the model is, in the measure of its task."""
    found = result.metrics
    if result.task == "multilabel":
        micro, macro = result.validation_micro_f1, result.validation_macro_f1
        return f"validation micro F1 {micro:.1%}, macro F1 {macro:.1%}"
    if result.task == "language":
        return (
            f"right answers {found['exact_match_before']:.1%} → {found['exact_match']:.1%}, "
            f"F1 of their words {found['token_f1_before']:.1%} → {found['token_f1']:.1%}"
        )
    if result.task == "embedding":
        return (
            f"counterpart nearest {found['accuracy_before']:.1%} → "
            f"{result.validation_accuracy:.1%} of held-out texts, nDCG@10 "
            f"{found['ndcg_at_10']:.3f} ({found['ndcg_at_10_low']:.3f} to "
            f"{found['ndcg_at_10_high']:.3f})"
        )
    return f"validation accuracy {result.validation_accuracy:.1%}"


def settings(result: TuningResult) -> str:
    """What the best trial was tried with: ` (learning rate 0.002, rank 8)`."""
    told = trial_settings(result, result.best_trial)
    return f" ({told})" if told else ""


def trial_settings(result: TuningResult, number: int) -> str:
    """What a trial was tried with: `learning rate 0.002, rank 8`; empty if there is none."""
    trial = next((t for t in result.trials if t.number == number), None)
    return _listed(trial.parameters) if trial is not None else ""


def foreseen(
    args: StartTraining,
    own: Container[str],
    expected: TrainingEstimate,
    varied: Container[str] = (),
) -> str:
    """Every setting of a training that is about to begin, and the memory and disk that it needs.

    Args:
        args: the training, its defaults filled in.
        own: the settings, of those that not every training has, that it has.
        expected: what it is estimated to take.
        varied: settings of which a tuning tries several values.
    """
    matrices = args.method in ("lora", "qlora")
    shown = {n: getattr(args, n) for n in _SHOWN if matrices or n not in _OF_LORA}
    every = {**shown, **in_effect(args, own)}
    kept = {n: v for n, v in every.items() if n not in varied and v is not False and v is not None}
    return (
        f"Settings: {_listed(kept)}. It needs about {expected.memory_mb} MB of memory "
        f"({expected.memory_free_mb} MB are free) and {expected.disk_mb} MB of disk."
    )


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items())


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "on"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
