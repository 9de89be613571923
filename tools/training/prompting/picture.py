"""A search for a prompt as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from tools.training.prompting.types import PromptTrial

_WIDE = 60


def table(trials: Sequence[PromptTrial], metric: str) -> str:
    """The prompts as a text table, best first."""
    head = f"| prompt | {metric} | examples | instruction |\n|---|---|---|---|"
    lines = [head]
    for trial in sorted(trials, key=lambda t: (-t.value, t.number)):
        told = " ".join(trial.instruction.replace("|", "/").split()) or "(none)"
        short = told if len(told) <= _WIDE else f"{told[: _WIDE - 1]}…"
        lines.append(f"| {trial.number} | {trial.value:.3f} | {trial.examples} | {short} |")
    return "\n".join(lines)


def draw(trials: Sequence[PromptTrial], metric: str, path: Path) -> None:
    """Draw what each prompt reached on the validation split as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    numbers, values = [t.number for t in trials], [t.value for t in trials]
    axes.axhline(values[0], linestyle=":", color="grey", label="starting prompt")
    axes.step(numbers, list(accumulate(values, max)), where="post", label="best so far")
    points = axes.scatter(numbers, values, c=[t.examples for t in trials])
    figure.colorbar(points, label="worked examples")
    axes.set(xlabel="prompt", ylabel=f"{metric} on the validation split")
    axes.legend()
    figure.savefig(path, dpi=110, metadata={"Software": None})
