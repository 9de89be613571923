"""The computing process of an evaluation: `python -m tools.evaluation.worker spec.json`.

Reports progress and its result as `tools.kernel.child` says. Touches no database.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.evaluation import statistics
from tools.evaluation.charts import draw_confusion
from tools.evaluation.coding import THRESHOLD, Coding
from tools.evaluation.resampling import f1_intervals
from tools.kernel.child import child_main, emit
from tools.kernel.errors import OperationFailed
from tools.kernel.stillness import alone

if TYPE_CHECKING:
    from tools.evaluation.statistics import Floats, Ints
    from tools.training.export import Classifier

BATCH = 32
TIMED_ROWS = 100
WARM_UP_ROWS = 5
WORST_SLICES = 40


def carry_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Do the task that a spec names."""
    tasks = {"measure": measure, "compare": compare, "perturb": perturb_rows, "label": label_rows}
    return tasks[spec["task"]](spec)


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the rows with one classifier and with its untrained self.

    Args:
        spec: `folder` of the classifier, `rows` (JSON lines), `plot`, `reliability_plot` and their
            `title`, the file for the `predictions`, the `hourly_rate` of compute, and what the
            classifier was trained from: `base_model`, `parameters`.

    Returns:
        The measured fields of an `EvaluationResult`, and `alone` (`tools.kernel.stillness`).
    """
    from tools.training.export import load_classifier

    rows = read_rows(Path(spec["rows"]))
    texts = [row["text"] for row in rows]
    classifier = load_classifier(Path(spec["folder"]))
    coding = Coding(classifier)
    truth = coding.truth(rows)
    probabilities = predict(classifier, texts, 0.05, 0.6, "predicting")
    with alone() as timed:
        seconds = time_single_rows(classifier.probabilities, texts)
    result: dict[str, Any] = {
        **scored(coding, probabilities, rows, truth),
        **costs(seconds, spec["hourly_rate"]),
        "alone": timed.alone,
        **kept(rows, probabilities, coding, spec),
    }
    result["baseline_untrained"] = untrained_accuracy(spec, coding, texts, truth)
    draw_confusion(result["confusion"], coding.labels, spec["title"], Path(spec["plot"]))
    return result


def scored(
    coding: Coding, probabilities: Floats, rows: Sequence[dict[str, Any]], truth: Ints
) -> dict[str, Any]:
    """The scores of one class a text, or of several labels a text."""
    if not coding.several:
        return scores(probabilities, truth, coding.labels)
    from tools.evaluation.multilabel import several_scores

    given = probabilities > THRESHOLD
    return several_scores(probabilities, coding.matrix(rows), given, coding.labels)


def costs(seconds: Sequence[float], hourly_rate: float) -> dict[str, float]:
    """What predicting takes: latency of single rows, peak memory, money for a thousand of them."""
    return {
        "p50_ms": statistics.quantile_ms(seconds, 0.50),
        "p95_ms": statistics.quantile_ms(seconds, 0.95),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cost_per_1000": float(np.mean(seconds)) * 1000 / 3600 * hourly_rate,
    }


def kept(
    rows: Sequence[dict[str, Any]],
    probabilities: Floats,
    coding: Coding,
    spec: dict[str, Any],
) -> dict[str, Any]:
    """Write what was predicted row by row, and what follows from it: slices, reliability."""
    from tools.evaluation.calibration import calibration_of, draw_reliability
    from tools.evaluation.predictions import Predicted, write_predictions
    from tools.evaluation.slices import slice_scores

    if coding.several:
        given = probabilities > THRESHOLD
        answers, named = coding.names(coding.matrix(rows)), coding.names(given)
        sure = np.where(given, probabilities, 1 - probabilities).prod(axis=1)
    else:
        answers = [row["label"] for row in rows]
        named = [coding.labels[i] for i in probabilities.argmax(axis=1)]
        sure = probabilities.max(axis=1)
    made = [
        Predicted(row["text"], answer, name, float(p), row.get("extra", {}))
        for row, answer, name, p in zip(rows, answers, named, sure, strict=True)
    ]
    write_predictions(Path(spec["predictions"]), made)
    draw_reliability(calibration_of(made), spec["title"], Path(spec["reliability_plot"]))
    worst = slice_scores(made)[:WORST_SLICES]
    return {"worst_slices": [s.model_dump() for s in worst]}


def compare(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the same rows with two classifiers and count who was right where.

    Args:
        spec: `folders` of the two classifiers, and `rows` (JSON lines).

    Returns:
        `first`, `second`, `only_first`, `only_second`: numbers of rows.
    """
    from tools.training.export import load_classifier

    rows = read_rows(Path(spec["rows"]))
    texts = [row["text"] for row in rows]
    right: list[Any] = []
    for number, folder in enumerate(spec["folders"]):
        classifier = load_classifier(Path(folder))
        coding = Coding(classifier)
        truth = coding.truth(rows)
        at = 0.05 + 0.45 * number
        predicted = predict(classifier, texts, at, at + 0.45, f"model {number + 1} of 2")
        right.append(coding.predicted(predicted) == truth)
    first, second = right
    return {
        "first": int(first.sum()),
        "second": int(second.sum()),
        "only_first": int((first & ~second).sum()),
        "only_second": int((second & ~first).sum()),
    }


