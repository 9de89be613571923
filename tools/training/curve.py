"""The picture of a training: loss by step and by epoch, accuracy by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SMOOTH = 8


def draw_curve(curve: dict[str, Any], path: Path) -> None:
    """Draw `curve.json`'s content as a PNG.

    Args:
        curve: `epochs` (scores by epoch, from 0) and `steps` (step, loss, learning rate).
        path: the file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epochs, steps = curve["epochs"], curve["steps"]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    per_epoch = max(1, len(steps)) / max(1, epochs[-1]["epoch"])
    losses = [loss for _, loss, _ in steps]
    left.plot([s / per_epoch for s, _, _ in steps], _smooth(losses), label="training", alpha=0.6)
    numbers = [e["epoch"] for e in epochs]
    left.plot(numbers, [e["validation_loss"] for e in epochs], marker="o", label="validation")
    left.set(xlabel="epoch", ylabel="cross-entropy", title="loss")
    left.legend()
    right.plot(numbers, [e["validation_accuracy"] for e in epochs], marker="o", color="tab:green")
    right.set(xlabel="epoch", ylabel="share right", title="validation accuracy", ylim=(0, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _smooth(values: list[float]) -> list[float]:
    windows = (values[max(0, i - _SMOOTH + 1) : i + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]
