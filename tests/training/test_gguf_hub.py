"""Bases in the hub's format as GGUF: llama.cpp reads and answers as transformers does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.test_gguf import first_token, made, next_token, write_trained
from tools.kernel.errors import InvalidInput
from tools.training.optimizing.answering import open_server
from tools.training.optimizing.gguf_bases import base_of
from tools.training.optimizing.gguf_tokenizers import reading_of

CORPUS = [
    "the parcel from rome is late, and the invoice of 2024 is 1,234.56 too high\n",
    "where is my parcel? it's on the way; they've said it'll come in 3 days.\n\n",
    "def answer(question):\n    return {'code': question ** 2}  # what?!\n",
    "Zürich, naïve façade, Größe. Это не тест. 北京欢迎你 HTTP/1.1 GET_URL camelCase\n",
] * 8
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PLAIN_CHAT = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]\n{% endif %}"
)
BOS_CHAT = "{{ bos_token }}" + PLAIN_CHAT
SMALL: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 128,
}


def bytewise(cut: str, ignore_merges: bool = False) -> Any:
    """A byte-level tokenizer, trained on a few sentences."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    def level(regex: bool) -> Any:
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)

    steps: dict[str, list[Any]] = {
        "gpt-2": [level(True)],
        "smollm": [pre_tokenizers.Digits(individual_digits=True), level(True)],
    }
    split = pre_tokenizers.Split(Regex(cut), "isolated")
    tokenizer: Any = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps.get(cut, [split, level(False)]))
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken("<tool>", special=False)])
    return tokenizer


def sentencepiece(spaces: str, folder: Path) -> Any:
    """A tokenizer as Llama 2's is, made of a SentencePiece model that was trained here."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers.tokenization_utils_base import generate_merges

    (folder / "corpus.txt").write_text("".join(CORPUS), encoding="utf-8")
    train: Any = SentencePieceTrainer.train
    train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "spm"), model_type="bpe",
        vocab_size=600, byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, minloglevel=2, character_coverage=0.98,
    )  # fmt: skip
    read: Any = SentencePieceProcessor()
    read.LoadFromFile(str(folder / "spm.model"))
    words = {read.IdToPiece(i): i for i in range(read.vocab_size())}
    merges = generate_merges(words, skip_tokens={"<unk>", "<s>", "</s>"})
    model = models.BPE(
        vocab=words, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )
    tokenizer: Any = Tokenizer(model)
    if spaces == "normalizer":
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", spaces, split=False)
    steps: Any = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens(
        [AddedToken(word, special=True, normalized=False) for word in ("<unk>", "<s>", "</s>")]
    )
    return tokenizer


def write_hub_base(
    folder: Path, tokenizer: Any, template: str, kind: str = "llama", **more: Any
) -> Path:
    """A random model of two layers, as transformers saves it, some rows without a word."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(5)
    rows = tokenizer.get_vocab_size() + 7
    given = {**SMALL, "initializer_range": 0.06, "vocab_size": rows, **more}
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **given))
    for name, weights in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weights, std=0.5)
    model.to(torch.bfloat16).save_pretrained(str(folder))
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    wrapped.chat_template = template
    wrapped.save_pretrained(str(folder))
    return folder


def trained_on(base: Path) -> Path:
    """An adapter on a base."""
    return write_trained(base.with_name(f"{base.name}-trained"), str(base), base)


def told_apart(trained: Path, target: str, folder: Path) -> float:
    """How far llama.cpp's probabilities of the next token are from the trained model's, in nats."""
    import torch

    from tools.training.language.folder import load_language_model

    model: Any = load_language_model(trained)
    text = "the parcel from rome is late, and where is the invoice of 2024? " * 3
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        wanted = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    found = first_token(made(trained, target, folder), ids)
    return max(abs(found[i] - float(wanted[i])) for i in found)


def greedy(folder: Path, ids: list[int], count: int) -> list[int]:
    """The tokens that llama.cpp finds most probable, one after another."""
    server = open_server(folder, "model.gguf", 256)
    said: list[int] = []
    for _ in range(count):
        said.append(next(iter(next_token(server, [*ids, *said]))))
    return said


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {"attention_bias": True, "tie_word_embeddings": True}),
        ("llama", {"rope_parameters": LLAMA3, "head_dim": 32}),
        ("llama", {"rope_parameters": {**YARN, "rope_type": "linear"}}),
        ("llama", {"rope_parameters": YARN}),
        ("mistral", {"sliding_window": 300}),
        ("qwen2", {}),
        ("qwen3", {"head_dim": 32}),
    ],
    ids=["llama", "llama3-rope", "linear-rope", "yarn-rope", "mistral", "qwen2", "qwen3"],
)
def test_a_base_of_the_hub_keeps_its_probabilities_in_llama_cpp(
    tmp_path: Path, kind: str, more: dict[str, Any]
):
    base = write_hub_base(tmp_path / "base", bytewise("smollm"), PLAIN_CHAT, kind, **more)
    trained = trained_on(base)
    assert told_apart(trained, "gguf-q8", tmp_path) < 0.1
    assert told_apart(trained, "gguf-lora", tmp_path) < 0.02


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_a_converted_base_is_read_back_as_it_was_and_is_a_base_itself(tmp_path: Path, kind: str):
    import shutil

    import torch

    from tools.training.language.bases import load_model, ready

    base = write_hub_base(tmp_path / "base", bytewise("gpt-2"), PLAIN_CHAT, kind)
    converted = made(trained_on(base), "gguf-lora", tmp_path)
    file = tmp_path / "file"
    file.mkdir()
    shutil.copyfile(converted / "model.gguf", file / "model.gguf")
    one, other = (load_model(ready(f), torch.float32).state_dict() for f in (base, file))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert told_apart(trained_on(file), "gguf-q8", tmp_path) < 0.1


