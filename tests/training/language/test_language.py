"""Language models learn answers: through the gate, as durable jobs, on a tiny Llama."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.language.conftest import questions, write_rows
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]
OSLO = [{"role": "user", "content": "please which code has oslo"}]


@pytest.fixture
def known(call: Caller, codes: Path) -> str:
    """The dataset `codes`, added."""
    call("datasets.add", path=str(codes))
    return "codes"


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_language_model_learns_answers_and_the_saved_one_gives_them(
    kernel: Kernel, finished: Finisher, call: Caller, known: str, llama: Path
):
    from tools.training.language.folder import load_language_model

    result = finished(
        "training.start", dataset=known, base_model=str(llama), method="full", epochs=4,
        learning_rate=5e-3,
    )  # fmt: skip
    assert (result["task"], result["model_name"]) == ("language", "codes-assistant")
    assert result["metrics"]["exact_match_before"] == 0
    assert result["validation_accuracy"] == result["metrics"]["exact_match"] > 0
    assert result["metrics"]["token_f1"] > 0.7
    assert result["final_loss"] < result["initial_loss"] / 4
    assert (result["parameters"]["batch_size"], result["parameters"]["max_length"]) == (8, 512)
    folder = Path(result["artifact_path"])
    model = load_language_model(folder)
    [answer] = model.generate([OSLO], 8)
    assert answer.startswith("it is code-")
    chat = [*OSLO, {"role": "assistant", "content": "it is code-oslo"}]
    assert model.perplexity([chat]) < 3
    assert "pipeline_tag: text-generation" in (folder / "README.md").read_text()

    run = client(kernel.settings).get_run(result["run_id"])
    assert run.data.metrics["exact_match"] == result["metrics"]["exact_match"]
    assert run.data.tags["pilothouse.task"] == "language"
    receipt = kernel.receipts.for_job(result["job"])
    assert receipt is not None
    assert {e.fact: e.value for e in receipt.evidence}["SHA-256 of the artifact"] == (
        result["artifact_sha256"]
    )
    assert "right answers 0.0% →" in receipt.says
    registered = call("registry.register", job=result["job"], model="codes").result
    assert registered.model_dump()["details"]["metrics"]["token_f1"] > 0.7


@pytest.mark.parametrize(
    ("flags", "trained"),
    [({"merge": True}, "lora_A"), ({"dora": True}, "magnitude"), ({"rslora": True}, "lora_B")],
)
def test_an_adapter_is_one_that_peft_loads_and_merging_changes_no_answer(
    llama: Path, tmp_path: Path, flags: dict[str, bool], trained: str
):
    from safetensors.torch import load_file

    from tools.training.language.folder import load_language_model

    spec, measured = train_on(llama, tmp_path, 64, method="lora", learning_rate=2e-2, **flags)
    assert measured["final_loss"] < measured["initial_loss"]
    folder = Path(spec.output)
    assert any(trained in name for name in load_file(folder / "adapter/adapter_model.safetensors"))
    config = json.loads((folder / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(llama)
    assert (config["lora_alpha"], config["lora_dropout"]) == (2 * spec.rank, 0.0)
    chat = [*OSLO, {"role": "assistant", "content": "it is code-oslo"}]
    apart, merged = (load_language_model(folder, merged=m) for m in (False, True))
    assert apart.perplexity([chat]) == pytest.approx(merged.perplexity([chat]), rel=1e-4)
    assert (folder / "model").is_dir() == flags.get("merge", False)


def test_a_language_model_whose_loss_is_no_number_is_not_written(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tools.kernel.errors import OperationFailed
    from tools.training.language.loop import LanguageTrainer

    original = LanguageTrainer._logits  # pyright: ignore[reportPrivateUsage]

    def broken(self: LanguageTrainer, pack: Any) -> Any:
        return original(self, pack) * (float("nan") if self.progress.step == 2 else 1.0)

    monkeypatch.setattr(LanguageTrainer, "_logits", broken)
    with pytest.raises(OperationFailed, match=r"diverged.* learning rate of 0\.02"):
        train_on(llama, tmp_path, 64, method="lora", learning_rate=2e-2)
    assert not (tmp_path / "language-model").exists()


def test_the_untrained_language_model_is_never_kept_and_what_is_cut_is_told(
    llama: Path, tmp_path: Path
):
    spec, measured = train_on(
        llama, tmp_path, 64, method="full", learning_rate=1e-12, epochs=1, max_length=8
    )
    assert measured["best_epoch"] == 1
    assert any("cut at 8 tokens" in warning for warning in measured["warnings"])
    card = (Path(spec.output) / "README.md").read_text()
    assert all(warning in card for warning in measured["warnings"])


def test_virtual_tokens_learn_and_are_saved_as_peft_saves_them(llama: Path, tmp_path: Path):
    from tools.training.language.folder import load_language_model

    spec, measured = train_on(llama, tmp_path, 64, method="prompt", learning_rate=0.3, epochs=8)
    assert measured["final_loss"] < measured["initial_loss"] - 0.1
    assert measured["trained_parameters"] == 20 * 32
    model = load_language_model(Path(spec.output))
    lines = Path(spec.data, "validation.jsonl").read_text().splitlines()
    held_out = [json.loads(line)["messages"] for line in lines]
    assert math.log(model.perplexity(held_out)) == pytest.approx(measured["final_loss"], abs=0.05)


def test_packed_rows_have_the_losses_that_each_has_alone(llama: Path):
    import torch
    from torch.nn import functional

    from tools.datasets.kinds import Message
    from tools.training.language.bases import load_model, load_tokenizer
    from tools.training.language.packing import packs_of
    from tools.training.language.rows import shared_prefix, token_row

    tokenizer, model = load_tokenizer(llama), load_model(llama, torch.float32).eval()
    system: Message = {"role": "system", "content": "be brief now"}
    chats = [
        [
            system,
            {"role": "user", "content": row["prompt"]},
            {"role": "assistant", "content": row["completion"]},
        ]
        for row in questions(10)
    ]
    rows = [token_row(tokenizer, chat, 128) for chat in chats]
    head = shared_prefix(rows)
    assert head == 8
    packed, alone = 0.0, 0.0
    with torch.no_grad():
        for pack in packs_of(rows, head, 60):
            logits = model(
                pack.ids, attention_mask=pack.mask(), position_ids=pack.positions
            ).logits[0, pack.predicting]
            packed += functional.cross_entropy(logits, pack.targets, reduction="sum").item()
        for row in rows:
            ids = torch.tensor([row.ids])
            labels = torch.where(torch.tensor([row.learnt]), ids, -100)
            alone += model(ids, labels=labels).loss.item() * sum(row.learnt)
    assert packed == pytest.approx(alone, rel=1e-5)


def test_only_answers_are_learnt_and_a_long_question_loses_its_oldest_words(llama: Path):
    from tools.training.language.bases import load_tokenizer
    from tools.training.language.rows import token_row

    tokenizer = load_tokenizer(llama)
    chat = [
        {"role": "user", "content": "which code has rome"},
        {"role": "assistant", "content": "it is code-rome"},
        {"role": "user", "content": "please which code has oslo"},
        {"role": "assistant", "content": "it is code-oslo"},
    ]
    row = token_row(tokenizer, chat, 128)
    learnt = tokenizer.decode([i for i, on in zip(row.ids, row.learnt, strict=True) if on])
    assert learnt == "it is code-rome <|im_end|> it is code-oslo <|im_end|>"
    short = token_row(tokenizer, chat, 8)
    assert (len(short.ids), short.cut) == (8, True)
    assert str(tokenizer.decode(short.ids)).endswith("it is code-oslo <|im_end|>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_model": "minilm"}, "writes no answers"),
        ({"method": "head"}, "lora, qlora, full, prompt"),
        ({"task": "classification"}, "do not teach a classifier"),
        ({"method": "full", "dora": True}, "kind of LoRA"),
        ({"method": "prompt", "merge": True}, "nothing to merge"),
        ({"dora": True, "rslora": True}, "Choose one"),
        ({"max_length": 4096}, "reads 512 tokens"),
        ({"head_dropout": 0.1}, "a language model trained with lora has none"),
        ({"method": "full", "dropout": 0.1}, "lora_dropout is of LoRA's matrices"),
        ({"method": "lora", "virtual_tokens": 8}, "virtual_tokens is of prompt tuning"),
        ({"packing": False}, "always packed"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    call: Caller, known: str, llama: Path, arguments: dict[str, Any], message: str
):
    with pytest.raises(InvalidInput) as caught:
        call("training.start", **{"dataset": known, "base_model": str(llama), **arguments})
    assert message in str(caught.value)


def test_an_estimate_grows_with_the_method(call: Caller, known: str, llama: Path):
    def memory(method: str) -> int:
        args = {"dataset": known, "base_model": str(llama), "max_length": 128, "method": method}
        return call("training.estimate", **args).result.model_dump()["memory_mb"]

    assert memory("qlora") <= memory("lora") <= memory("full")


def test_a_training_that_is_cut_off_ends_as_an_undisturbed_one_does(llama: Path, tmp_path: Path):
    _, whole = train_on(llama, tmp_path / "whole", 48, learning_rate=2e-2, epochs=2)

    class Cut(Exception):
        pass

    def cut(share: float, line: str, figures: dict[str, float]) -> None:
        if "epoch 2" in line:
            raise Cut

    arguments = {"learning_rate": 2e-2, "epochs": 2, "checkpoint_seconds": 0.0}
    with pytest.raises(Cut):
        train_on(llama, tmp_path / "cut", 48, report=cut, **arguments)
    _, resumed = train_on(llama, tmp_path / "cut", 48, **arguments)
    assert resumed["resumed"] == 1
    for name in ("final_loss", "initial_loss", "validation_accuracy"):
        assert resumed[name] == whole[name]


def train_on(
    base: Path, folder: Path, count: int, report: Any = None, **settings: Any
) -> tuple[Any, dict[str, Any]]:
    """Train in this process on questions; returns the spec and what was measured."""
    from tools.training.language.child import train
    from tools.training.language.spec import LanguageSpec

    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    chats = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in questions(count + 16)
    ]
    write_rows(data / "train.jsonl", chats[:count])
    write_rows(data / "validation.jsonl", chats[count:])
    told: dict[str, Any] = {
        "base_model": str(base),
        "base_folder": str(base),
        "data": str(data),
        "output": str(folder / "language-model"),
        "checkpoint": str(folder / "checkpoint.pt"),
        "method": "lora",
        "epochs": 2,
        "rank": 4,
        "batch_size": 8,
        "seed": 0,
        "max_length": 128,
        **settings,
    }
    spec = LanguageSpec.from_dict(told)
    return spec, train(spec, report or (lambda share, line, figures: None))


def test_a_limit_of_time_ends_a_language_models_training_and_the_last_weights_can_be_kept(
    llama: Path, tmp_path: Path
):
    _, limited = train_on(llama, tmp_path / "a", 64, max_seconds=1e-6, learning_rate=1e-3)
    assert (limited["stopped"], limited["epochs"]) == ("out of time", 1)
    assert 0 < limited["passes"] < 1
    assert "of 2 epochs; the best weights (epoch 1) are kept" in limited["warnings"][-1]
    _, kept = train_on(llama, tmp_path / "b", 64, keep="last", patience=0, learning_rate=1e-3)
    assert kept["best_epoch"] == kept["epochs"] == 2
