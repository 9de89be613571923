"""Making one variant, in a child process: `python -m tools.training.optimizing.build spec.json`.

The spec: `target`, `folder` of the parent, `out`, `parent` (for the manifest), `texts` to calibrate
with, `train` (a JSON-lines file of `text` and `label`, or of an embedding's `texts`), `threads`,
`options` of single targets.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.child import child_main, emit
from tools.kernel.errors import OperationFailed, PilothouseError
from tools.training.optimizing import manifest as manifests
from tools.training.optimizing.held_out import kind_of
from tools.training.optimizing.sources import LanguageSource, Source
from tools.training.optimizing.targets import (
    CALIBRATION_TEXTS,
    EMBEDDING,
    LANGUAGE,
    TARGETS,
    Target,
)

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable

_KEPT = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
    *("labels.json", "config.json", "classifier.json", "embedding.json"),
)
_WEIGHTS = ".safetensors"


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """Make a variant's folder, whole or not at all.

    Returns:
        `size_bytes` of the files that its runtime opens.

    Raises:
        OperationFailed: if the target's toolchain refuses the model.
    """
    target = TARGETS[spec["target"]]
    out = Path(spec["out"])
    staging = out.with_name(f".{out.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        size = _make(target, spec, staging)
        shutil.rmtree(out, ignore_errors=True)
        staging.rename(out)
    except PilothouseError:
        raise
    except Exception as error:  # the toolchains' own exceptions share no base
        raise OperationFailed(
            f"{target.name} could not be made: {_first_line(error)}",
            hint="The other targets do not depend on it.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return {"size_bytes": size}


def _make(target: Target, spec: dict[str, Any], staging: Path) -> int:
    kind = kind_of(Path(spec["folder"]))
    if kind == LANGUAGE:
        return _make_language(target, spec, staging)
    source = _embedding(spec) if kind == EMBEDDING else _source(spec)
    for name in _KEPT:
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, staging / name)
    target.make(source, staging)
    size = _size(staging, target)
    labels = list(source.classifier.labels) if isinstance(source, Source) else []
    manifests.write(staging, _manifest(target, kind, source, labels, spec["parent"], size))
    return size


def _make_language(target: Target, spec: dict[str, Any], staging: Path) -> int:
    import torch

    from tools.training.language.folder import read_facts

    torch.set_num_threads(spec["threads"])
    source = LanguageSource(Path(spec["folder"]), _reporter(spec))
    target.make(source, staging)
    size = _size(staging, target)
    told = manifests.Manifest(
        variant=target.name,
        kind=LANGUAGE,
        runtime=target.runtime,
        entry=target.entry,
        inputs=[{"name": "messages", "dtype": "chat", "shape": ["message"]}],
        outputs=[{"name": "answer", "dtype": "text", "shape": []}],
        labels=[],
        max_length=int(read_facts(source.folder)["max_length"]),
        parent=spec["parent"],
        size_bytes=size,
    )
    manifests.write(staging, told)
    return size


def spread(texts: Sequence[str], count: int) -> list[str]:
    """At most `count` texts, taken evenly over all of them by length."""
    ordered = sorted(texts, key=len)
    step = max(1.0, len(ordered) / count)
    return [ordered[int(i * step)] for i in range(min(count, len(ordered)))]


def _rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    lines = Path(spec["train"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _embedding(spec: dict[str, Any]) -> Exportable:
    import torch

    from tools.training.optimizing.embeddings import source_of

    torch.set_num_threads(spec["threads"])
    rows = [row["texts"] for row in _rows(spec)]
    texts = spread([*dict.fromkeys(text for row in rows for text in row)], CALIBRATION_TEXTS)
    options = dict(spec.get("options", {}))
    return source_of(Path(spec["folder"]), rows, texts, _reporter(spec), options)


def _source(spec: dict[str, Any]) -> Source:
    import torch

    from tools.training.export import load_classifier

    torch.set_num_threads(spec["threads"])
    pairs = [(row["text"], row["label"]) for row in _rows(spec)]
    folder = Path(spec["folder"])
    return Source(
        classifier=load_classifier(folder),
        folder=folder,
        texts=spread([text for text, _ in pairs], CALIBRATION_TEXTS),
        rows=pairs,
        report=_reporter(spec),
        options=dict(spec.get("options", {})),
    )


def _reporter(spec: dict[str, Any]) -> Callable[[float, str], None]:
    return lambda share, line: emit(progress=_overall(spec, share), message=line)


def _overall(spec: dict[str, Any], share: float) -> float:
    begin, end = spec.get("span", (0.0, 1.0))
    return begin + (end - begin) * share


def _manifest(
    target: Target,
    kind: str,
    source: Exportable,
    labels: list[str],
    parent: dict[str, Any],
    size: int,
) -> manifests.Manifest:
    ids = {"dtype": "int64", "shape": [target.batch, "sequence"]}
    answers = source.outputs()
    if target.runtime == "torch":
        answers = dict([*answers.items()][:1])  # torch computes no more than the answer
    return manifests.Manifest(
        variant=target.name,
        kind=kind,
        runtime=target.runtime,
        entry=target.entry,
        inputs=[{"name": "input_ids", **ids}, {"name": "attention_mask", **ids}],
        outputs=[
            {"name": name, "dtype": "float32", "shape": [target.batch, size]}
            for name, size in answers.items()
        ],
        labels=labels,
        max_length=source.max_length,
        parent=parent,
        size_bytes=size,
    )


def _size(folder: Path, target: Target) -> int:
    """Bytes of what the runtime opens: torch the weights, others all but the small files."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name not in _KEPT]
    if target.runtime == "torch":
        files = [path for path in files if path.suffix == _WEIGHTS]
    return sum(path.stat().st_size for path in files)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {(lines or ['no reason given'])[0][:300]}"


if __name__ == "__main__":
    child_main(build)