def label_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the rows with one classifier, for a comparison of many.

    Args:
        spec: `folder` of the classifier, `rows` (JSON lines), the `hourly_rate` of compute.

    Returns:
        The fields of a `contenders.Said` but for its name and kind.
    """
    from tools.training.export import load_classifier

    texts = [row["text"] for row in read_rows(Path(spec["rows"]))]
    classifier = load_classifier(Path(spec["folder"]))
    found = predict(classifier, texts, 0.05, 0.7, "predicting").argmax(axis=1)
    with alone() as timed:
        seconds = time_single_rows(classifier.probabilities, texts)
    taken = costs(seconds, spec["hourly_rate"])
    return {
        "labels": [classifier.labels[i] for i in found],
        "seconds": seconds,
        "cost_per_1000": taken["cost_per_1000"],
        "memory_mb": taken["memory_mb"],
        "alone": timed.alone,
    }


def perturb_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """Predict the rows as they are and with small changes that should not matter.

    Args:
        spec: `folder` of the classifier, and `rows` (JSON lines).

    Returns:
        The measured fields of a `Robustness`.
    """
    from tools.evaluation.perturb import KINDS
    from tools.evaluation.robustness import perturbed
    from tools.training.export import load_classifier

    rows = read_rows(Path(spec["rows"]))
    classifier = load_classifier(Path(spec["folder"]))
    coding = Coding(classifier)
    truth = coding.truth(rows)

    def predicted(texts: Sequence[str], number: int, what: str) -> Ints:
        share = 0.9 / (len(KINDS) + 1)
        start = 0.05 + share * number
        return coding.predicted(predict(classifier, texts, start, start + share, what))

    texts = [row["text"] for row in rows]
    plain = predicted(texts, 0, "predicting the texts as they are")
    kinds = [
        perturbed(kind, texts, truth, plain, lambda t, n=n, k=kind: predicted(t, n, k))
        for n, kind in enumerate(KINDS, 1)
    ]
    kinds.sort(key=lambda k: -k.drop)
    return {
        "rows": len(rows),
        "accuracy": float((plain == truth).mean()),
        "kinds": [k.model_dump() for k in kinds],
    }


def scores(probabilities: Floats, truth: Ints, labels: Sequence[str]) -> dict[str, Any]:
    """Everything that follows from probabilities and true classes."""
    predicted = probabilities.argmax(axis=1)
    confusion = statistics.confusion_matrix(truth, predicted, len(labels))
    by_class = statistics.class_scores(confusion, labels)
    macro, f1 = f1_intervals(confusion)
    interval = statistics.accuracy_interval(int((predicted == truth).sum()), len(truth))
    return {
        "rows": len(truth),
        "accuracy": interval.value,
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "macro_f1": macro.value,
        "macro_f1_low": macro.low,
        "macro_f1_high": macro.high,
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
                "f1_low": i.low,
                "f1_high": i.high,
            }
            for c, i in zip(by_class, f1, strict=True)
        ],
        "worst": statistics.worst_classes(by_class),
    }


def untrained_accuracy(
    spec: dict[str, Any], coding: Coding, texts: Sequence[str], truth: Ints
) -> float:
    """Accuracy of the model as it was before the first training step.

    The encoder as published, under the head that the training drew from its seed.
    """
    from tools.training.export import untrained_classifier

    classifier = untrained_classifier(spec["base_model"], coding.labels, spec["parameters"])
    outputs = predict(classifier, texts, 0.65, 0.98, "predicting with the untrained model")
    return float((coding.predicted(outputs) == truth).mean())


def predict(
    classifier: Classifier, texts: Sequence[str], start: float, end: float, message: str
) -> Floats:
    """Probabilities of every text, in batches of like length; reports progress.

    Raises:
        OperationFailed: if some are no finite numbers.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.zeros((len(texts), len(classifier.labels)))
    for at in range(0, len(order), BATCH):
        batch = order[at : at + BATCH]
        found[batch] = classifier.probabilities([texts[i] for i in batch])
        share = min(at + BATCH, len(order)) / len(order)
        emit(progress=start + (end - start) * share, message=message)
    refuse_no_numbers(found)
    return found


def refuse_no_numbers(probabilities: Floats) -> None:
    """Refuse probabilities of which some are no finite numbers: nothing follows from them.

    Raises:
        OperationFailed: saying of how many texts.
    """
    broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    if broken:
        raise OperationFailed(
            f"The model gives no finite probabilities for {broken} of {len(probabilities)} texts: "
            "its weights are no numbers any more (NaN).",
            hint="The training diverged; train it again at a lower learning rate.",
        )


def time_single_rows(answer: Callable[[list[str]], object], texts: Sequence[str]) -> list[float]:
    """Seconds of one text alone, tokenising included, for a spread sample of the texts."""
    step = max(1, len(texts) // TIMED_ROWS)
    sample = [*texts[::step]][:TIMED_ROWS]
    for text in sample[:WARM_UP_ROWS]:
        answer([text])
    seconds: list[float] = []
    for text in sample:
        began = time.perf_counter()
        answer([text])
        seconds.append(time.perf_counter() - began)
    return seconds


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows (`text`, `label`, `labels`, `extra`) of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    child_main(carry_out)
