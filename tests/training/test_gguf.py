"""Language models as GGUF files: llama.cpp gives the answers that the trained model gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.kernel.errors import InvalidInput
from tools.training.optimizing import manifest
from tools.training.optimizing.answering import open_server
from tools.training.optimizing.build import build
from tools.training.optimizing.choosing import targets_of
from tools.training.optimizing.comparing import paired_answers
from tools.training.optimizing.gguf_quantising import q4_type
from tools.training.optimizing.types import OptimizeModel

WIDTH, INNER, HEADS, SHARED, LAYERS = 256, 512, 4, 2, 2
TEMPLATE = (
    "{% for m in messages %}{{ m['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}>{% endif %}"
)


def write_base(folder: Path) -> Path:
    """A random Llama of two layers with a tokenizer of bytes, as one GGUF file."""
    from gguf import GGUFWriter
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    folder.mkdir()
    writer = GGUFWriter(str(folder / "tiny.gguf"), "llama")
    tokens = [*bytes_to_unicode().values(), "<end>", "<start>", "th"]
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(SHARED)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 256 + [3, 3, 1])
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(256)
    writer.add_pad_token_id(256)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    drawn = np.random.default_rng(3)
    part = WIDTH * SHARED // HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(tokens), WIDTH)}
    for i in range(LAYERS):
        shapes |= {
            f"blk.{i}.attn_norm": (WIDTH,),
            f"blk.{i}.attn_q": (WIDTH, WIDTH),
            f"blk.{i}.attn_k": (part, WIDTH),
            f"blk.{i}.attn_v": (part, WIDTH),
            f"blk.{i}.attn_output": (WIDTH, WIDTH),
            f"blk.{i}.ffn_norm": (WIDTH,),
            f"blk.{i}.ffn_gate": (INNER, WIDTH),
            f"blk.{i}.ffn_up": (INNER, WIDTH),
            f"blk.{i}.ffn_down": (WIDTH, INNER),
        }
    shapes["output_norm"] = (WIDTH,)
    for name, shape in shapes.items():
        scale = 0.06 if len(shape) > 1 else 0.0
        values = drawn.normal(0, scale, shape) + (len(shape) == 1)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder


def write_trained(folder: Path, base: str, base_files: Path) -> Path:
    """An adapter that changes what the base says, as a training writes it."""
    import torch
    from peft import LoraConfig, get_peft_model

    from tools.training.language.bases import copy_tokenizer, load_model, ready

    base_model: Any = load_model(ready(base_files), torch.float32)
    chosen = ["q_proj", "k_proj", "v_proj", "down_proj"]
    torch.manual_seed(1)
    model: Any = get_peft_model(
        base_model, LoraConfig(r=4, lora_alpha=8, target_modules=chosen, use_rslora=True)
    )
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.03)
    model.save_pretrained(str(folder / "adapter"))
    copy_tokenizer(ready(base_files), folder)
    facts = {"format": 1, "task": "language", "base_model": base, "method": "lora"}
    (folder / "language.json").write_text(json.dumps({**facts, "max_length": 128}))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    base = write_base(folder / "base")
    return write_trained(folder / "trained", str(base), base)


def made(parent: Path, target: str, folder: Path) -> Path:
    """A variant, made as the job's child makes it."""
    spec = {"target": target, "folder": str(parent), "out": str(folder / target), "threads": 1}
    build({**spec, "parent": {"model": "writer", "version": 1, "content_sha256": "ab"}})
    return folder / target


def first_token(folder: Path, ids: list[int]) -> dict[int, float]:
    """What llama.cpp says of the next token: the log-probabilities of the most probable."""
    return next_token(open_server(folder, "model.gguf", 256), ids)


def next_token(server: Any, ids: list[int]) -> dict[int, float]:
    """The same of a server that runs, the most probable first."""
    # What is said is forced, so that it is a letter; the probabilities are those before that.
    asked = {"n_predict": 1, "n_probs": 10, "temperature": 0}
    said: Any = server.handle_completions({**asked, "prompt": ids, "logit_bias": [[ids[0], 100.0]]})
    found = said["choices"][0]["logprobs"]["content"]
    return {each["id"]: each["logprob"] for each in found[0]["top_logprobs"]}