def test_llama_cpp_says_the_tokens_that_transformers_says(tmp_path: Path):
    import torch

    from tools.training.language.folder import load_language_model

    base = write_hub_base(tmp_path / "base", bytewise("gpt-2"), PLAIN_CHAT)
    trained = trained_on(base)
    model: Any = load_language_model(trained)
    ids = model.tokenizer("where is my parcel?", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        said = model.model.generate(
            torch.tensor([ids]), max_new_tokens=12, do_sample=False, eos_token_id=-1
        )
    assert greedy(made(trained, "gguf-lora", tmp_path), ids, 12) == said[0, len(ids) :].tolist()


def spoken(folder: Path, text: str) -> list[int]:
    """A question's tokens in llama.cpp, through the chat template of the file."""
    import httpx

    server = open_server(folder, "model.gguf", 256)
    asked = {"messages": [{"role": "user", "content": text}]}

    def posted(where: str, body: dict[str, Any]) -> Any:
        found = httpx.post(f"{server.listening_address}/{where}", json=body, trust_env=False)
        return found.raise_for_status().json()

    prompt = posted("apply-template", asked)["prompt"]
    body = {"content": prompt, "add_special": True, "parse_special": True}
    return posted("tokenize", body)["tokens"]


@pytest.mark.parametrize(
    ("cut", "template", "told"),
    [
        ("gpt-2", PLAIN_CHAT, "gpt-2"),
        ("smollm", BOS_CHAT, "smollm"),
        (WORDS.replace("DIGITS", ""), PLAIN_CHAT, "qwen2"),
        (WORDS.replace("DIGITS", "{1,3}"), BOS_CHAT, "dbrx"),
        (WORDS.replace("DIGITS", "{1,3}"), BOS_CHAT, "llama-bpe"),
        ("always", PLAIN_CHAT, "default"),
        ("normalizer", BOS_CHAT, "default"),
        ("first", PLAIN_CHAT, "default"),
        ("first", BOS_CHAT, "default"),
        ("never", BOS_CHAT, "default"),
    ],
)
def test_llama_cpp_reads_a_chat_as_the_tokenizer_of_the_base_does(
    tmp_path: Path, cut: str, template: str, told: str
):
    from gguf import GGUFReader

    from tools.training.language.bases import load_tokenizer
    from tools.training.language.rows import question_ids

    if told == "default":
        tokenizer = sentencepiece(cut, tmp_path)
    else:
        tokenizer = bytewise(cut, ignore_merges=told == "llama-bpe")
    trained = trained_on(write_hub_base(tmp_path / "base", tokenizer, template))
    variant = made(trained, "gguf-q8", tmp_path)
    fields = GGUFReader(str(variant / "model.gguf")).fields
    assert fields["tokenizer.ggml.pre"].contents() == told
    text = "is it 20245 or\n\n  3,5? Größe; 北京 😀 <tool> they'll\tknow  "
    wanted = question_ids(load_tokenizer(trained), [{"role": "user", "content": text}], 256)
    assert spoken(variant, text) == wanted


def test_a_chat_that_llama_cpp_reads_in_another_way_is_refused(tmp_path: Path):
    from tokenizers import AddedToken

    tokenizer = bytewise("gpt-2")
    tokenizer.add_tokens([AddedToken("<ask>", lstrip=True, special=True)])
    base = write_hub_base(tmp_path / "base", tokenizer, "A question: <ask>" + PLAIN_CHAT)
    with pytest.raises(InvalidInput, match="reads the chat 'Where is my parcel"):
        made(trained_on(base), "gguf-q8", tmp_path)


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    told = json.loads(file.read_text("utf-8"))
    change(told)
    file.write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"model_type": "gemma3_text"}, "is a gemma3_text; GGUF variants are made of llama, mist"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "rotary embedding longrope"),
        ({"rope_scaling": {"type": "yarn", "mscale": 2}}, "rotary embedding yarn with mscale"),
        ({"quantization_config": {"quant_method": "gptq"}}, r"weights packed \(gptq\)"),
        ({"hidden_act": "gelu"}, "activation gelu"),
    ],
)
def test_a_base_that_llama_cpp_cannot_hold_is_refused_by_what_it_is(
    tmp_path: Path, more: dict[str, Any], why: str
):
    trained = trained_on(write_hub_base(tmp_path / "base", bytewise("gpt-2"), PLAIN_CHAT))
    base_of(trained)
    changed(tmp_path / "base" / "config.json", lambda told: told.update(more))
    with pytest.raises(InvalidInput, match=why) as refused:
        base_of(trained)
    assert "smollm2" in str(refused.value.hint)


