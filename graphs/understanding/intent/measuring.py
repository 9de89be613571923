"""How good a router is: accuracy, calibration, abstention, latency and size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphs.understanding.intent.examples import Example, check_labels
from graphs.understanding.intent.intent_router import IntentRouter, Prediction

_BINS = 15
_WARM_UP = 5


def measure(
    router: IntentRouter, test: Sequence[Example], outside: Sequence[str] = ()
) -> dict[str, Any]:
    """The figures of a router on rows that it has not seen.

    Args:
        router: what is measured.
        test: labelled rows in scope.
        outside: texts out of scope; without them their figures are None.

    Raises:
        InvalidInput: if a row has a label that the router never learnt.
    """
    check_labels(test, set(router.labels), "The test data")
    router.predict([row.text for row in test[:_WARM_UP]])
    found, wall, cpu = _timed(router, [row.text for row in test])
    right = np.array([p.label == row.label for p, row in zip(found, test, strict=True)])
    answered = np.array([not p.abstain for p in found])
    strangers, _, _ = _timed(router, outside)
    facts = router.facts
    return {
        "accuracy": _rounded(right.mean()),
        "macro_f1": _rounded(_macro_f1(found, test)),
        "oos_auroc": area_under_curve([p.score for p in found], [p.score for p in strangers])
        if strangers
        else None,
        "oos_recall": _rounded(np.mean([p.abstain for p in strangers])) if strangers else None,
        "in_scope_accuracy_at_threshold": _rounded((right & answered).mean()),
        "in_scope_answered": _rounded(answered.mean()),
        "ece": _rounded(_calibration_error(np.array([p.probability for p in found]), right)),
        "p50_ms": round(float(np.percentile(wall, 50)), 2),
        "p95_ms": round(float(np.percentile(wall, 95)), 2),
        "p50_cpu_ms": round(float(np.percentile(cpu, 50)), 2),
        "train_seconds": facts["train_seconds"],
        "train_cpu_seconds": facts["train_cpu_seconds"],
        "model_bytes": router.size(),
        "threshold": _rounded(router.threshold),
        "rows": {"train": facts["rows"], "test": len(test), "oos": len(outside)},
        "labels": len(router.labels),
        "seed": facts["seed"],
        "steps": facts["steps"],
    }


def _timed(
    router: IntentRouter, texts: Sequence[str]
) -> tuple[list[Prediction], list[float], list[float]]:
    found: list[Prediction] = []
    wall: list[float] = []
    cpu: list[float] = []
    for text in texts:
        began, worked = time.perf_counter(), time.thread_time()
        found += router.predict([text])
        cpu.append(1000 * (time.thread_time() - worked))
        wall.append(1000 * (time.perf_counter() - began))
    return found, wall, cpu


def _macro_f1(found: Sequence[Prediction], test: Sequence[Example]) -> float:
    scores: list[float] = []
    for label in sorted({row.label for row in test}):
        pairs = [(p.label == label, row.label == label) for p, row in zip(found, test, strict=True)]
        hit = sum(a and b for a, b in pairs)
        scores.append(2 * hit / (sum(a for a, _ in pairs) + sum(b for _, b in pairs)))
    return float(np.mean(scores))


def area_under_curve(inside: Any, outside: Any) -> float:
    """AUROC: the chance that a row in scope scores higher than one out of scope.

    Args:
        inside: scores of rows in scope.
        outside: scores of rows out of scope.
    """
    low, high = np.sort(np.asarray(outside)), np.asarray(inside)
    below = np.searchsorted(low, high, side="left")
    even = np.searchsorted(low, high, side="right") - below
    return _rounded(float((below + even / 2).sum()) / (len(low) * len(high)))


def _calibration_error(chances: Any, right: Any) -> float:
    """Expected calibration error over bins of equal width."""
    bins = np.minimum((chances * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(chances[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def _rounded(value: Any) -> float:
    return round(float(value), 4)
