"""What a training came to, for a person."""

from __future__ import annotations

from tools.training.types import TrainingResult, TuningResult


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
    best = next((t for t in result.trials if t.number == result.best_trial), None)
    if best is None or not best.parameters:
        return ""
    told = (
        f"{name.replace('_', ' ')} {f'{value:.3g}' if isinstance(value, float) else value}"
        for name, value in best.parameters.items()
    )
    return f" ({', '.join(told)})"
