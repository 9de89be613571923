"""The trade-off as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.training.optimizing.types import VariantResult

_HEADS = (
    *("variant", "accuracy", "loss (95 % interval)", "agree", "size MB", "load ms"),
    *("p50 ms", "p95 ms", "memory MB", "cost", "verdict"),
)


def table(parent: VariantResult, variants: Sequence[VariantResult]) -> str:
    """A text table, the parent first."""
    heads = tuple(_metric(parent) if h == "accuracy" else h for h in _HEADS)
    rows = [heads, *(_row(v, parent) for v in (parent, *variants))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join(lines)


def draw(
    parent: VariantResult, variants: Sequence[VariantResult], asked: float, title: str, path: Path
) -> None:
    """Draw points lost, with their intervals, against latency × memory.

    Args:
        parent: what they are measured against.
        variants: those that could be measured are drawn.
        asked: points that may be lost; drawn as a line.
        title: what the picture is of.
        path: the PNG to write; its folder must exist.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.axhline(asked, color="tab:red", linestyle="--", linewidth=1, label=f"{asked:g} asked")
    axes.axhline(0, color="0.8", linewidth=1)
    axes.plot([1], [0], marker="s", color="black", label=parent.variant)
    for one in variants:
        if one.cost_ratio is None or one.loss_points is None:
            continue
        low, high = one.loss_low or 0.0, one.loss_high or 0.0
        spread = [[max(0.0, one.loss_points - low)], [max(0.0, high - one.loss_points)]]
        colour = "tab:gray" if one.reasons else "tab:blue"
        axes.errorbar(
            [one.cost_ratio], [one.loss_points], yerr=spread, fmt="o", capsize=3, color=colour
        )
        axes.annotate(
            one.variant,
            (one.cost_ratio, one.loss_points),
            textcoords="offset points",
            xytext=(6, 5),
            fontsize=8,
        )
    axes.set_xscale("log")
    lost = f"points of {_metric(parent)} lost"
    axes.set(xlabel="latency × memory, share of the parent's", ylabel=lost)
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _metric(parent: VariantResult) -> str:
    """What is measured, as people read it."""
    return {"token_f1": "F1", "recall_at_1": "nearest"}.get(parent.metric, "accuracy")


def _row(one: VariantResult, parent: VariantResult) -> tuple[str, ...]:
    if one.error is not None:
        return (one.variant, *("–",) * (len(_HEADS) - 2), one.error[:60])
    loss = "–"
    if one is not parent:
        loss = f"{one.loss_points:+z.1f} ({one.loss_low:+z.1f} to {one.loss_high:+z.1f})"
    verdict = "parent" if one is parent else "; ".join(one.reasons) or f"v{one.version}"
    return (
        one.variant,
        f"{one.accuracy:.1%}",
        loss,
        f"{one.agreement:.1%}" + ("" if one.cosine is None else f" (cos {one.cosine:.3f})"),
        f"{(one.size_bytes or 0) / 1e6:.1f}",
        f"{one.load_ms:.0f}",
        f"{one.p50_ms:.1f}",
        f"{one.p95_ms:.1f}",
        f"{one.memory_mb:.0f}",
        f"{one.cost_ratio:.2f}",
        verdict,
    )
