"""Scores where a text may have several labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.evaluation import statistics
from tools.evaluation.f1_scores import f1_of, f1_wilson, mean_of
from tools.evaluation.resampling import RESAMPLES, interval, widened
from tools.evaluation.statistics import SEED, Floats, Interval


def several_scores(
    probabilities: Floats, truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """The measured fields of an `EvaluationResult`.

    Accuracy is the share of rows whose labels are all right and no more; the confusion matrix
    counts rows that have one label and were given the other.

    Args:
        probabilities: rows × labels.
        truth: which row has which label.
        predicted: which row was given which label.
        labels: the labels.
    """
    right = int((truth == predicted).all(axis=1).sum())
    accuracy = statistics.accuracy_interval(right, len(truth))
    counts = _counts(truth, predicted)
    macro, micro, by_label = f1_of_labels(counts, np.asarray(truth.any(axis=0)))
    hits, given, there = counts.sum(axis=0).T
    classes: list[dict[str, Any]] = [
        {
            "label": label,
            "precision": float(hits[i] / given[i]) if given[i] else 0.0,
            "recall": float(hits[i] / there[i]) if there[i] else 0.0,
            "f1": by_label[i].value,
            "support": int(there[i]),
            "f1_low": by_label[i].low,
            "f1_high": by_label[i].high,
        }
        for i, label in enumerate(labels)
    ]
    scored = [
        statistics.Scores(c["label"], c["precision"], c["recall"], c["f1"], c["support"])
        for c in classes
    ]
    pairs = np.stack([1 - probabilities.ravel(), probabilities.ravel()], axis=1)
    return {
        "rows": len(truth),
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "macro_f1": macro.value,
        "macro_f1_low": macro.low,
        "macro_f1_high": macro.high,
        "micro_f1": micro.value,
        "ece": statistics.calibration_error(pairs, truth.ravel().astype(np.int64)),
        "labels": [*labels],
        "confusion": (truth.astype(int).T @ predicted.astype(int)).tolist(),
        "classes": classes,
        "worst": statistics.worst_classes(scored),
    }


def f1_of_labels(
    counts: np.ndarray, there: np.ndarray
) -> tuple[Interval, Interval, list[Interval]]:
    """Macro-F1, micro-F1 and the F1 of every label, with their intervals.

    A label has Wilson's interval; the others the bootstrap's over rows, widened to what the counts
    leave open where hardly a row is wrong.

    Args:
        counts: rows × labels × (given rightly, given, there).
        there: which labels occur.
    """
    rng = np.random.default_rng(SEED)
    rows = len(counts)
    flat = counts.reshape(rows, -1).astype(np.float64)
    weights = rng.multinomial(rows, np.full(rows, 1 / rows), RESAMPLES).astype(np.float64)
    drawn = (weights @ flat).reshape(RESAMPLES, *counts.shape[1:])
    by_label = [_wilson(c) for c in counts.sum(axis=0)]
    there = there if there.any() else ~there
    macro = mean_of([by_label[i] for i in np.flatnonzero(there)])
    micro = _wilson(counts.sum(axis=(0, 1)))
    return (
        widened(interval(macro.value, _f1(drawn)[:, there].mean(axis=1)), macro),
        widened(interval(micro.value, _f1(drawn.sum(axis=1))), micro),
        by_label,
    )


def _f1(counts: np.ndarray) -> np.ndarray:
    hits, given, there = np.moveaxis(counts, -1, 0)
    return f1_of(hits, given + there)


def _wilson(counts: np.ndarray) -> Interval:
    hits, given, there = (int(n) for n in counts)
    return f1_wilson(hits, given + there)


def _counts(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.stack([truth & predicted, predicted, truth], axis=-1).astype(np.int64)
