"""Builds a bundle in a child process, `python -m tools.deployment.building`.

It exports a version, or takes a variant as it is, measures it on held-out rows and writes the
manifest. It never sees the signing key.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.deployment.chunks import chunks_of
from tools.deployment.measuring import PROBE_TEXTS, measured
from tools.deployment.runtimes import PROFILES_OF, RUNTIME_MB, needed_memory_mb
from tools.kernel.child import child_main
from tools.kernel.errors import OperationFailed

FILES = ("model.onnx", "tokenizer.json")
PROBES = 100
LEAST_AGREEMENT = 0.7
_NOT_SERVED = ("variant.json", "labels.json", "config.json", "classifier.json")


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """Export a version and write its manifest.

    Args:
        spec: `source` and `out` folders, `model`, `version`, `labels`, `created`; if known,
            held-out `rows`, `further` texts, and the accuracy `registered` of the version with its
            rows.

    Returns:
        `size` of all files in bytes, `memory_mb`, `places`: where held-out texts lie, or None.

    Raises:
        OperationFailed: the version cannot be exported, or once it is does not run or answers
            worse than was registered.
    """
    source, out = Path(spec["source"]), Path(spec["out"])
    rows: list[tuple[str, str]] = [(text, label) for text, label in spec.get("rows", [])]
    manifest = _variant(source, out) or _classifier(source, out, spec, [text for text, _ in rows])
    manifest |= {
        "format": 2,
        "model": spec["model"],
        "version": spec["version"],
        "created": spec["created"],
        "files": {name: _described(out / name) for name in sorted(manifest["files"])},
        "golden": [],
    }
    if manifest["task"] != "chat":
        # Rightly answered and micro F1 of several labels are different things.
        registered = spec.get("registered") if manifest["task"] == "classify" else None
        manifest |= measured(out, manifest, rows, registered, spec.get("further", ()))
    places = manifest.pop("places", None)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    size = sum(file["size"] for file in manifest["files"].values())
    return {"size": size, "memory_mb": manifest["memory_mb"], "places": places}


def _classifier(
    source: Path, out: Path, spec: dict[str, Any], texts: Sequence[str]
) -> dict[str, Any]:
    """Export a trained classifier; a version that is ONNX already is taken as it is."""
    _export(source, out, [*texts[:PROBES], *PROBE_TEXTS])
    return {
        "task": _task(source),
        "runtime": "onnx",
        "profiles": [],
        "files": FILES,
        "labels": spec["labels"] or _labels(source),
        "max_length": _max_length(source),
        "memory_mb": needed_memory_mb((out / "model.onnx").stat().st_size),
        **_shapes(out / "model.onnx"),
    }


def _variant(source: Path, out: Path) -> dict[str, Any] | None:
    """A variant of a model that devices run as it is; None for anything else."""
    told = _read(source / "variant.json")
    if told.get("runtime") not in PROFILES_OF:
        return None  # what torch runs is exported as any trained classifier is
    out.mkdir(parents=True)
    chats = told["kind"] == "language-model"
    kept = [n for n in told["files"] if n not in _NOT_SERVED]
    for name in kept:
        shutil.copyfile(source / name, out / name)
    return {
        "task": "chat" if chats else _task(source),
        "runtime": told["runtime"],
        "profiles": list(PROFILES_OF[told["runtime"]]),
        "files": kept,
        "labels": told["labels"],
        "max_length": told["max_length"],
        "memory_mb": RUNTIME_MB + int(told["memory_mb"] or 2 * (told["size_bytes"] >> 20)),
        "inputs": told["inputs"],
        "outputs": told["outputs"],
    }


def _shapes(model: Path) -> dict[str, Any]:
    """Names, types and shapes of an ONNX model's inputs and outputs."""
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def told(nodes: Any) -> list[dict[str, Any]]:
        return [{"name": n.name, "dtype": n.type, "shape": list(n.shape)} for n in nodes]

    return {"inputs": told(session.get_inputs()), "outputs": told(session.get_outputs())}


def _export(source: Path, out: Path, texts: Sequence[str]) -> None:
    if all((source / name).is_file() for name in FILES):
        out.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(source / name, out / name)
        return
    from tools.training.export import export_onnx

    exported = export_onnx(source, out / "model.onnx", texts)
    if exported.agreement < LEAST_AGREEMENT:
        raise OperationFailed(
            f"The int8 model labels only {exported.agreement:.0%} of {exported.texts} probes like "
            "the trained one.",
            hint="Quantisation harmed it; evaluate it, and train it longer.",
        )
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size, "chunks": chunks_of(path)}


def _task(source: Path) -> str:
    several = _read(source / "classifier.json").get("task") == "multilabel"
    return "classify_several" if several else "classify"


def _labels(source: Path) -> list[str]:
    labels: dict[str, str] = _read(source / "config.json").get("id2label", {})
    if not labels:
        raise OperationFailed("The version does not say which labels its outputs stand for.")
    return [labels[key] for key in sorted(labels, key=int)]


def _max_length(source: Path) -> int:
    return min(int(_read(source / "classifier.json").get("max_length", 128)), 512)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    child_main(build)
