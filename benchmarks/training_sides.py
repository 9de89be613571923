"""The sides that `benchmarks.training` compares; each call runs one and prints its figures.

python -m benchmarks.training_sides SIDE FOLDER PRECISION
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.held_out import answer_loss, class_loss

if TYPE_CHECKING:
    from torch import Tensor

    from tools.training.language.rows import TokenRow

BATCH, RANK, RATE, LENGTH = 8, 8, 2e-4, 512
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
Figures = dict[str, float]


def _rows(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def _timed(train: Callable[[], object]) -> Figures:
    """Seconds by the clock and of processor time that a training takes."""
    began, computed = time.perf_counter(), time.process_time()
    train()
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - computed,
    }


def _done(tokens: int, times: Figures, loss: Callable[[], float]) -> Figures:
    """A side's figures; its memory is that of the training, measured before its loss is."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"tokens": tokens, **times, "peak_memory_mb": peak, "held_out_loss": loss()}


def _silent(share: float, line: str, figures: dict[str, float]) -> None:
    return None


def ours_language(folder: Path, precision: str) -> Figures:
    """Our training of a language model's answers, one epoch."""
    import torch

    from tools.kernel.assets import asset_path
    from tools.training.language.adapting import Adapted
    from tools.training.language.bases import load_model, load_tokenizer, ready
    from tools.training.language.loop import LanguageTrainer
    from tools.training.language.rows import token_row
    from tools.training.language.spec import LanguageSpec

    base = ready(asset_path("smollm2"))
    tokenizer = load_tokenizer(base)
    rows = [token_row(tokenizer, r["messages"], LENGTH) for r in _rows(folder / "language")]
    with tempfile.TemporaryDirectory() as name:
        told: dict[str, Any] = {
            "base_model": "smollm2",
            "base_folder": str(base),
            "data": "",
            "output": f"{name}/out",
            "checkpoint": f"{name}/checkpoint.pt",
            "method": "lora",
            "epochs": 1,
            "learning_rate": RATE,
            "rank": RANK,
            "batch_size": BATCH,
            "seed": 0,
            "max_length": LENGTH,
            "precision": precision,
        }
        spec = LanguageSpec.from_dict(told)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        adapted = Adapted(load_model(base, dtype), spec, [])
        trainer = LanguageTrainer(spec, adapted, rows, rows[:1], _silent)
        times = _timed(trainer.run)
    held_out = _held_out_chats(folder, tokenizer)
    count = sum(len(r.ids) for r in rows)
    return _done(count, times, lambda: answer_loss(adapted.model, held_out))


def _held_out_chats(folder: Path, tokenizer: Any) -> list[TokenRow]:
    from tools.training.language.rows import token_row

    chats = _rows(folder / "language", "validation")
    return [token_row(tokenizer, chat["messages"], LENGTH) for chat in chats]


