"""The computing process of an embedding's training; see `tools.kernel.child`."""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.child import child_main, emit
from tools.kernel.errors import Unavailable
from tools.training.asking import Ask, asking
from tools.training.ending import kept, time_warnings
from tools.training.outcome import improvement_warnings
from tools.training.pausing import PAUSED, Paused
from tools.training.similarity.spec import EmbeddingSpec

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from tools.training.encoder import Encoder
    from tools.training.similarity.loop import Progress
    from tools.training.together import Group

Report = Callable[[float, str, dict[str, float]], None]
_STARTED = time.monotonic()
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
_CARD = """---
library_name: sentence-transformers
base_model: {base_model}
pipeline_tag: sentence-similarity
---

# {base_model}, fine-tuned on texts that belong together

Vectors are the mean over the tokens, L2-normalised. On {rows} held-out rows: the counterpart is the
nearest for {before:.1%} of the texts before training and for {after:.1%} after it; mean reciprocal
rank {before_rank:.3f} and {after_rank:.3f}; triplet accuracy {before_triplet:.1%} and
{after_triplet:.1%}.
{warnings}"""


def train(
    spec: EmbeddingSpec, report: Report, ask: Ask | None = None, group: Group | None = None
) -> dict[str, Any]:
    """Carry out a training and write the embedding's folder.

    Args:
        spec: what to train.
        report: receives the share done, a line, and the figures.
        ask: of a trial, whether it should end after an epoch.
        group: the processes that train together; this one alone if not given.

    Returns:
        The measured part of a `TrainingResult`; nothing in a process that is not the group's first.

    Raises:
        Unavailable: if files cannot be written (a full disk).
    """
    try:
        return _train(spec, report, ask, group)
    except OSError as error:
        raise Unavailable(
            f"The training could not read or write its files: {error.strerror or error}.",
            hint="Free some space and start it again.",
        ) from error


def _train(
    spec: EmbeddingSpec, report: Report, ask: Ask | None, group: Group | None
) -> dict[str, Any]:
    import torch

    from tools.training.encoder import load_encoder
    from tools.training.export import load_tokenizer
    from tools.training.modelling import LowRank, add_adapter, counted
    from tools.training.similarity.loop import EmbeddingTrainer

    report(0.0, "loading the base model", {})
    torch.set_num_threads(spec.threads)
    tokenizer = load_tokenizer(Path(spec.base_folder), spec.max_length)
    train_rows, validation = (_rows(spec, tokenizer, name) for name in ("train", "validation"))
    encoder = load_encoder(Path(spec.base_folder))
    encoder.requires_grad_(spec.method == "full")
    if spec.method == "lora":
        add_adapter(encoder, LowRank.of(spec), spec.seed)
    sizes = counted(encoder)
    trainer = EmbeddingTrainer(spec, encoder, train_rows, validation, report, ask, group)
    try:
        progress = trainer.run()
    except Paused:
        return {PAUSED: True, "done": trainer.done}
    report(0.93, "writing the encoder", {})
    found = trainer.retrieval()
    if group is not None and not group.first:
        return {}
    measured = _summary(spec, progress, trainer.passes, sizes, len(validation))
    measured["metrics"] |= found
    measured["seconds"] = progress.seconds + trainer.began - _STARTED
    _write(spec, encoder, measured)
    return measured


def _rows(spec: EmbeddingSpec, tokenizer: Tokenizer, split: str) -> list[list[list[int]]]:
    lines = (Path(spec.data) / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[list[str]] = [json.loads(line)["texts"] for line in lines]
    ids = iter(tokenizer.encode_batch([text for row in rows for text in row]))
    return [[next(ids).ids for _ in row] for row in rows]


def _write(spec: EmbeddingSpec, encoder: Encoder, measured: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    from tools.training.encoder import load_encoder
    from tools.training.folders import appearing
    from tools.training.similarity.folder import FACTS, FORMAT, merged_state, write_onnx

    base = Path(spec.base_folder)
    with appearing(Path(spec.output)) as staging:
        facts = {
            "format": FORMAT,
            "task": "embedding",
            "base_model": spec.base_model,
            "method": spec.method,
            "max_length": spec.max_length,
            "pooling": "mean",
        }
        (staging / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
        (staging / "README.md").write_text(_card(spec, measured), encoding="utf-8")
        shutil.copyfile(base / "config.json", staging / "config.json")
        for name in _TOKENIZER_FILES:
            if (base / name).is_file():
                shutil.copyfile(base / name, staging / name)
        save_file(merged_state(encoder), staging / "model.safetensors")
        write_onnx(load_encoder(staging), staging / "model.onnx")


def _card(spec: EmbeddingSpec, measured: dict[str, Any]) -> str:
    found = measured["metrics"]
    return _CARD.format(
        base_model=spec.base_model,
        rows=int(found["judged"]),
        before=found["accuracy_before"],
        after=measured["validation_accuracy"],
        before_rank=found["reciprocal_rank_before"],
        after_rank=found["reciprocal_rank"],
        before_triplet=found["triplet_accuracy_before"],
        after_triplet=found["triplet_accuracy"],
        warnings="".join(f"\n**{warning}**\n" for warning in measured["warnings"]),
    )


def _summary(
    spec: EmbeddingSpec, progress: Progress, passes: float, sizes: tuple[int, int], judged: int
) -> dict[str, Any]:
    from tools.training.curve import draw_curve

    curve = {"epochs": [asdict(score) for score in progress.scores], "steps": progress.steps}
    beside = Path(spec.output).parent
    (beside / "curve.json").write_text(json.dumps(curve))
    draw_curve(curve, beside / "curve.png")
    first, best = progress.scores[0], kept(progress.scores, progress.best, spec.keep)
    losses = first.validation_loss, best.validation_loss
    return {
        "warnings": [
            *improvement_warnings(first.rank, best.rank, losses, spec.keep),
            *time_warnings(spec, progress.stopped, passes, best.epoch),
        ],
        "passes": passes,
        "epochs": progress.scores[-1].epoch,
        "best_epoch": best.epoch,
        "initial_loss": first.validation_loss,
        "final_loss": best.validation_loss,
        "validation_accuracy": best.validation_accuracy,
        "validation_macro_f1": best.reciprocal_rank,
        "compute_seconds": progress.seconds,
        "resumed": progress.resumed,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stopped": progress.stopped,
        "trained_parameters": sizes[0] if spec.method == "lora" else sizes[1],
        "total_parameters": sizes[1],
        "metrics": {
            "accuracy_before": first.validation_accuracy,
            "reciprocal_rank": best.reciprocal_rank,
            "reciprocal_rank_before": first.reciprocal_rank,
            "triplet_accuracy": best.triplet_accuracy,
            "triplet_accuracy_before": first.triplet_accuracy,
            "judged": float(judged),
        },
    }


def _report(share: float, line: str, figures: dict[str, float]) -> None:
    emit(progress=share, message=line, metrics=figures)


def _main(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.together import joined

    with joined(spec.get("group")) as group:
        return train(EmbeddingSpec.from_dict(spec), _report, asking(spec), group)


if __name__ == "__main__":
    child_main(_main)
