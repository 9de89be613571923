"""The picture of a tuning: its history, what mattered, and the trade between two objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.trials import OTHERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_tuning(
    tried: Sequence[Mapping[str, Any]],
    importance: Mapping[str, float],
    front: Sequence[int],
    objective: str,
    path: Path,
) -> None:
    """Draw the trials as a PNG.

    Args:
        tried: the trials as dumped `TrialResult`s.
        importance: how much each setting mattered.
        front: the numbers of the trials on the front.
        objective: what counted beside quality.
        path: the file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    both = objective in OTHERS
    figure = Figure(figsize=(13 if both else 9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3 if both else 2)
    _history(panels[0], tried)
    names = list(importance)[::-1]
    panels[1].barh(names, [importance[name] for name in names])
    panels[1].set(title="importance", xlabel="share of the variance in quality")
    if both:
        _trade(panels[2], tried, front, OTHERS[objective])
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _history(axes: Axes, tried: Sequence[Mapping[str, Any]]) -> None:
    complete = [t for t in tried if t["state"] == "complete"]
    pruned = [t for t in tried if t["state"] == "pruned"]
    axes.scatter([t["number"] for t in complete], [t["value"] for t in complete], label="complete")
    axes.scatter(
        [t["number"] for t in pruned], [t["value"] for t in pruned], marker="x", label="given up"
    )
    best = list(accumulate((t["value"] for t in complete), max))
    axes.step([t["number"] for t in complete], best, where="post", alpha=0.6, label="best so far")
    axes.set(title="history", xlabel="trial", ylabel="quality on the validation split")
    axes.legend()


def _trade(
    axes: Axes, tried: Sequence[Mapping[str, Any]], front: Sequence[int], other: str
) -> None:
    complete = [t for t in tried if t["state"] == "complete"]
    axes.scatter([t[other] for t in complete], [t["value"] for t in complete], alpha=0.5)
    best = sorted((t for t in complete if t["number"] in front), key=lambda t: t[other])
    axes.plot([t[other] for t in best], [t["value"] for t in best], marker="o", label="front")
    axes.set(title=f"quality against {other}", xlabel=other, ylabel="quality")
    axes.legend()
