"""From two models' right answers to a sentence that says which is better, and if it is real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from tools.evaluation.types import ComparisonResult

if TYPE_CHECKING:
    from tools.evaluation.rows import HeldOut
    from tools.evaluation.subjects import Subject

SIGNIFICANT = 0.05


def compared(
    first: Subject,
    second: Subject,
    dataset: str,
    split: str,
    held_out: HeldOut,
    counts: Mapping[str, int],
    ranks: Mapping[str, float] | None = None,
) -> ComparisonResult:
    """The comparison of two models on one set of rows.

    Args:
        first: the model that was asked about.
        second: the one it is compared with.
        dataset: what both predicted.
        split: its part.
        held_out: the rows.
        counts: `first` and `second`, rows that each got right; `only_first` and `only_second`,
            rows that the other got wrong.
        ranks: of two embeddings the ranks of a `ComparisonResult`.
    """
    from tools.evaluation.power import difference_seen, rows_needed
    from tools.evaluation.statistics import difference_interval, mcnemar

    rows = len(held_out.rows)
    only_first, only_second = counts["only_first"], counts["only_second"]
    interval = difference_interval(only_first, only_second, rows)
    p_value = mcnemar(only_first, only_second)
    better = _better(interval.value, p_value)
    accuracy, other = counts["first"] / rows, counts["second"] / rows
    discordant = (only_first + only_second) / rows
    seen = difference_seen(rows, discordant) if mcnemar(rows, 0) < SIGNIFICANT else None
    warnings = [*held_out.warnings]
    if set(first.labels) != set(second.labels):
        warnings.append("The two models have different classes; only common ones were compared.")
    return ComparisonResult(
        model=first.model,
        version=first.version or 0,
        other_model=second.model,
        other_version=second.version or 0,
        dataset=dataset,
        split=split,
        period=held_out.period,
        rows=rows,
        accuracy=accuracy,
        other_accuracy=other,
        difference=interval.value,
        difference_low=interval.low,
        difference_high=interval.high,
        only_first=only_first,
        only_second=only_second,
        p_value=p_value,
        better=better,
        verdict=_sentence(first, second, accuracy, other, rows, dataset, p_value, better, seen)
        + _ranked(ranks),
        warnings=warnings,
        rows_needed=rows_needed(interval.value, discordant) if interval.value else None,
        smallest_seen=seen,
    ).model_copy(update={**(ranks or {})})


def _better(difference: float, p_value: float) -> Literal["first", "second", "neither"]:
    if p_value >= SIGNIFICANT:
        return "neither"
    return "first" if difference > 0 else "second"


def _sentence(
    first: Subject,
    second: Subject,
    accuracy: float,
    other: float,
    rows: int,
    dataset: str,
    p_value: float,
    better: str,
    seen: float | None,
) -> str:
    chance = _chance(p_value)
    if accuracy == other:
        conclusion = f"these {rows} rows show no difference; {_smallest(seen)}"
    elif better == "neither":
        ahead = first if accuracy > other else second
        conclusion = f"{ahead} is ahead, but the difference may be chance ({chance})"
    else:
        winner = first if better == "first" else second
        conclusion = f"{winner} is better, and the difference is real ({chance})"
    right = "of the right texts at once" if first.embeds else "right"
    return (
        f"{first} {'finds' if first.embeds else 'gets'} {accuracy:.1%} {right} and {second} "
        f"{other:.1%} on {rows} rows of {dataset}: {conclusion}."
    )


def _ranked(ranks: Mapping[str, float] | None) -> str:
    """What the places of the right texts say, which tell more than whether they stand first."""
    if ranks is None:
        return ""
    real = "a real" if ranks["mrr_p_value"] < SIGNIFICANT else "no sure"
    return (
        f" Mean reciprocal rank {ranks['mrr']:.3f} and {ranks['other_mrr']:.3f}: {real} difference "
        f"({ranks['mrr_low']:+.3f} to {ranks['mrr_high']:+.3f}, {_chance(ranks['mrr_p_value'])})."
    )


def _chance(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _smallest(seen: float | None) -> str:
    """What the rows could have shown, so that nobody takes silence for equality."""
    if seen is None:
        return "so few can show none"
    return f"the smallest that they could show is about {seen * 100:.1f} points"
