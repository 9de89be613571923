"""Counting what was answered: requests, errors, labels, confidence, latency."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.inputs import InputCounts
from edge.runtime import Prediction
from edge.wire import Assignment

_LATENCIES = 512


@dataclass(slots=True)
class _Totals:
    assignment: Assignment
    requests: int = 0
    errors: int = 0
    confidence_sum: float = 0.0
    compared: int = 0
    agreed: int = 0
    labels: Counter[str] = field(default_factory=Counter[str])
    inputs: InputCounts | None = None


class Counters:
    """Totals since the program started, for each bundle; thread-safe.

    Args:
        inputs: True to count also how long inputs are, what class a word of each is in, and where
            they lie among others.
    """

    def __init__(self, inputs: bool = False) -> None:
        self._inputs = inputs
        self._lock = threading.Lock()
        self._totals: dict[str, _Totals] = {}
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)

    def answered(
        self, assignment: Assignment, predictions: Sequence[Prediction], milliseconds: float
    ) -> None:
        """Count texts that were answered in one request that took so long."""
        with self._lock:
            totals = self._of(assignment)
            totals.requests += len(predictions)
            for prediction in predictions:
                totals.labels[prediction.label] += 1
                totals.confidence_sum += prediction.confidence
            self._latencies.append(milliseconds)

    def asked(
        self, assignment: Assignment, texts: Sequence[str], found: Sequence[Prediction]
    ) -> None:
        """Count what was asked, where that is wanted."""
        if not self._inputs:
            return
        with self._lock:
            totals = self._of(assignment)
            totals.inputs = totals.inputs or InputCounts()
            for text, prediction in zip(texts, found, strict=True):
                totals.inputs.add(text, prediction.place)

    def failed(self, assignment: Assignment, texts: int) -> None:
        """Count texts that a model failed to answer."""
        with self._lock:
            totals = self._of(assignment)
            totals.requests += texts
            totals.errors += texts

    def compared(self, assignment: Assignment, texts: int, agreed: int) -> None:
        """Count texts on which a model that answers nobody was compared with the one that did."""
        with self._lock:
            totals = self._of(assignment)
            totals.compared += texts
            totals.agreed += agreed

    def traffic(self) -> list[dict[str, Any]]:
        """The totals of every bundle, as a report carries them."""
        with self._lock:
            return [
                {
                    "bundle": t.assignment.bundle,
                    "model": t.assignment.model,
                    "version": t.assignment.version,
                    "requests": t.requests,
                    "errors": t.errors,
                    "confidence_sum": round(t.confidence_sum, 6),
                    "compared": t.compared,
                    "agreed": t.agreed,
                    "labels": dict(t.labels),
                    **({"inputs": t.inputs.told()} if t.inputs else {}),
                }
                for t in self._totals.values()
            ]

    def latency(self, share: float) -> float | None:
        """The latency in ms below which this share (0 to 1) of the last requests stayed."""
        with self._lock:
            ordered = sorted(self._latencies)
        if not ordered:
            return None
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)

    def _of(self, assignment: Assignment) -> _Totals:
        return self._totals.setdefault(assignment.bundle, _Totals(assignment))
