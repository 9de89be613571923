"""What every evaluation and every comparison answers, whatever the models are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.evaluation.report_types import SliceScore
from tools.kernel.operations import Result


class ClassScore(Result):
    """How one class came out.

    Attributes:
        label: the class.
        precision: of the rows given this label, the fraction that have it.
        recall: of the rows that have this label, the fraction that were given it.
        f1: harmonic mean of both.
        support: rows that have this label.
        f1_low: lower end of its 95 % interval (Wilson's).
        f1_high: upper end of it.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    f1_low: float | None = None
    f1_high: float | None = None


class Measured(Result):
    """A model measured on rows that it was not trained on.

    Attributes:
        id: number of the stored result.
        model: name of the model; of the training where it is not registered.
        version: its version, if registered.
        job: the training job that made it.
        run_id: the MLflow run whose metrics carry the result.
        dataset: the dataset, with its version.
        split: the part of it.
        period: the time that its rows are from; None for all of them.
        rows: how many rows were predicted.
        accuracy: fraction of rows predicted right.
        accuracy_low: lower end of the 95 % bootstrap interval over rows.
        accuracy_high: upper end of it.
        macro_f1: mean F1 over the classes that occur in the rows.
        baseline_majority: accuracy of always answering the training split's commonest class; None
            of an embedding.
        baseline_untrained: accuracy of the encoder as published, with the head that the training
            started from (drawn at random from the training's seed): the model before any step.
        ece: expected calibration error over 15 equal-width bins of the top probability, 0 to 1.
        p50_ms: median time of one row alone, tokenising included, in milliseconds.
        p95_ms: 95th percentile of the same.
        labels: the classes, in the order of the confusion matrix.
        confusion: counts; row = the true class, column = the predicted one.
        classes: scores by class.
        worst: the classes with the lowest F1, worst first.
        plot: path of the drawn confusion matrix; of an embedding, of what is found where.
        overlap: rows whose text the training saw (left out of every number above).
        nearly_seen: rows that nearly repeat one of another dataset that the training saw (counted).
        skipped: rows whose label the model does not know (left out too).
        warnings: what a reader must know.
        macro_f1_low: lower end of macro-F1's 95 % interval.
        macro_f1_high: upper end of it.
        micro_f1: F1 over all labels together, where a text may have several.
        memory_mb: peak memory of the process that predicted, in MiB.
        cost_per_1000: money that a thousand single predictions cost at the configured rate.
        worst_slices: by class, length and column, those that are worst, worst first.
        predictions: path of what was predicted, row by row.
        reliability_plot: path of the drawn reliability diagram.
        task: `embedding`, or `classification` with one or several labels a text.
    """

    id: int = 0
    model: str
    version: int | None = None
    job: int | None = None
    run_id: str | None = None
    dataset: str
    split: str
    rows: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float | None = None
    baseline_majority: float | None = None
    baseline_untrained: float | None = None
    ece: float | None = None
    p50_ms: float
    p95_ms: float
    labels: list[str] = Field(default_factory=list)
    confusion: list[list[int]] = Field(default_factory=list[list[int]])
    classes: list[ClassScore] = Field(default_factory=list[ClassScore])
    worst: list[str] = Field(default_factory=list)
    plot: str | None = None
    overlap: int = 0
    nearly_seen: int = 0
    skipped: int = 0
    period: str | None = None
    warnings: list[str] = Field(default_factory=list)
    macro_f1_low: float | None = None
    macro_f1_high: float | None = None
    micro_f1: float | None = None
    memory_mb: float | None = None
    cost_per_1000: float | None = None
    worst_slices: list[SliceScore] = Field(default_factory=list[SliceScore])
    predictions: str | None = None
    reliability_plot: str | None = None
    task: Literal["classification", "embedding"] = "classification"


class Compared(Result):
    """Two models on the same rows.

    Attributes:
        id: number of the stored comparison.
        model: the first model.
        version: its version.
        other_model: the second model.
        other_version: its version.
        dataset: the dataset, with its version.
        split: the part of it.
        period: the time that its rows are from; None for all of them.
        rows: how many rows both predicted.
        accuracy: of the first.
        other_accuracy: of the second.
        difference: the first's accuracy minus the second's.
        difference_low: lower end of its 95 % interval, paired by row (Tango's score).
        difference_high: upper end of it.
        only_first: rows that only the first got right.
        only_second: rows that only the second got right.
        p_value: of the exact two-sided McNemar test on those two counts.
        better: which is better, `neither` if the difference may be chance (p >= 0.05).
        verdict: the same in one sentence.
        warnings: what a reader must know.
        rows_needed: rows that it would take to see a difference of this size; None if it is 0.
        smallest_seen: the smallest difference that these rows show four times in five, 0 to 1;
            None if they are too few to show any.
    """

    id: int = 0
    model: str
    version: int
    other_model: str
    other_version: int
    dataset: str
    split: str
    rows: int
    accuracy: float
    other_accuracy: float
    difference: float
    difference_low: float
    difference_high: float
    only_first: int
    only_second: int
    p_value: float
    better: Literal["first", "second", "neither"]
    verdict: str
    period: str | None = None
    warnings: list[str] = Field(default_factory=list)
    rows_needed: int | None = None
    smallest_seen: float | None = None
