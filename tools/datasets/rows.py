"""What is unusual about the texts of a dataset: repeated ones, none held out, equal sides."""

from __future__ import annotations

from collections.abc import Sequence

from tools.datasets.columns import Row
from tools.datasets.problems import listed
from tools.datasets.splits import normalise


def repeated(rows: Sequence[Row], duplicates: int) -> list[str]:
    """A warning if more than half of the rows repeat an earlier text.

    Args:
        rows: all rows.
        duplicates: how many of them repeat one.
    """
    if duplicates * 2 <= len(rows):
        return []
    different = len(rows) - duplicates
    are = "is only 1 different text" if different == 1 else f"are only {different} different texts"
    return [f"{duplicates} of {len(rows)} rows repeat an earlier text: there {are}."]


def not_held_out(rows: Sequence[Row], source: str) -> list[str]:
    """A warning of splits that have no rows: given so, or the rows are too few or too alike.

    Args:
        rows: all rows.
        source: what gave them their splits.
    """
    present = {row.split for row in rows}
    missing = [name for name in ("train", "validation", "test") if name not in present]
    if not missing or source == "test-only":
        return []
    told = f"There are no {' and no '.join(missing)} rows"
    if "train" in missing:
        held_out = "models can be judged on them, but none can be trained on them"
        return [f"{told}: {held_out}."]
    return [
        f"{told}, because too few texts differ: three are "
        "needed, of one class where there are classes. Training and evaluation need them."
    ]


def equal_sides(rows: Sequence[Row]) -> list[str]:
    """Warnings of pairs and triplets that teach nothing: two of their texts are the same."""
    warnings: list[str] = []
    for a, b in (("positive", "anchor"), ("negative", "positive"), ("negative", "anchor")):
        both = (row for row in rows if a in row.extra and b in row.extra)
        places = [r.place for r in both if normalise(r.extra[a]) == normalise(r.extra[b])]
        if places:
            rows_have = "row has" if len(places) == 1 else "rows have"
            warnings.append(f"{len(places)} {rows_have} a {a} equal to the {b} ({listed(places)}).")
    return warnings
