"""A two-layer random Llama and questions with a rule: trainings that take seconds."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

TOWNS = ("rome", "oslo", "bern", "kiev", "lima", "cairo", "delhi", "tokyo")
WORDS = (
    *("<unk>", "<|im_start|>", "<|im_end|>", "system", "user", "assistant", "\n", "be", "brief"),
    *("which", "code", "has", "please", "now", "then", "tell", "me", "it", "is", *TOWNS),
    *(f"code-{town}" for town in TOWNS),
)
TEMPLATE = (
    "{% for m in messages %}<|im_start|> {{ m['role'] }} {{ m['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def make_language_model(folder: Path) -> Path:
    """A Llama with random weights, a word tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=2,
        bos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder


def questions(count: int) -> list[dict[str, str]]:
    """Questions for a town's code, in several lengths."""
    shuffle = random.Random(11)
    rows: list[dict[str, str]] = []
    for i in range(count):
        town = TOWNS[i % len(TOWNS)]
        filler = shuffle.choices(("please", "now", "then", "me", "tell"), k=shuffle.randint(0, 9))
        rows.append(
            {
                "prompt": " ".join([*filler, "which code has", town]),
                "completion": f"it is code-{town}",
            }
        )
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random Llama's folder."""
    return make_language_model(tmp_path_factory.mktemp("llama") / "tiny-llama")


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """A file of 400 questions with their answers."""
    return write_rows(tmp_path / "codes.jsonl", [dict(row) for row in questions(400)])
