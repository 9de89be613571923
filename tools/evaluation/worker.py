"""The computing process of an evaluation: `python -m tools.evaluation.worker spec.json`.

Reports progress and its result as `tools.kernel.child` says. Touches no database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.evaluation import statistics
from tools.evaluation.charts import draw_confusion
from tools.kernel.child import child_main, emit
from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from tools.evaluation.statistics import Floats, Ints
    from tools.training.export import Classifier

BATCH = 32
TIMED_ROWS = 100
WARM_UP_ROWS = 5


def carry_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Do the task that a spec names."""
    tasks = {"measure": measure, "compare": compare}
    return tasks[spec["task"]](spec)


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the rows with one classifier and with its untrained self.

    Args:
        spec: `folder` of the classifier, `rows` (JSON lines), `plot` and its `title`, and what the
            classifier was trained from: `base_model`, `parameters`.

    Returns:
        The measured fields of an `EvaluationResult`.
    """
    from tools.training.export import load_classifier

    texts, answers = read_rows(Path(spec["rows"]))
    classifier = load_classifier(Path(spec["folder"]))
    labels = [*classifier.labels]
    truth = indices(answers, labels)
    probabilities = predict(classifier, texts, 0.05, 0.6, "predicting")
    seconds = time_single_rows(classifier, texts)
    result = scores(probabilities, truth, labels)
    result["p50_ms"] = statistics.quantile_ms(seconds, 0.50)
    result["p95_ms"] = statistics.quantile_ms(seconds, 0.95)
    result["baseline_untrained"] = untrained_accuracy(spec, labels, texts, truth)
    draw_confusion(result["confusion"], labels, spec["title"], Path(spec["plot"]))
    return result


def compare(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the same rows with two classifiers and count who was right where.

    Args:
        spec: `folders` of the two classifiers, and `rows` (JSON lines).

    Returns:
        `first`, `second`, `only_first`, `only_second`: numbers of rows.
    """
    from tools.training.export import load_classifier

    texts, answers = read_rows(Path(spec["rows"]))
    right: list[Any] = []
    for number, folder in enumerate(spec["folders"]):
        classifier = load_classifier(Path(folder))
        truth = indices(answers, [*classifier.labels])
        at = 0.05 + 0.45 * number
        predicted = predict(classifier, texts, at, at + 0.45, f"model {number + 1} of 2")
        right.append(predicted.argmax(axis=1) == truth)
    first, second = right
    return {
        "first": int(first.sum()),
        "second": int(second.sum()),
        "only_first": int((first & ~second).sum()),
        "only_second": int((second & ~first).sum()),
    }


def scores(probabilities: Floats, truth: Ints, labels: Sequence[str]) -> dict[str, Any]:
    """Everything that follows from probabilities and true classes."""
    predicted = probabilities.argmax(axis=1)
    confusion = statistics.confusion_matrix(truth, predicted, len(labels))
    by_class = statistics.class_scores(confusion, labels)
    interval = statistics.accuracy_interval(int((predicted == truth).sum()), len(truth))
    return {
        "rows": len(truth),
        "accuracy": interval.value,
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "macro_f1": statistics.macro_f1(by_class),
        "ece": statistics.calibration_error(probabilities, truth),
        "labels": [*labels],
        "confusion": confusion.tolist(),
        "classes": [
            {
                "label": c.label,
                "precision": c.precision,
                "recall": c.recall,
                "f1": c.f1,
                "support": c.support,
            }
            for c in by_class
        ],
        "worst": statistics.worst_classes(by_class),
    }


def untrained_accuracy(
    spec: dict[str, Any], labels: Sequence[str], texts: Sequence[str], truth: Ints
) -> float:
    """Accuracy of the model as it was before the first training step.

    The encoder as published, under the head that the training drew from its seed.
    """
    from tools.training.export import untrained_classifier

    classifier = untrained_classifier(spec["base_model"], labels, spec["parameters"])
    predicted = predict(classifier, texts, 0.65, 0.98, "predicting with the untrained model")
    return float((predicted.argmax(axis=1) == truth).mean())


def predict(
    classifier: Classifier, texts: Sequence[str], start: float, end: float, message: str
) -> Floats:
    """Probabilities of every text, in batches of like length; reports progress."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.zeros((len(texts), len(classifier.labels)))
    for at in range(0, len(order), BATCH):
        batch = order[at : at + BATCH]
        found[batch] = classifier.probabilities([texts[i] for i in batch])
        share = min(at + BATCH, len(order)) / len(order)
        emit(progress=start + (end - start) * share, message=message)
    return found


def time_single_rows(classifier: Classifier, texts: Sequence[str]) -> list[float]:
    """Seconds of one text alone, tokenising included, for a spread sample of the texts."""
    step = max(1, len(texts) // TIMED_ROWS)
    sample = [*texts[::step]][:TIMED_ROWS]
    for text in sample[:WARM_UP_ROWS]:
        classifier.probabilities([text])
    seconds: list[float] = []
    for text in sample:
        began = time.perf_counter()
        classifier.probabilities([text])
        seconds.append(time.perf_counter() - began)
    return seconds


def read_rows(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def indices(answers: Sequence[str], labels: Sequence[str]) -> Ints:
    """The place of each answer among the labels.

    Raises:
        InvalidInput: if a label is not among them.
    """
    places = {label: place for place, label in enumerate(labels)}
    unknown = sorted(set(answers) - set(places))
    if unknown:
        raise InvalidInput(f"The model does not know the label {unknown[0]!r}.")
    return np.array([places[answer] for answer in answers], dtype=np.int64)


if __name__ == "__main__":
    child_main(carry_out)
