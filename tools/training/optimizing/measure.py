"""Measuring one model, in a process of its own: `python -m tools.training.optimizing.measure`.

The spec: `folder`, `parent` (true for the model that the others are measured against), `rows` (a
JSON-lines file), `predictions` (the file to write), `threads`, `timed` (how many texts are timed).

Memory is the peak of the resident set (`VmHWM` of Linux's /proc), reset once the runtime has been
imported: `memory_mb` is what loading the model and running it adds, `peak_mb` is the whole process.
Latency is of one text alone, tokenising included, while other computing processes stand still.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.kernel.child import child_main, emit
from tools.kernel.stillness import alone
from tools.training.optimizing import manifest as manifests
from tools.training.optimizing.comparing import code_of, coded
from tools.training.optimizing.runners import Parent, Variant, import_runtime, open_variant
from tools.training.optimizing.targets import EMBEDDING, LANGUAGE

WARM_UP = 5
_BATCH = 16


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Load, predict every row, time single texts.

    Returns:
        `load_ms`, `p50_ms`, `p95_ms`, `memory_mb`, `peak_mb`, `score`, `rows`, `alone` (see
        `tools.kernel.stillness`); `exact` too for a language model, `metric` for an embedding. The
        score is the metric summed over the rows: right labels, F1, counterparts that are nearest.
    """
    if spec.get("kind") == LANGUAGE:
        return _measure_answers(spec)
    if spec.get("kind") == EMBEDDING:
        return _measure_vectors(spec)
    folder = Path(spec["folder"])
    runtime = manifests.read(folder).runtime if manifests.is_variant(folder) else "torch"
    import_runtime(runtime)
    reset_peak()
    before = resident_mb()
    began = time.perf_counter()
    model = (
        Parent(folder, spec["threads"]) if spec["parent"] else open_variant(folder, spec["threads"])
    )
    loaded = time.perf_counter() - began
    texts, answers = read_rows(Path(spec["rows"]))
    predicted = _predict(model, texts, spec)
    Path(spec["predictions"]).write_text(json.dumps(predicted))
    with alone() as timed:
        seconds = time_single(model.logits, texts, spec["timed"])
    truth = [coded(answer, model.labels) for answer in answers]
    return {
        **_figures(loaded, before, seconds),
        "score": sum(a == b for a, b in zip(truth, predicted, strict=True)),
        "rows": len(truth),
        "alone": timed.alone,
    }


def _figures(loaded: float, before: float, seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds and megabytes, from seconds and from the megabytes before the model."""
    peak = peak_mb()
    return {
        "load_ms": round(loaded * 1000, 3),
        "p50_ms": round(float(np.quantile(seconds, 0.50)) * 1000, 4),
        "p95_ms": round(float(np.quantile(seconds, 0.95)) * 1000, 4),
        "memory_mb": round(max(peak - before, 0.1), 2),
        "peak_mb": round(peak, 2),
    }


def _measure_vectors(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.optimizing.retrieving import embedded, found, read_search
    from tools.training.optimizing.vector_runners import VectorVariant

    folder = Path(spec["folder"])
    import_runtime(manifests.read(folder).runtime if manifests.is_variant(folder) else "torch")
    reset_peak()
    before = resident_mb()
    began = time.perf_counter()
    model = VectorVariant(folder, spec["threads"])
    loaded = time.perf_counter() - began
    search = read_search(Path(spec["rows"]))
    vectors = embedded(model, search, spec)
    with alone() as timed:
        seconds = time_single(model.embed, search.queries, spec["timed"])
    figures = _figures(loaded, before, seconds)  # searching takes memory of its own
    return {**figures, **found(vectors, search, spec), "alone": timed.alone}


def _measure_answers(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.optimizing.answering import answers, open_answering

    folder = Path(spec["folder"])
    import_runtime("llamacpp" if manifests.is_variant(folder) else "torch-language")
    reset_peak()
    before = resident_mb()
    began = time.perf_counter()
    model = open_answering(folder, spec["threads"])
    loaded = time.perf_counter() - began
    measured = answers(model, spec)
    peak = peak_mb()
    return {
        **measured,
        "load_ms": round(loaded * 1000, 3),
        "memory_mb": round(max(peak - before, 0.1), 2),
        "peak_mb": round(peak, 2),
    }


def read_rows(path: Path) -> tuple[list[str], list[Any]]:
    """Texts and labels of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def time_single(
    answer: Callable[[Sequence[str]], object], texts: Sequence[str], count: int
) -> list[float]:
    """Seconds of one text alone, for a sample that is spread over all texts."""
    step = max(1, len(texts) // count)
    sample = [*texts[::step]][:count]
    for text in sample[:WARM_UP]:
        answer([text])
    seconds: list[float] = []
    for text in sample:
        began = time.perf_counter()
        answer([text])
        seconds.append(time.perf_counter() - began)
    return seconds


def reset_peak() -> None:
    """Let the peak of the resident set start anew from here (proc(5), `clear_refs`)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The peak of the resident set in megabytes."""
    return _status("VmHWM")


def resident_mb() -> float:
    """The resident set in megabytes."""
    return _status("VmRSS")


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _predict(model: Variant, texts: Sequence[str], spec: dict[str, Any]) -> list[int | str]:
    begin, end = spec.get("span", (0.0, 1.0))
    found: list[int | str] = []
    for start in range(0, len(texts), _BATCH):
        found.extend(_answers(model, texts[start : start + _BATCH]))
        share = min(start + _BATCH, len(texts)) / len(texts)
        emit(progress=begin + (end - begin) * share, message=spec.get("message", "measuring"))
    return found


def _answers(model: Variant, texts: Sequence[str]) -> list[int | str]:
    logits = model.logits(texts)
    if model.several:
        return [code_of(row.nonzero()[0].tolist()) for row in logits > 0]
    return [int(i) for i in logits.argmax(axis=1)]


if __name__ == "__main__":
    child_main(measure)
