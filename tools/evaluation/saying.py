"""What a model's evaluation and its errors come to, in words: classes named, or texts found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.evaluation.report_types import Errors
    from tools.evaluation.types import EvaluationResult

_SHOWN = 160


def said_of(result: EvaluationResult) -> str:
    """An evaluation with its intervals and baselines."""
    if result.task == "embedding":
        return _found(result)
    untrained = (
        f", untrained {result.baseline_untrained:.1%} with a head drawn from the training's seed"
        if result.baseline_untrained is not None
        else ""
    )
    right = "right" if result.micro_f1 is None else "of the texts exactly right, all labels,"
    return (
        f"{named(result)} gets {result.accuracy:.1%} {right} on {result.rows} {result.split} "
        f"rows of {result.dataset} (95 % interval {result.accuracy_low:.1%} to "
        f"{result.accuracy_high:.1%}; majority class {result.baseline_majority:.1%}{untrained})."
    )


def _found(result: EvaluationResult) -> str:
    triplets = (
        f", and in {result.triplet_accuracy:.1%} of triplets the right one is nearer than the "
        "wrong one"
        if result.triplet_accuracy is not None
        else ""
    )
    return (
        f"{named(result)} finds the right one of {result.candidates} texts at once for "
        f"{result.accuracy:.1%} of {result.rows} {result.split} rows of {result.dataset} (95 % "
        f"interval {result.accuracy_low:.1%} to {result.accuracy_high:.1%}; untrained "
        f"{result.baseline_untrained:.1%}), among the nearest five for {result.recall_at_5:.1%}; "
        f"mean reciprocal rank {result.mrr:.3f} ({result.mrr_low:.3f} to {result.mrr_high:.3f}; "
        f"untrained {result.mrr_untrained:.3f}, p = {result.gain_p_value:.3g}), nDCG@10 "
        f"{result.ndcg_at_10:.3f}{triplets}."
    )


def in_short(result: EvaluationResult) -> str:
    """An evaluation in half a sentence: who, how much, on what."""
    does = "finds the right text at once for" if result.task == "embedding" else "gets"
    right = "of" if result.task == "embedding" else "right on"
    return (
        f"{named(result)} {does} {result.accuracy:.1%} {right} {result.rows} {result.split} rows "
        f"of {result.dataset}"
    )


def named(result: EvaluationResult) -> str:
    """The model that was measured."""
    if result.version is not None:
        return f"{result.model} v{result.version}"
    return f"{result.model} of job {result.job}"


def mistakes(result: Errors) -> str:
    """The commonest mistakes of an evaluation, and the surest one; it has at least one."""
    first, finds = result.examples[0], result.task == "embedding"
    text, label, predicted = (t[:_SHOWN] for t in (first.text, first.label, first.predicted))
    mixed = "; ".join(
        f"{c.label[:_SHOWN]} taken for {c.predicted[:_SHOWN]} {c.rows}×" for c in result.confused
    )
    commonest = f" Commonest: {mixed}." if mixed else ""
    if finds:
        return (
            f"{commonest} The nearest wrong text (cosine {first.confidence:.2f}): “{text}” found "
            f"“{predicted}”, right is “{label}”."
        )
    return (
        f"{commonest} The surest mistake ({first.confidence:.0%}): “{text}” is {label}, not "
        f"{predicted}."
    )
