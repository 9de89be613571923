"""The intent router beside plain logistic regression on the frozen encoder, on the same rows.

`OMP_NUM_THREADS=1 python -m benchmarks.router --train A.jsonl --test B.jsonl [--oos C.jsonl]
[--shots 5] [--seeds 0 1 2] [--json]` draws a few rows of each label with each seed (all of them
without `--shots`), trains both on them and prints the means over the seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphs.understanding.intent import Example, IntentRouter, read_examples, read_texts
from graphs.understanding.intent.measuring import area_under_curve, measure
from tools.kernel.embedding import get_embedder

_SHOWN = ("accuracy", "macro_f1", "oos_auroc", "oos_recall", "in_scope_accuracy_at_threshold")
_OURS = ("ece", "p50_ms", "p50_cpu_ms", "train_seconds", "train_cpu_seconds", "model_bytes")


def draw(examples: Sequence[Example], shots: int | None, seed: int) -> list[Example]:
    """`shots` rows of each label, or all rows."""
    if shots is None:
        return list(examples)
    random = np.random.default_rng(seed)
    shuffled = [examples[i] for i in random.permutation(len(examples))]
    taken: dict[str, list[Example]] = {}
    for example in shuffled:
        taken.setdefault(example.label, []).append(example)
    return [example for label in sorted(taken) for example in taken[label][:shots]]


def peer(train: Sequence[Example], test: Sequence[Example], outside: Sequence[str]) -> Any:
    """Logistic regression on frozen embeddings; it abstains by its highest probability.

    Its recall is read where 2.5 % of its right answers on the test rows are lost: a threshold
    that it could not know beforehand.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score

    embedder, began = get_embedder(), time.process_time()
    model = LogisticRegression(C=10.0, max_iter=500)
    model.fit(embedder.embed([e.text for e in train], 128), [e.label for e in train])
    spent = time.process_time() - began
    chances = model.predict_proba(embedder.embed([e.text for e in test], 128))
    truth = [e.label for e in test]
    found = model.classes_[chances.argmax(1)]
    right, sure = found == np.array(truth), chances.max(1)
    figures: dict[str, Any] = {
        "accuracy": float(right.mean()),
        "macro_f1": float(f1_score(truth, found, average="macro")),
        "train_cpu_seconds": spent,
    }
    if outside:
        strange = model.predict_proba(embedder.embed(outside, 128)).max(1)
        threshold = np.quantile(sure[right], 0.025)
        figures["oos_auroc"] = area_under_curve(sure, strange)
        figures["oos_recall"] = float((strange < threshold).mean())
        figures["in_scope_accuracy_at_threshold"] = float((right & (sure >= threshold)).mean())
    return figures


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The means over the seeds, of both."""
    examples, test = read_examples(options.train), read_examples(options.test)
    outside = read_texts(options.oos) if options.oos else []
    ours: list[Any] = []
    peers: list[Any] = []
    for seed in options.seeds:
        rows = draw(examples, options.shots, seed)
        ours.append(measure(IntentRouter.train(rows, seed=seed), test, outside))
        peers.append(peer(rows, test, outside))
        print(f"seed {seed}: {ours[-1]['accuracy']:.4f}", file=sys.stderr, flush=True)
    return {
        "shots": options.shots,
        "seeds": options.seeds,
        "test_rows": len(test),
        "oos_rows": len(outside),
        "router": _means(ours, (*_SHOWN, *_OURS)),
        "logistic_regression": _means(peers, (*_SHOWN, "train_cpu_seconds")),
    }


def _means(figures: Sequence[Any], names: Sequence[str]) -> dict[str, float]:
    return {
        name: round(statistics.fmean(f[name] for f in figures), 4)
        for name in names
        if figures[0].get(name) is not None
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router", description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--oos", type=Path)
    parser.add_argument("--shots", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    found = run(options)
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"{'':32}{'router':>12}{'frozen + LR':>14}")
    for name, value in found["router"].items():
        beside = found["logistic_regression"].get(name)
        print(f"{name:32}{value:>12,.4g}{'' if beside is None else f'{beside:>14,.4g}'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
