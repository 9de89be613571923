"""How far a live sample has moved from a reference, and whether by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.evaluation.drift_types import Level, Shift
from tools.evaluation.statistics import SEED, Floats

CHANCE = 0.01
"""A shift counts only if it would happen by chance less often than this."""
PSI_NOTICE, PSI_ALARM = 0.1, 0.25
"""The usual bounds of the population stability index (Siddiqi 2006, "Credit Risk Scorecards")."""
MMD_ALARM = 0.02
_PERMUTATIONS = 300


def psi(reference: Sequence[float], live: Sequence[float]) -> float:
    """Population stability index: sum of (q - p) ln(q / p) over bins; half a row is added to each.

    Args:
        reference: rows in each bin.
        live: rows in each of the same bins.
    """
    p, q = (np.asarray(counts, dtype=np.float64) + 0.5 for counts in (reference, live))
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def homogeneity(reference: Sequence[float], live: Sequence[float]) -> float:
    """P-value of the chi-square test that both counts come from one distribution."""
    from scipy.stats import chi2_contingency

    table = np.array([reference, live], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    found: Any = chi2_contingency(table)
    return float(found.pvalue)


def counts_shift(what: str, reference: Mapping[str, float], live: Mapping[str, float]) -> Shift:
    """The shift between two counts by name: the index and the chi-square test together.

    With few rows the index is large by chance alone, so a shift must also be significant.
    """
    names = sorted({*reference, *live})
    before = [reference.get(n, 0) for n in names]
    after = [live.get(n, 0) for n in names]
    index, chance = psi(before, after), homogeneity(before, after)
    moved = _most_moved(names, before, after)
    return Shift.model_validate(
        {
            "what": what,
            "statistic": index,
            "p_value": chance,
            "level": _level(index, chance, PSI_NOTICE, PSI_ALARM),
            "told": f"{what}: PSI {index:.3f}, p = {chance:.2g}; {moved}",
        }
    )


def _most_moved(names: Sequence[str], before: Sequence[float], after: Sequence[float]) -> str:
    p, q = np.asarray(before) / max(sum(before), 1), np.asarray(after) / max(sum(after), 1)
    place = int(np.abs(q - p).argmax())
    return f"most moved is {names[place]}, from {p[place]:.0%} to {q[place]:.0%}"


def embedding_shift(reference: Floats, live: Floats) -> Shift:
    """Maximum mean discrepancy between two sets of embeddings, with its permutation test.

    Gretton et al. 2012, "A Kernel Two-Sample Test": a Gaussian kernel whose width is the median
    distance; the p-value is the share of random splits that differ as much.

    Args:
        reference: rows × dimensions.
        live: rows × dimensions.
    """
    both = np.concatenate([reference, live])
    squares = (both**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * both @ both.T, 0)
    width = float(np.median(distances[np.triu_indices(len(both), 1)])) or 1.0
    kernel = np.exp(-distances / width)
    rng = np.random.default_rng(SEED)
    first = np.arange(len(both)) < len(reference)
    found = _mmd(kernel, first)
    drawn = [_mmd(kernel, rng.permutation(first)) for _ in range(_PERMUTATIONS)]
    chance = (1 + sum(d >= found for d in drawn)) / (1 + _PERMUTATIONS)
    return Shift(
        what="embeddings",
        statistic=found,
        p_value=chance,
        level=_level(found, chance, 0.0, MMD_ALARM),
        told=f"embeddings: MMD² {found:.4f}, p = {chance:.2g}",
    )


def _mmd(kernel: Floats, first: np.ndarray) -> float:
    """The unbiased estimate; it may be a little below 0."""
    n, m = int(first.sum()), int((~first).sum())
    sign = np.where(first, 1 / n, -1 / m)
    within = kernel[np.ix_(first, first)].sum() - n, kernel[np.ix_(~first, ~first)].sum() - m
    across = sign @ kernel @ sign - (within[0] + n) / n**2 - (within[1] + m) / m**2
    return float(within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) + across)


def accuracy_shift(before: tuple[int, int], after: tuple[int, int]) -> Shift:
    """Accuracy lost between the reference and labelled live rows; Fisher's exact test.

    Args:
        before: right answers and rows of the reference.
        after: the same of the live sample.
    """
    from scipy.stats import fisher_exact

    table = [[right, rows - right] for right, rows in (before, after)]
    tested: Any = fisher_exact(table, alternative="greater")
    chance = float(tested.pvalue)
    lost = before[0] / before[1] - after[0] / after[1]
    return Shift(
        what="accuracy",
        statistic=lost,
        p_value=chance,
        level=_level(lost, chance, 0.0, 0.05),
        told=f"accuracy: {before[0] / before[1]:.1%} before, {after[0] / after[1]:.1%} now, "
        f"p = {chance:.2g}",
    )


def worst(shifts: Sequence[Shift]) -> Level:
    """The worst level of any shift."""
    levels: tuple[Level, ...] = ("alarm", "notice", "none")
    found: list[Level] = [s.level for s in shifts]
    return min(found, key=levels.index) if found else "none"


def _level(size: float, chance: float, notice: float, alarm: float) -> Level:
    if chance >= CHANCE or size <= notice:
        return "none"
    return "alarm" if size > alarm else "notice"
