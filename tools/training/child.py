"""The computing process of a training: `python -m tools.training.child spec.json`.

Prints JSON lines (progress, then the result or an error) and touches no database; see
`tools.kernel.child`. Writes the classifier's folder and, beside it, `curve.json` and `curve.png`.
"""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tools.kernel.child import child_main, emit
from tools.kernel.errors import Unavailable
from tools.kernel.stillness import Measurement, alone
from tools.training.asking import asking
from tools.training.deployed_size import deployed_mb
from tools.training.ending import kept, time_warnings
from tools.training.outcome import improvement_warnings
from tools.training.pausing import PAUSED, Paused
from tools.training.spec import TrainingSpec

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from tools.training.loop import Trainer
    from tools.training.modelling import TextClassifier
    from tools.training.objectives import Target
    from tools.training.state import EpochScore, Examples, State
    from tools.training.together import Group

_STARTED = time.monotonic()
_TIMED = 30
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)


def train(
    spec: TrainingSpec,
    report: Callable[[float, str, dict[str, float]], None],
    after_epoch: Callable[[EpochScore], bool] | None = None,
    group: Group | None = None,
) -> dict[str, Any]:
    """Carry out a training and write the classifier's folder.

    Args:
        spec: what to train.
        report: receives the share done, a line, and the figures.
        after_epoch: receives each epoch's score; True ends the training.
        group: the processes that train together; this one alone if not given.

    Returns:
        The measured part of a `TrainingResult`; `paused` and the share done if it was paused.

    Raises:
        Unavailable: if files cannot be written (a full disk).
    """
    report(0.0, "loading the base model", {})
    try:
        trainer = make_trainer(spec, report, after_epoch, group)
        try:
            state = trainer.run()
        except Paused:
            return {PAUSED: True, "done": 0.05 + 0.9 * trainer.done}
        report(0.96, "writing the classifier", {})
        write_folder(spec, trainer)
        return summary(spec, trainer, state)
    except OSError as error:
        raise Unavailable(
            f"The training could not read or write its files: {error.strerror or error}.",
            hint="Free some space and start it again.",
        ) from error


def make_trainer(
    spec: TrainingSpec,
    report: Callable[[float, str, dict[str, float]], None],
    after_epoch: Callable[[EpochScore], bool] | None = None,
    group: Group | None = None,
) -> Trainer:
    """Load model and data."""
    import torch

    from tools.training.encoder import load_encoder
    from tools.training.export import load_tokenizer
    from tools.training.loop import Trainer
    from tools.training.modelling import TextClassifier, new_head

    # Now, so that the measured time holds no imports: optimisers import the first by themselves.
    for module in ("torch._dynamo", *(["peft"] if spec.method == "lora" else [])):
        import_module(module)
    torch.set_num_threads(spec.threads)
    encoder = load_encoder(Path(spec.base_folder))
    model = TextClassifier(encoder, new_head(encoder, len(spec.labels), spec.seed))
    tokenizer = load_tokenizer(Path(spec.base_folder), spec.max_length)
    splits = [_examples(spec, tokenizer, name) for name in ("train", "validation")]
    return Trainer(spec, model, splits[0], splits[1], report, after_epoch, group)


