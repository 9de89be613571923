"""Whether a model is as sure as it is right: the reliability of its probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.report_types import Calibration, ReliabilityBin
from tools.evaluation.resampling import bootstrap
from tools.evaluation.statistics import CALIBRATION_BINS, Floats, Ints

if TYPE_CHECKING:
    from tools.evaluation.predictions import Predicted


def calibration_of(rows: Sequence[Predicted], bins: int = CALIBRATION_BINS) -> Calibration:
    """Expected calibration error with its interval, and confidence against accuracy by bin.

    Guo et al. 2017, "On Calibration of Modern Neural Networks"; bins of equal width. The error is
    never below 0, so with few rows it is overestimated: its interval tells by how much.

    Args:
        rows: what was predicted, at least one row.
        bins: how many bins between 0 and 1.
    """
    confidence = np.array([r.confidence for r in rows])
    right = np.array([r.right for r in rows], dtype=np.float64)
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)

    def error(chosen: Ints) -> float:
        gaps = np.bincount(places[chosen], (right - confidence)[chosen], minlength=bins)
        return float(np.abs(gaps).sum() / len(chosen))

    ece = bootstrap(len(rows), error)
    return Calibration(
        ece=ece.value,
        ece_low=ece.low,
        ece_high=ece.high,
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        bins=[_bin(confidence, right, places == p) for p in range(bins) if (places == p).any()],
    )


def _bin(confidence: Floats, right: Floats, chosen: Ints) -> ReliabilityBin:
    return ReliabilityBin(
        confidence=float(confidence[chosen].mean()),
        accuracy=float(right[chosen].mean()),
        rows=int(chosen.sum()),
    )


def draw_reliability(found: Calibration, title: str, path: Path) -> None:
    """Draw the reliability diagram as a PNG: accuracy over confidence, and how many rows where.

    Args:
        found: the calibration.
        title: what it is of.
        path: where the file goes; its folder must exist.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    most = max(b.rows for b in found.bins)
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey", linewidth=1, label="as sure as right")
    axes.scatter(
        [b.confidence for b in found.bins],
        [b.accuracy for b in found.bins],
        s=[20 + 180 * b.rows / most for b in found.bins],
        color="#1f5fa8",
        label="a bin; larger with more rows",
    )
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"{title}\nECE {found.ece:.3f}", fontsize=10, loc="left")
    axes.legend(loc="upper left", fontsize=8)
    figure.savefig(path, dpi=110)
