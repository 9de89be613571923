"""What a rule of the promotion gate can ask for, and which limits make sense of it."""

from __future__ import annotations

from tools.kernel.entities import nearest

_SHARES = {
    *("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high"),
    *("micro_f1", "baseline_majority", "baseline_untrained", "ece", "worst_slice"),
    *("validation_accuracy", "validation_macro_f1", "agreement", "exact_match", "token_f1"),
    *("exact_match_before", "token_f1_before", "token_accuracy", "accuracy_before"),
    *("reciprocal_rank", "reciprocal_rank_before", "triplet_accuracy_before", "mrr_untrained"),
    *(
        f"{name}{end}"
        for name in (
            *("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10"),
            "triplet_accuracy",
        )
        for end in ("", "_low", "_high")
    ),
}
_GAINS = {"gain_over_majority", "gain_over_champion"}
_OTHERS = {
    *(
        "rows",
        "overlap",
        "nearly_seen",
        "skipped",
        "p50_ms",
        "p95_ms",
        "load_ms",
        "memory_mb",
        "peak_mb",
    ),
    *("size_mb", "size_bytes", "cost_per_1000", "cost_ratio", "loss_points", "loss_low"),
    *("loss_high", "held_out_rows", "initial_loss", "final_loss", "seconds", "perplexity"),
    *("judged", "tokens_per_second", "cut_rows", "candidates", "gain_p_value", "cosine"),
}
MEASURES = _SHARES | _GAINS | _OTHERS
"""Figures of evaluations, trainings and variants, and those that the gate works out itself."""


def refuse_unknown(measure: str) -> None:
    """Refuse a measure that nothing ever has.

    Raises:
        ValueError: with the nearest one that there is.
    """
    if measure not in MEASURES:
        near = nearest(measure, sorted(MEASURES), 1)
        meant = f"; the nearest is `{near[0]}`" if near else ""
        raise ValueError(f"there is no measure `{measure}`{meant}")


def refuse_impossible(measure: str, limit: float | None) -> None:
    """Refuse a limit that a share cannot have.

    Args:
        measure: what is measured.
        limit: its limit; None where there is none.

    Raises:
        ValueError: with a limit that could be meant.
    """
    lowest = 0 if measure in _SHARES else -1
    if limit is None or measure not in _SHARES | _GAINS or lowest <= limit <= 1:
        return
    meant = f" ({limit / 100:g}, not {limit:g})" if lowest <= limit / 100 <= 1 else ""
    raise ValueError(f"`{measure}` lies between {lowest} and 1{meant}")
