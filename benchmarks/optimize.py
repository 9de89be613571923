"""What shrinking the bundled tickets' model saves and costs, each variant in its own runtime.

`OMP_NUM_THREADS=1 python -m benchmarks.optimize [--targets onnx-int8,student] [--json]`
trains a ticket router on the bundled tickets in a home of its own, registers it, shrinks it through
the gate as anybody would, and prints the table; with `--json` the figures, of which `cost_ratio`
(latency × memory), `size_ratio` and `metric_loss` (points of accuracy, with its 95 % interval) are
against the parent in torch, and `cost_ratio_to_onnx` against the same graph in ONNX fp32.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

AIM_COST = 0.5
AIM_LOSS = 1.0
_HOURS = 3 * 3600.0
_EVERY = "onnx,onnx-int8,onnx-static-int8,openvino-int8,executorch-int8,pruned,student"


def finished(kernel: Kernel, operation: str, **arguments: Any) -> dict[str, Any]:
    """The result of a job that is run to its end.

    Raises:
        SystemExit: if it failed; says why.
    """
    context = RequestContext(kernel.principals.local())
    outcome = kernel.gate.call(operation, arguments, context)
    if outcome.job is None:
        return outcome.result.model_dump(mode="json")
    row = kernel.jobs.wait(outcome.job, timeout=_HOURS)
    if row.status != "done" or row.result is None:
        sys.exit(f"{operation} is {row.status}: {(row.error or {}).get('message')}")
    return row.result


def run(home: Path, targets: str, epochs: int, threads: int) -> dict[str, Any]:
    """Train, register and shrink in a home; answers with the job's result."""
    kernel = Kernel(Settings(home=home, threads=threads))
    kernel.start()
    try:
        trained = finished(kernel, "training.start", dataset="tickets", epochs=epochs)
        model = finished(kernel, "registry.register", job=trained["job"])["model"]
        # No limit: a benchmark shows what loses too much as well.
        return finished(
            kernel, "training.optimize", model=model, targets=targets, max_loss_points=100
        )
    finally:
        kernel.stop()


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The figures of a result by variant, and which reach the aim."""
    plain = next((v for v in result["variants"] if v["variant"] == "onnx"), None)
    variants: dict[str, Any] = {}
    for one in result["variants"]:
        if one["error"] is not None:
            variants[one["variant"]] = {"error": one["error"]}
            continue
        beside = None
        if plain is not None and plain["error"] is None:
            beside = round(one["cost_ratio"] / plain["cost_ratio"], 4)
        best = min(one["cost_ratio"], one["size_ratio"])
        variants[one["variant"]] = {
            "cost_ratio": one["cost_ratio"],
            "size_ratio": one["size_ratio"],
            "cost_ratio_to_onnx": beside,
            "metric_loss": {
                "points": one["loss_points"],
                "low": one["loss_low"],
                "high": one["loss_high"],
            },
            "agreement": one["agreement"],
            "p50_ms": one["p50_ms"],
            "p95_ms": one["p95_ms"],
            "memory_mb": one["memory_mb"],
            "reaches_aim": best <= AIM_COST and one["loss_points"] <= AIM_LOSS,
        }
    return {
        "model": result["model"],
        "dataset": result["dataset"],
        "rows": result["rows"],
        "parent_accuracy": result["parent"]["accuracy"],
        "variants": variants,
        "recommendations": {r["profile"]: r["variant"] for r in result["recommendations"]},
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", default=_EVERY, help="comma-separated")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        result = run(Path(home), args.targets, args.epochs, args.threads)
    found = summary(result)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print(result["table"])
    for profile, variant in found["recommendations"].items():
        print(f"{profile}: {variant}")


if __name__ == "__main__":
    main()