def test_a_tokenizer_that_llama_cpp_does_not_know_is_refused_by_what_it_is():
    told: dict[str, Any] = json.loads(bytewise("gpt-2").to_str())
    assert reading_of(told).pre == "gpt-2"
    whitespace = {"pre_tokenizer": {"type": "Whitespace"}}
    for other, why in (
        (whitespace, "first cuts texts by .*Whitespace"),
        ({"normalizer": {"type": "Lowercase"}}, "no known name"),
        ({"model": {"type": "Unigram"}}, "is Unigram"),
        ({"model": {**told["model"], "byte_fallback": True}, **whitespace}, "spaces in a way of"),
    ):
        with pytest.raises(InvalidInput, match=why):
            reading_of({**told, **other})
    with pytest.raises(InvalidInput, match="first cuts texts by plain"):
        reading_of({**told, "model": {**told["model"], "ignore_merges": True}})


def test_merges_that_sentencepiece_would_do_in_another_order_are_refused(tmp_path: Path):
    tokenizer = sentencepiece("first", tmp_path)
    trained = trained_on(write_hub_base(tmp_path / "base", tokenizer, PLAIN_CHAT))
    changed(trained / "tokenizer.json", lambda told: told["model"]["merges"].reverse())
    changed(trained / "tokenizer.json", lambda told: told["model"]["merges"].pop())
    with pytest.raises(InvalidInput, match="merges in another order than SentencePiece"):
        made(trained, "gguf-q8", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_was_trained_on_a_folder_of_the_hub_is_proved_in_llama_cpp_and_registered(
    tmp_path: Path, call: Callable[..., Any], finished: Callable[..., dict[str, Any]]
):
    from tests.training.language.conftest import questions, write_rows

    base = write_hub_base(tmp_path / "base", bytewise("gpt-2"), BOS_CHAT, tie_word_embeddings=True)
    rows = [
        {**row, "prompt": f"{row['prompt']} {split} {i}", "split": split}
        for split, count in (("train", 320), ("validation", 16), ("test", 16))
        for i, row in enumerate(questions(count))
    ]
    call("datasets.add", path=str(write_rows(tmp_path / "towns.jsonl", rows)))
    trained = finished(
        "training.start", dataset="towns", base_model=str(base), method="full", epochs=4,
        learning_rate=1e-3, max_length=128,
    )  # fmt: skip
    call("registry.register", job=trained["job"], model="town-writer")
    with pytest.raises(InvalidInput, match="left no adapter to keep apart"):
        call("training.optimize", model="town-writer", targets=["gguf-lora"])
    made_of_it = finished("training.optimize", model="town-writer", targets=["gguf-q8"])
    [one] = made_of_it["variants"]
    assert one["error"] is None and one["version"] is not None, one
    assert made_of_it["parent"]["accuracy"] > 0.6
    assert one["agreement"] > 0.9


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_smollm2_as_a_folder_of_the_hub_becomes_what_it_becomes_as_a_gguf_file(tmp_path: Path):
    import shutil

    import numpy as np
    from gguf import GGUFReader

    from tests.training.language.smollm2 import fetched
    from tools.training.language.bases import ready
    from tools.training.optimizing.answering import LlamaVariant, open_answering

    file = fetched()
    hub = Path(shutil.copytree(ready(file), tmp_path / "base"))
    variants: dict[str, Path] = {}
    for name, base, files in (("file", "smollm2", file), ("hub", str(hub), hub)):
        (tmp_path / name / "trained").mkdir(parents=True, exist_ok=True)
        trained = write_trained(tmp_path / name / "trained", base, files)
        variants[name] = made(trained, "gguf-q8", tmp_path / name)
    variants["apart"] = made(tmp_path / "hub" / "trained", "gguf-lora", tmp_path / "hub")
    one, other = (
        {t.name: t for t in GGUFReader(str(variants[name] / "model.gguf")).tensors}
        for name in ("file", "hub")
    )
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name].data, other[name].data) for name in one)
    chats: list[Any] = [
        [{"role": "user", "content": text}]
        for text in ("What is the capital of France?", "Name a colour.", "Is 2024 a leap year?")
    ]
    parent = open_answering(tmp_path / "hub" / "trained")
    said = {name: LlamaVariant(folder) for name, folder in variants.items()}
    for chat in chats:
        assert said["hub"].answer(chat) == said["file"].answer(chat)
        assert said["apart"].answer(chat)[:24] == parent.answer(chat)[:24]
