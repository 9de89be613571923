"""The drawn confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MOST_NUMBERED = 30


def draw_confusion(
    confusion: Sequence[Sequence[int]], labels: Sequence[str], title: str, path: Path
) -> None:
    """Draw a confusion matrix as a PNG; colours are shares of each true class.

    Args:
        confusion: counts; row = true class, column = predicted class.
        labels: the classes.
        title: what the matrix is of.
        path: where the file goes; its folder must exist.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(4.0, 0.55 * len(labels) + 2.5), 18.0)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title, fontsize=10, loc="left")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    if len(labels) <= _MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=8)
    figure.savefig(path, dpi=110)
