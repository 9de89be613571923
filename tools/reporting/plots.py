"""The reports' pictures, drawn from the same figures as the text."""

from __future__ import annotations

from pathlib import Path

from tools.reporting.figures import Sheet

_BARS = {
    "accuracy": [
        ("accuracy_1", "model"),
        ("baseline_untrained_1", "before training"),
        ("baseline_majority_1", "commonest class"),
    ],
    "money": [("saved", "time saved (assumed)"), ("cost", "compute (measured)")],
}
_TITLES = {"accuracy": "Accuracy on rows not seen before", "money": "Saved and spent"}


def draw(kind: str, sheet: Sheet, path: Path) -> bool:
    """Draw a bar chart as PNG; False, and no file, if fewer than two figures are there.

    Args:
        kind: `accuracy` or `money`.
        sheet: where the bars' lengths come from.
        path: the file to write.
    """
    bars = [(label, sheet.value(id), id) for id, label in _BARS[kind] if sheet.has(id)]
    if len(bars) < 2:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 0.6 + 0.6 * len(bars)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.barh([b[0] for b in bars], [b[1] for b in bars], color="#2f6f8f")
    axes.bar_label(drawn, [sheet.figure(b[2]).shown for b in bars], padding=4)
    axes.invert_yaxis()
    axes.set_title(_TITLES[kind], loc="left", fontsize=11)
    axes.set_xlim(0, 1.25 * max(b[1] for b in bars))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    return True