def _examples(spec: TrainingSpec, tokenizer: Tokenizer, split: str) -> Examples:
    from tools.training.state import Examples

    lines = (Path(spec.data) / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    places = {label: place for place, label in enumerate(spec.labels)}
    targets: list[Target] = [
        places[label] if isinstance(label, str) else [places[each] for each in label]
        for label in (row["label"] for row in rows)
    ]
    ids = [encoding.ids for encoding in tokenizer.encode_batch([row["text"] for row in rows])]
    return Examples(ids, targets)


def write_folder(spec: TrainingSpec, trainer: Trainer) -> None:
    """Write the classifier's folder, whole or not at all."""
    from safetensors.torch import save_file

    target = Path(spec.output)
    staging = target.with_name(f".{target.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        base = Path(spec.base_folder)
        for name in _TOKENIZER_FILES:
            if (base / name).is_file():
                shutil.copyfile(base / name, staging / name)
        _write_facts(spec, staging)
        head = {n: v.detach().clone() for n, v in trainer.model.head.state_dict().items()}
        save_file(head, staging / "head.safetensors")
        _write_encoder(spec, trainer, staging)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _write_encoder(spec: TrainingSpec, trainer: Trainer, folder: Path) -> None:
    from safetensors.torch import save_file

    from tools.training.modelling import LowRank, adapter_state, save_adapter

    encoder = trainer.model.encoder
    if spec.method == "lora":
        layers = len(encoder.encoder.layer)
        state = adapter_state(encoder)
        kind = LowRank.of(spec, trainer.depth)
        save_adapter(state, folder / "adapter", kind, layers, spec.base_model)
    elif spec.method == "full":
        weights = {n: v.detach().clone() for n, v in encoder.state_dict().items()}
        save_file(weights, folder / "model.safetensors")


def _write_facts(spec: TrainingSpec, folder: Path) -> None:
    from tools.training.export import FORMAT

    config = json.loads((Path(spec.base_folder) / "config.json").read_text())
    config["id2label"] = {str(i): label for i, label in enumerate(spec.labels)}
    config["label2id"] = {label: i for i, label in enumerate(spec.labels)}
    facts = {
        "format": FORMAT,
        "base_model": spec.base_model,
        "method": spec.method,
        "max_length": spec.max_length,
        "pooling": "mean",
        "task": spec.task,
    }
    for name, value in (
        ("config.json", config),
        ("labels.json", spec.labels),
        ("classifier.json", facts),
    ):
        (folder / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def summary(spec: TrainingSpec, trainer: Trainer, state: State) -> dict[str, Any]:
    """What was measured, and the curve and its picture beside the classifier."""
    from tools.training.curve import draw_curve
    from tools.training.modelling import counted

    trained, total = _sizes(spec, trainer.model, counted(trainer.model))
    beside = Path(spec.output).parent
    curve = {"epochs": [asdict(score) for score in state.scores], "steps": state.steps}
    (beside / "curve.json").write_text(json.dumps(curve))
    draw_curve(curve, beside / "curve.png")
    first, best = state.scores[0], kept(state.scores, state.best, spec.keep)
    with alone() if spec.timed_alone else nullcontext(Measurement()) as timed:
        latency = _latency_ms(trainer)
    losses = first.validation_loss, best.validation_loss
    return {
        "warnings": [
            *improvement_warnings(first.rank, best.rank, losses, spec.keep),
            *time_warnings(spec, state.stopped, trainer.passes, best.epoch),
        ],
        "passes": trainer.passes,
        "epochs": state.scores[-1].epoch,
        "best_epoch": best.epoch,
        "initial_loss": first.validation_loss,
        "final_loss": best.validation_loss,
        "validation_accuracy": best.validation_accuracy,
        "validation_macro_f1": best.validation_macro_f1,
        "validation_micro_f1": best.validation_micro_f1,
        "seconds": state.seconds + trainer.began - _STARTED,
        "compute_seconds": state.seconds,
        "resumed": state.resumed,
        "latency_ms": latency,
        "alone": timed.alone,
        "size_mb": deployed_mb(Path(spec.output), spec.base_model, spec.method),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stopped": state.stopped,
        "trained_parameters": trained,
        "total_parameters": total,
        "examples_per_second": len(trainer.train_set.ids)
        * trainer.passes
        / max(0.001, state.seconds),
    }


def _latency_ms(trainer: Trainer) -> float:
    """The median time of one text alone, without tokenising, over a few validation texts."""
    import torch

    from tools.training.batching import pad

    model, ids = trainer.model.eval(), trainer.validation.ids
    seconds: list[float] = []
    with torch.inference_mode():
        for row in ids[:: max(1, len(ids) // _TIMED)][:_TIMED]:
            input_ids, mask = pad([row])
            began = time.perf_counter()
            model(input_ids, mask)
            seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)


def _sizes(spec: TrainingSpec, model: TextClassifier, counts: tuple[int, int]) -> tuple[int, int]:
    if spec.method == "full":
        return counts[1], counts[1]
    return counts


def _report(share: float, line: str, figures: dict[str, float]) -> None:
    emit(progress=share, message=line, metrics=figures)


def _main(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.together import joined

    ask = asking(spec)
    told = None if ask is None else lambda score: ask(score.epoch, score.rank[0])
    with joined(spec.get("group")) as group:
        return train(TrainingSpec.from_dict(spec), _report, told, group)


if __name__ == "__main__":
    child_main(_main)
