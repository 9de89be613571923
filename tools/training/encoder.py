"""A BERT encoder in plain PyTorch, with the parameter names that published weights use.

Plain, because loading a model for prediction then costs one import of torch, because layers can be
run from and to any depth (training caches what its frozen layers say), and because it exports to
ONNX without special cases. Covers the `bert` family: MiniLM, BERT, BGE, E5, GTE and their like.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tools.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The sizes of an encoder, named as in its `config.json`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    attention_head_size: int | None = None
    """Where heads were pruned; an even share of the hidden size if not given."""

    @property
    def head_size(self) -> int:
        """Numbers of one attention head."""
        return self.attention_head_size or self.hidden_size // self.num_attention_heads

    @classmethod
    def read(cls, folder: Path) -> EncoderConfig:
        """Read a model folder's `config.json`."""
        raw = json.loads((folder / "config.json").read_text())
        return cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})


class _Embeddings(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)

    def forward(self, input_ids: Tensor) -> Tensor:
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        summed = self.word_embeddings(input_ids) + self.position_embeddings(positions)
        return self.LayerNorm(summed + self.token_type_embeddings.weight[0])


class _SelfAttention(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        inner = self.heads * config.head_size
        self.query = nn.Linear(config.hidden_size, inner)
        self.key = nn.Linear(config.hidden_size, inner)
        self.value = nn.Linear(config.hidden_size, inner)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = hidden.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, length, self.heads, x.shape[2] // self.heads).transpose(1, 2)

        query, key = split(self.query(hidden)), split(self.key(hidden))
        value = split(self.value(hidden))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(batch, length, value.shape[1] * value.shape[3])


class _Output(nn.Module):
    def __init__(self, config: EncoderConfig, inputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(hidden) + residual)


class _Attention(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.self = _SelfAttention(config)
        self.output = _Output(config, config.num_attention_heads * config.head_size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.self(hidden, mask), hidden)


class _Intermediate(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return functional.gelu(self.dense(hidden))


class _Layer(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = _Intermediate(config)
        self.output = _Output(config, config.intermediate_size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        attended = self.attention(hidden, mask)
        return self.output(self.intermediate(attended), attended)


class _Layers(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class Encoder(nn.Module):
    """Token ids in, one hidden vector a token out.

    Args:
        config: its sizes.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = _Layers(config)
        self.checkpointing = False  # True: activations are computed twice instead of kept

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The hidden states after the last layer.

        Args:
            input_ids: token ids, batch × length.
            attention_mask: 1 for tokens, 0 for padding, batch × length.
        """
        return self.upper(self.embeddings(input_ids), attention_mask, 0)

    def lower(self, input_ids: Tensor, attention_mask: Tensor, depth: int) -> Tensor:
        """The hidden states after the first `depth` layers."""
        hidden, mask = self.embeddings(input_ids), wide(attention_mask)
        for layer in list(self.encoder.layer)[:depth]:
            hidden = layer(hidden, mask)
        return hidden

    def upper(self, hidden: Tensor, attention_mask: Tensor, depth: int) -> Tensor:
        """From the hidden states after `depth` layers to those after the last."""
        mask = wide(attention_mask)
        for layer in list(self.encoder.layer)[depth:]:
            if self.checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, mask, use_reentrant=False)
            else:
                hidden = layer(hidden, mask)
        return hidden


def wide(attention_mask: Tensor) -> Tensor:
    """A padding mask as attention takes it: true where a token may be looked at."""
    return attention_mask[:, None, None, :].bool()


def load_encoder(folder: Path) -> Encoder:
    """An encoder with the weights of a model folder.

    Raises:
        InvalidInput: if the folder's weights do not fit its configuration.
    """
    encoder = Encoder(EncoderConfig.read(folder))
    found = _read_weights(folder)
    weights = {_plain(name): value for name, value in found.items()}
    missing, _ = encoder.load_state_dict(weights, strict=False)
    if missing:
        raise InvalidInput(f"{folder} is no complete BERT model: {missing[0]} is missing.")
    return encoder.eval()


def _read_weights(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"The weights in {folder} cannot be read: {error}.") from None


def _plain(name: str) -> str:
    old = name.removeprefix("bert.").removeprefix("model.")
    return old.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def mean_pool(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean of the hidden states over the tokens that are not padding."""
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