def trl_sft(folder: Path, precision: str) -> Figures:
    """TRL's SFTTrainer, one epoch; it learns the answers, as ours does."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]

    from tools.kernel.assets import asset_path
    from tools.training.language.adapting import linear_names
    from tools.training.language.bases import load_model, load_tokenizer, ready
    from tools.training.language.rows import token_row

    base = ready(asset_path("smollm2"))
    tokenizer = load_tokenizer(base)
    chats = [row["messages"] for row in _rows(folder / "language")]
    tokens = sum(len(token_row(tokenizer, chat, LENGTH).ids) for chat in chats)
    rows = Dataset.from_list([{"prompt": c[:-1], "completion": c[-1:]} for c in chats])
    model = load_model(base, torch.bfloat16 if precision == "bf16" else torch.float32)
    with tempfile.TemporaryDirectory() as name:
        config = SFTConfig(
            output_dir=name,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            max_length=LENGTH,
            bf16=precision == "bf16",
            use_cpu=True,
            gradient_checkpointing=False,
            report_to=[],
            save_strategy="no",
            logging_steps=1000,
            seed=0,
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        lora = LoraConfig(
            task_type="CAUSAL_LM",
            r=RANK,
            lora_alpha=2 * RANK,
            lora_dropout=0.0,
            target_modules=linear_names(model),
        )
        trainer = SFTTrainer(
            model, args=config, train_dataset=rows, processing_class=tokenizer, peft_config=lora
        )
        times = _timed(trainer.train)
    held_out = _held_out_chats(folder, tokenizer)
    return _done(tokens, times, lambda: answer_loss(trainer.model, held_out))


def ours_classification(folder: Path, precision: str) -> Figures:
    """Our training of a classifier in full, two epochs."""
    from tools.kernel.assets import asset_path
    from tools.training.child import make_trainer
    from tools.training.preparing import make_spec
    from tools.training.types import StartTraining

    data = folder / "classification"
    labels = sorted({row["label"] for row in _rows(data)})
    told: dict[str, Any] = {"dataset": "x", "method": "full", "epochs": 2, "batch_size": BATCH}
    told |= {"precision": precision, "max_length": 256}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "data").symlink_to(data)
        args = StartTraining.model_validate(told)
        spec = make_spec(args, asset_path("minilm"), place, labels, THREADS)
        trainer = make_trainer(spec, _silent)
        tokens = sum(len(ids) for ids in trainer.train_set.ids) * 2
        times = _timed(trainer.run)
    held_out = _held_out_texts(data, labels)
    return _done(tokens, times, lambda: class_loss(trainer.model.eval(), held_out))


def _held_out_texts(data: Path, labels: list[str]) -> list[tuple[list[int], int]]:
    from tools.kernel.assets import asset_path
    from tools.training.export import load_tokenizer

    tokenizer = load_tokenizer(asset_path("minilm"), 256)
    rows = _rows(data, "validation")
    return [(tokenizer.encode(r["text"]).ids, labels.index(r["label"])) for r in rows]


def trainer_classification(folder: Path, precision: str) -> Figures:
    """transformers' Trainer on the same encoder in full, two epochs."""
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from tools.kernel.assets import asset_path

    base = str(asset_path("minilm"))
    data = folder / "classification"
    labels = sorted({row["label"] for row in _rows(data)})
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    encoded: list[dict[str, Any]] = [
        {**tokenizer(r["text"], truncation=True, max_length=256), "label": labels.index(r["label"])}
        for r in _rows(data)
    ]
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))
    with tempfile.TemporaryDirectory() as name:
        config = TrainingArguments(
            output_dir=name,
            num_train_epochs=2,
            per_device_train_batch_size=BATCH,
            learning_rate=5e-5,
            bf16=precision == "bf16",
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_steps=1000,
            seed=0,
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            model,
            config,
            train_dataset=Dataset.from_list(encoded),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        times = _timed(trainer.train)
    tokens = 2 * sum(len(row["input_ids"]) for row in encoded)
    held_out = _held_out_texts(data, labels)

    def logits_of(ids: Tensor, mask: Tensor) -> Tensor:
        return model(input_ids=ids, attention_mask=mask).logits

    model.eval()
    return _done(tokens, times, lambda: class_loss(logits_of, held_out))


def estimate(folder: Path, precision: str) -> Figures:
    """How far the estimate of a training is off, after one has been seen on this machine."""
    from tools.kernel.identity import RequestContext
    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings

    with tempfile.TemporaryDirectory() as name:
        kernel = Kernel(Settings(home=Path(name)))
        kernel.start()
        context = RequestContext(kernel.principals.local())
        path = str(folder / "classification" / "train.jsonl")
        kernel.gate.call("datasets.add", {"path": path, "name": "uneven"}, context)
        errors: list[float] = []
        for seed in (0, 1):
            arguments = {"dataset": "uneven", "seed": seed, "precision": precision, "epochs": 2}
            job = kernel.gate.call("training.start", arguments, context).job
            row = kernel.jobs.wait(job or 0, timeout=1800)
            errors.append(float((row.result or {})["estimate_error"]))
        kernel.stop()
    return {"estimate_error": errors[-1]}


SIDES = {
    "ours_language": ours_language,
    "trl_sft": trl_sft,
    "ours_classification": ours_classification,
    "trainer_classification": trainer_classification,
    "estimate": estimate,
}


def main(side: str, folder: str, precision: str) -> None:
    """Run a side and print its figures as JSON."""
    import torch

    torch.set_num_threads(THREADS)
    found = SIDES[side](Path(folder), precision)
    if "tokens" in found:
        found["tokens_per_second"] = found["tokens"] / found["seconds"]
        found["tokens_per_processor_second"] = found["tokens"] / found["processor_seconds"]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