@pytest.mark.parametrize(
    ("target", "near"), [("gguf-q8", 0.1), ("gguf-q4", 0.8), ("gguf-lora", 0.02)]
)
def test_llama_cpp_gives_the_probabilities_that_the_trained_model_gives(
    trained: Path, tmp_path: Path, target: str, near: float
):
    import torch

    from tools.training.language.folder import load_language_model

    folder = made(trained, target, tmp_path)
    told = manifest.read(folder)
    assert (told.kind, told.runtime, told.entry) == ("language-model", "llamacpp", "model.gguf")
    model: Any = load_language_model(trained)
    ids = model.tokenizer("the parcel from rome is late", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        wanted = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    found = first_token(folder, ids)
    assert max(abs(found[i] - float(wanted[i])) for i in found) < near
    if target == "gguf-lora":
        [base] = Path(trained.parent / "base").glob("*.gguf")
        assert (folder / "model.gguf").read_bytes() == base.read_bytes()


def test_the_mix_of_q4_k_m_is_llama_cpps():
    def kind(name: str, columns: int = 256) -> str:
        return q4_type(name, columns, 16, tied=True).name

    assert kind("token_embd.weight") == kind("blk.0.attn_v.weight") == "Q6_K"
    assert kind("blk.2.ffn_down.weight") == kind("blk.4.attn_q.weight") == "Q4_K"
    assert kind("blk.4.ffn_down.weight") == kind("blk.14.attn_v.weight") == "Q6_K"
    assert (kind("token_embd.weight", 576), kind("blk.4.attn_q.weight", 576)) == ("Q8_0", "Q5_0")


def test_targets_of_the_other_kind_are_refused_with_those_that_fit():
    asked = OptimizeModel.model_validate({"model": "writer", "targets": "onnx, gguf-q8"})
    with pytest.raises(InvalidInput, match="onnx cannot be made of a language model") as refused:
        targets_of(asked, "language-model")
    assert "gguf-q4" in str(refused.value.hint)
    with pytest.raises(InvalidInput, match="gguf-q8 cannot be made of a text classifier"):
        targets_of(asked, "classifier")
    plain = OptimizeModel.model_validate({"model": "writer"})
    assert targets_of(plain, "language-model") == ["gguf-q8", "gguf-q4"]


def test_the_loss_of_answers_is_their_f1s_and_paired():
    right = ["code one", "code two", "code three", "code four"] * 10
    same = paired_answers(right, right, right)
    assert (same.points, same.agreement) == (0, 1)
    assert same.low < 0 < same.high
    worse = paired_answers(right, right, ["nothing", *right[1:]])
    assert worse.points == pytest.approx(2.5)
    assert worse.low < 2.5 < worse.high
    assert worse.agreement == pytest.approx(39 / 40)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_smollm2_in_gguf_is_proved_beside_its_parent_and_served(
    tmp_path: Path, call: Callable[..., Any], finished: Callable[..., dict[str, Any]], kernel: Any
):
    from edge.engines.llamacpp import load
    from edge.profiles import PROFILES
    from tests.registry.trained import add_training
    from tools.kernel.assets import AssetMissing, asset_path

    try:
        base = asset_path("smollm2")
    except AssetMissing:
        pytest.skip("smollm2 has not been fetched: scripts/bootstrap.sh smollm2")
    folder = tmp_path / "trained"
    folder.mkdir()
    write_trained(folder, "smollm2", base)
    towns = ("France", "Italy", "Norway", "Spain", "Peru", "Japan", "Kenya", "Chile")
    rows = [
        {"prompt": f"{'Please: ' * i}the capital of {t}?", "completion": t, "split": split}
        for i, split in enumerate(("train", "test"))
        for t in (towns[:3] if i else towns)
    ]
    path = tmp_path / "capitals.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call("datasets.add", path=str(path))
    job = add_training(
        kernel, files=folder, name="writer", dataset="capitals", base_model="smollm2",
        parameters={"seed": 5, "max_length": 128},
    )  # fmt: skip
    call("registry.register", job=job)
    targets = ["gguf-q8", "gguf-q4", "gguf-lora"]
    result = finished("training.optimize", model="writer", targets=targets, max_loss_points=100)
    assert (result["parent"]["metric"], result["rows"]) == ("token_f1", 3)
    for one in result["variants"]:
        assert one["error"] is None and one["version"] is not None
        assert 0 < one["size_ratio"] < 0.6
        assert all(one[n] > 0 for n in ("load_ms", "p50_ms", "p95_ms", "memory_mb"))
    versions = call("registry.describe", model="writer").result.model_dump()["versions"]
    assert {v["variant"] for v in versions} >= set(targets)
    with pytest.raises(InvalidInput, match="onnx cannot be made of a language model"):
        call("training.optimize", model="writer", version=1, targets=["onnx"])
    variant = made(folder, "gguf-lora", tmp_path / "served")
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    answer = load(variant / "model.gguf", PROFILES["phone"]).complete(body)
    assert answer["choices"][0]["message"]["role"] == "assistant"
