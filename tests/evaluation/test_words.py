"""What was measured is said in words that people read."""

from __future__ import annotations

from typing import Any

from tools.evaluation.language_operations import run_benchmark
from tools.evaluation.language_types import BenchmarkResult, RunBenchmark
from tools.evaluation.operations import run_evaluation
from tools.evaluation.types import EvaluationResult, RunEvaluation


def test_measures_of_the_harness_are_told_in_words_each_with_its_error() -> None:
    told: dict[str, Any] = {
        "model": "qa-writer",
        "version": 1,
        "rows": 20,
        "harness": "lm-eval",
        "dataset": "towns@1",
        "metrics": {"exact_match,none": 0.95, "exact_match_stderr,none": 0.0489, "sample_len": 20},
    }
    result = BenchmarkResult.model_construct(**told)
    said = run_benchmark.hooks["says"](RunBenchmark.model_construct(dataset="towns"), result)
    assert said == "qa-writer v1 on 20 rows of towns@1 by lm-eval: exact match 0.95 ± 0.049."


def test_right_of_several_labels_means_all_of_them_and_a_baseline_says_what_it_is() -> None:
    told: dict[str, Any] = {
        **{"model": "tags", "version": 1, "dataset": "posts@1", "split": "test", "rows": 30},
        **{"accuracy": 0.8667, "accuracy_low": 0.7, "accuracy_high": 0.95, "micro_f1": 0.9},
        **{"baseline_majority": 0.3, "baseline_untrained": 0.33},
    }
    say, args = run_evaluation.hooks["says"], RunEvaluation.model_construct(model="tags")
    said = say(args, EvaluationResult.model_construct(**told))
    assert "gets 86.7% of the texts exactly right, all labels, on 30 test rows" in said
    assert "untrained 33.0% with a head drawn from the training's seed" in said
    one = say(args, EvaluationResult.model_construct(**told | {"micro_f1": None}))
    assert "gets 86.7% right on 30" in one
