"""A two-layer random encoder and a small dataset: trainings that take seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WORDS = (
    *("red", "green", "blue", "seven", "eight", "nine", "printer", "invoice", "slow", "broken"),
    *("please", "help", "my", "the", "is", "it", "now", "why"),
)


def make_base_model(folder: Path) -> Path:
    """A BERT encoder with random weights and a word tokenizer."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    from tools.training.encoder import Encoder, EncoderConfig

    folder.mkdir(parents=True)
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    vocabulary |= {word: 4 + i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    sizes = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
    }
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **sizes}))
    torch.manual_seed(5)
    encoder = Encoder(EncoderConfig(**sizes))
    weights = {name: value.clone() for name, value in encoder.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def rows(count: int) -> list[dict[str, str]]:
    """Texts whose class is the colour in them."""
    import random

    shuffle = random.Random(3)
    found: list[dict[str, str]] = []
    for i in range(count):
        colour = ("red", "green", "blue")[i % 3]
        words = shuffle.choices(WORDS[3:], k=shuffle.randint(2, 9))
        words.insert(shuffle.randint(0, len(words)), colour)
        found.append({"text": " ".join(words), "label": colour})
    return found


def write_rows(path: Path, values: list[dict[str, str]]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random encoder's folder."""
    return make_base_model(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A file of 240 labelled rows."""
    return write_rows(tmp_path / "colours.jsonl", rows(240))
