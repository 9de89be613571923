"""The drawn confusion matrix, and of embeddings what they find where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tools.training.similarity.finding import Found

_MOST_NUMBERED = 30
_MOST_PLACES = 20


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


def draw_retrieval(found: Found, before: Found, title: str, path: Path) -> None:
    """Draw at which place right texts are found, and how near they are, as a PNG.

    Args:
        found: by the embedding.
        before: by the encoder as published.
        title: what the picture is of.
        path: where the file goes; its folder must exist.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    places, near = figure.subplots(1, 2)
    cuts = np.arange(1, _MOST_PLACES + 1)
    for one, name in ((found, "trained"), (before, "untrained")):
        shares = [(one.places <= cut).mean() for cut in cuts]
        places.plot(cuts, shares, marker="o", markersize=3, label=name)
    places.set(xlabel="among the nearest", ylabel="share of queries with a right text", ylim=(0, 1))
    places.legend(loc="lower right")
    wrong = found.nearness[found.places > 1]
    bins = np.linspace(min(0.0, float(found.right_nearness.min())), 1, 31)
    near.hist(found.right_nearness, bins, alpha=0.6, label="the right text")
    near.hist(wrong, bins, alpha=0.6, label="a wrong one that was found first")
    near.set(xlabel="cosine with the query", ylabel="queries")
    near.legend(loc="upper left")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.savefig(path, dpi=110)
