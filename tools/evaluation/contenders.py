"""From what several models said of the same rows to one table and the differences that are real."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from tools.evaluation import statistics
from tools.evaluation.frontier_types import Contender, Difference
from tools.evaluation.resampling import holm

UNREADABLE = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What one model said of every row, and what that took.

    Attributes:
        name: the model.
        kind: registered, or external.
        labels: one label a row; empty where none could be read.
        seconds: times of single rows.
        cost_per_1000: money for a thousand rows.
        memory_mb: peak memory of its process.
        alone: whether other computing processes stood still while it was timed, if that is known.
        ranks: of an embedding, whose labels are the texts that it found, `recall_at_5` and `mrr`.
    """

    name: str
    kind: Literal["registered", "external"]
    labels: Sequence[str]
    seconds: Sequence[float]
    cost_per_1000: float
    memory_mb: float | None = None
    alone: bool | None = None
    ranks: Mapping[str, float] = field(default_factory=dict[str, float])


def contenders(truth: Sequence[str], said: Sequence[Said]) -> list[Contender]:
    """The table, best first; nobody is `best` before the differences are known.

    Args:
        truth: the true label of every row.
        said: what each model said.
    """
    found = [_contender(truth, one) for one in said]
    return sorted(found, key=lambda c: (-c.accuracy, c.cost_per_1000, c.name))


def _contender(truth: Sequence[str], said: Said) -> Contender:
    right = sum(a == b for a, b in zip(truth, said.labels, strict=True))
    interval = statistics.accuracy_interval(right, len(truth))
    return Contender(
        name=said.name,
        kind=said.kind,
        accuracy=interval.value,
        low=interval.low,
        high=interval.high,
        macro_f1=None if said.ranks else _macro_f1(truth, said.labels),
        recall_at_5=said.ranks.get("recall_at_5"),
        mrr=said.ranks.get("mrr"),
        p50_ms=statistics.quantile_ms(said.seconds, 0.5),
        p95_ms=statistics.quantile_ms(said.seconds, 0.95),
        memory_mb=said.memory_mb,
        cost_per_1000=said.cost_per_1000,
        unreadable=sum(label == UNREADABLE for label in said.labels),
    )


def _macro_f1(truth: Sequence[str], labels: Sequence[str]) -> float:
    from sklearn.metrics import f1_score

    classes = sorted(set(truth))
    return float(f1_score(truth, labels, labels=classes, average="macro", zero_division=0))  # pyright: ignore[reportArgumentType]


def differences(truth: Sequence[str], said: Sequence[Said]) -> list[Difference]:
    """Every pair, the surest first; p-values are corrected for all pairs (Holm)."""
    right = {s.name: np.asarray(s.labels) == np.asarray(truth) for s in said}
    pairs = list(combinations(right, 2))
    counted = [_counts(right[a], right[b]) for a, b in pairs]
    corrected = holm([statistics.mcnemar(*counts) for counts in counted])
    found = [
        _difference(a, b, counts, len(truth), p_value)
        for (a, b), counts, p_value in zip(pairs, counted, corrected, strict=True)
    ]
    return sorted(found, key=lambda d: (d.p_value, -d.difference))


def crowned(table: Sequence[Contender], pairs: Sequence[Difference]) -> list[Contender]:
    """The table with those marked than which no other is really better."""
    beaten = {d.second for d in pairs if d.real}
    return [c.model_copy(update={"best": c.name not in beaten}) for c in table]


def _counts(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    return int((first & ~second).sum()), int((second & ~first).sum())


def _difference(
    first: str, second: str, counts: tuple[int, int], rows: int, p_value: float
) -> Difference:
    if counts[0] < counts[1]:
        first, second, counts = second, first, (counts[1], counts[0])
    ends = statistics.difference_interval(*counts, rows)
    return Difference(
        first=first,
        second=second,
        difference=ends.value,
        low=ends.low,
        high=ends.high,
        p_value=p_value,
        real=p_value < 0.05,
    )


def read_label(answer: str, labels: Sequence[str]) -> str:
    """The label that a language model's answer names; none if it names none, or several.

    Args:
        answer: what it said.
        labels: the labels.
    """
    plain = _plain(answer.splitlines()[0] if answer.strip() else "")
    by_plain = {_plain(label): label for label in labels}
    if plain in by_plain:
        return by_plain[plain]
    named = {
        label
        for text, label in by_plain.items()
        if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", _plain(answer))
    }
    longest = {n for n in named if not any(n != o and _plain(n) in _plain(o) for o in named)}
    return longest.pop() if len(longest) == 1 else UNREADABLE


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())


def instruction(labels: Sequence[str]) -> str:
    """What a language model is told that classifies."""
    return (
        "Classify the user's text into exactly one of these labels: "
        f"{', '.join(labels)}. Answer with the label only, spelt exactly as given."
    )
