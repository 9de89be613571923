"""Which operation a sentence asks for: Pilothouse's router beside semantic-router, in one run.

    python -m benchmarks.routing --prepare       once: semantic-router into build/semantic-router
    OMP_NUM_THREADS=1 python -m benchmarks.routing [--json]

Both learn from the same sentences, use the same int8 encoder on one thread, and are asked the same:
the one-step sentences of the evaluation set and those that must be refused, names masked by their
kinds. semantic-router runs with its default aggregation (mean) and with `max`; what must be refused
is a route of its own, as for ours. Right means the expected operation, or none where none is meant.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.parse_eval import DATASETS, load
from graphs.understanding import Understanding
from graphs.understanding.clause import Clause
from graphs.understanding.examples import training_sentences
from graphs.understanding.link import Linker, link
from graphs.understanding.mask import mask_clause
from graphs.understanding.parse_lines import FileNames
from graphs.understanding.router import OUTSIDE
from graphs.understanding.text import tokenise
from tools.catalog import load_operations
from tools.kernel.assets import asset_path
from tools.kernel.embedding import get_embedder

ROOT = Path(__file__).parents[1]
PEER = ROOT / "build" / "semantic-router"
PACKAGES = ("semantic-router==1.1.1", "onnxruntime", "tokenizers", "numpy")
Answer = dict[str, Any]


def prepare() -> None:
    """Make the peer's environment; it cannot share ours."""
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(PEER)], check=True)
    environment = {**os.environ, "VIRTUAL_ENV": str(PEER)}
    subprocess.run([uv, "pip", "install", "--quiet", *PACKAGES], check=True, env=environment)


def questions() -> list[tuple[str, str]]:
    """The sentences, names masked, each with the operation that it asks for."""
    names, linker = FileNames.read(DATASETS / "ops_catalogue.json"), Linker()
    found: list[tuple[str, str]] = []
    for case in load("all"):
        wanted = [s["operation"] for s in case["steps"]]
        if len(case["turns"]) > 1 or len(wanted) > 1 or case["question"] or case["dry_run"]:
            continue
        if not wanted and not case["abstained"]:
            continue
        clause = Clause(tokenise(case["turns"][0]))
        link(clause, linker, names)
        found.append((mask_clause(clause, []), wanted[0] if wanted else OUTSIDE))
    return found


def ours(understanding: Understanding, texts: Sequence[str]) -> list[Answer]:
    """Pilothouse's router, nothing remembered."""
    router, answers = understanding.router, list[Answer]()
    for text in texts:
        router.forget()
        began, used = time.perf_counter(), time.process_time()
        (route,) = router.route([text])
        label = route.operation if understanding.hearing.sure(route) else OUTSIDE
        ms, cpu = (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000
        answers.append({"label": label, "ms": ms, "cpu_ms": cpu})
    return answers


def peers(texts: Sequence[str], aggregation: str) -> list[Answer]:
    """semantic-router, in its own environment."""
    routes: dict[str, list[str]] = defaultdict(list)
    for sentence in training_sentences(load_operations(), Linker()):
        routes[sentence.label].append(sentence.text)
    given = json.dumps({"routes": routes, "sentences": list(texts)})
    script = str(Path(__file__).with_name("semantic_router_peer.py"))
    command = [str(PEER / "bin" / "python"), script, str(asset_path("minilm-int8")), aggregation]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)["answers"]


def scored(answers: Sequence[Answer], wanted: Sequence[str]) -> dict[str, float]:
    """Shares of right answers, and milliseconds."""
    pairs = [((a["label"] or OUTSIDE), w) for a, w in zip(answers, wanted, strict=True)]
    inside = [got == want for got, want in pairs if want != OUTSIDE]
    outside = [got == want for got, want in pairs if want == OUTSIDE]
    waited = sorted(a["ms"] for a in answers)
    return {
        "accuracy": round(statistics.mean(got == want for got, want in pairs), 4),
        "accuracy_of_operations": round(statistics.mean(inside), 4),
        "refused_of_those_to_refuse": round(statistics.mean(outside), 4),
        "p50_ms": round(statistics.median(waited), 2),
        "p95_ms": round(waited[int(len(waited) * 0.95)], 2),
        "cpu_p50_ms": round(statistics.median(a["cpu_ms"] for a in answers), 2),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing")
    parser.add_argument("--prepare", action="store_true", help="make the peer's environment")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.prepare:
        prepare()
        return 0
    if not PEER.is_dir():
        print("run `python -m benchmarks.routing --prepare` first", file=sys.stderr)
        return 2
    asked = questions()
    texts, wanted = [text for text, _ in asked], [label for _, label in asked]
    understanding = Understanding(load_operations(), get_embedder())
    result: dict[str, Any] = {
        "sentences": len(asked),
        "pilothouse": scored(ours(understanding, texts), wanted),
        "semantic_router_mean": scored(peers(texts, "mean"), wanted),
        "semantic_router_max": scored(peers(texts, "max"), wanted),
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    for name, figures in result.items():
        print(f"{name:22} {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
