"""A real classifier, tiny: a random one-layer encoder and a head fitted by least squares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

LEAKED = 2
"""Test rows of the dataset that its training split has too."""
LABELS = ("billing", "login", "shipping")
WORDS = {
    "billing": ("invoice", "charged", "refund", "card"),
    "login": ("password", "account", "locked", "code"),
    "shipping": ("parcel", "courier", "late", "address"),
}
_FILLER = ("the", "my", "is", "was", "please", "why", "again", "today", "help", "still")
_SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


def sentences(rows: int, start: int = 0, noise: int = 4) -> list[tuple[str, str]]:
    """Texts and labels, all different; every `noise`-th text has another class's word."""
    made: list[tuple[str, str]] = []
    for number in range(start, start + rows):
        label = LABELS[number % 3]
        wrong = number % noise == 0
        word = WORDS[LABELS[(number + 1) % 3] if wrong else label][number // 3 % 4]
        filler = [_FILLER[number // step % 10] for step in (1, 10, 100, 7)]
        made.append((" ".join([filler[0], filler[1], word, filler[2], filler[3]]), label))
    return made


def write_base(folder: Path, seed: int = 1) -> Path:
    """A base model's folder with random weights."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    from tools.training.encoder import Encoder, EncoderConfig

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    save_file(Encoder(EncoderConfig(**_SIZES)).state_dict(), folder / "model.safetensors")
    words = ["[PAD]", "[UNK]", *_FILLER, *(w for words in WORDS.values() for w in words)]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(_SIZES))
    return folder


def write_classifier(folder: Path, base: Path, train: Sequence[tuple[str, str]]) -> Path:
    """A classifier's folder whose head was fitted to the rows."""
    import torch
    from safetensors.torch import save_file

    from tools.training.batching import pad
    from tools.training.encoder import load_encoder, mean_pool
    from tools.training.export import load_tokenizer

    folder.mkdir(parents=True)
    tokenizer, encoder = load_tokenizer(base, 16), load_encoder(base)
    ids = [tokenizer.encode(text).ids for text, _ in train]
    with torch.inference_mode():
        tokens, mask = pad(ids)
        features = mean_pool(encoder(tokens, mask), mask)
    wanted = torch.tensor([[float(label == name) for name in LABELS] for _, label in train])
    biased = torch.cat([features, torch.ones(len(ids), 1)], dim=1)
    solved = torch.linalg.lstsq(biased, 6 * wanted - 3, driver="gelsd").solution.T
    head = {"weight": solved[:, :-1].contiguous(), "bias": solved[:, -1].contiguous()}
    save_file(head, folder / "head.safetensors")
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    labels = {str(place): label for place, label in enumerate(LABELS)}
    (folder / "config.json").write_text(json.dumps({**_SIZES, "id2label": labels}))
    (folder / "labels.json").write_text(json.dumps(LABELS))
    facts = {"format": 1, "base_model": str(base), "method": "full", "max_length": 16}
    (folder / "classifier.json").write_text(json.dumps(facts))
    return folder
