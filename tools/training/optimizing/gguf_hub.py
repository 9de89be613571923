"""A base model in the hub's format, told in GGUF's words: what llama.cpp's converter writes of it.

Sizes and rotary embedding come from the loaded model's configuration, which has the defaults of its
architecture; the tokenizer is the trained model's (`gguf_tokenizers`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.gguf_bases import KINDS, Shape, finish, refuse_other_kinds
from tools.training.optimizing.gguf_tokenizers import add_tokenizer, reading_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFWriter

    Array = npt.NDArray[Any]

_ROPES = ("default", "linear", "llama3", "yarn")
_HELD = {
    "beta_fast": 32,
    "beta_slow": 1,
    "attention_factor": None,
    "mscale": None,
    "mscale_all_dim": None,
    "partial_rotary_factor": 1,
}
"""Settings of a rotary embedding that llama.cpp is not told of, and what it takes them for."""
_FACTORS = "rope_freqs.weight"


class HubBase:
    """A base that is a folder of the hub: config.json, safetensors and tokenizer.json.

    Args:
        name: as people name it.
        folder: the base model's files.
        trained: the folder that rests on it, with the tokenizer that it learnt with.

    Raises:
        InvalidInput: if llama.cpp cannot hold it, with what would do.
    """

    def __init__(self, name: str, folder: Path, trained: Path) -> None:
        from tools.training.language.bases import config_of

        self._folder = folder
        told = config_of(folder)
        kind = str(told.get("model_type"))
        refuse_other_kinds(name, kind, kind in KINDS)
        _refuse_unheld(name, told, KINDS[kind])
        reading_of(_tokenizer_file(name, trained))
        heads = int(told["num_attention_heads"])
        self.shape = Shape(
            kind=KINDS[kind],
            layers=int(told["num_hidden_layers"]),
            heads=heads,
            shared=int(told.get("num_key_value_heads") or heads),
            tied=bool(told.get("tie_word_embeddings", False)),
        )

    def describe(self, writer: GGUFWriter, model: Any, tokenizer: Any, template: str) -> None:
        """See `Base`."""
        config = model.config
        width = _head_width(config)
        # Nothing in these architectures tells llama.cpp of a window: within it there is none.
        window = getattr(config, "sliding_window", None) or config.max_position_embeddings
        writer.add_context_length(min(window, config.max_position_embeddings))
        writer.add_embedding_length(config.hidden_size)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(self.shape.heads)
        writer.add_head_count_kv(self.shape.shared)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_key_length(width)
        writer.add_value_length(width)
        writer.add_rope_dimension_count(width)
        writer.add_vocab_size(config.vocab_size)
        _add_rope(writer, config)
        add_tokenizer(writer, tokenizer, config.vocab_size, template)

    def constants(self, model: Any) -> Iterator[tuple[str, Array]]:
        """See `Base`; by how much Llama 3 slows every pair of its rotary embedding down."""
        import torch

        config = model.config
        if config.rope_parameters["rope_type"] == "llama3":
            slowed: Any = model.model.rotary_emb.inv_freq.float().cpu()
            places = torch.arange(0, _head_width(config), 2).float() / _head_width(config)
            yield _FACTORS, (config.rope_parameters["rope_theta"] ** -places / slowed).numpy()

    def copy(self, out: Path, tokenizer: Any, template: str) -> None:
        """See `Base`; every matrix in the smallest format that has its values exactly."""
        import torch
        from gguf import GGUFWriter

        from tools.training.language.bases import load_model
        from tools.training.optimizing.gguf_quantising import exact_type, quantised

        model = load_model(self._folder, torch.float32)
        writer = GGUFWriter(str(out), self.shape.kind)
        self.describe(writer, model, tokenizer, template)
        for name, weights in chain(self.constants(model), self.shape.tensors(model)):
            kind = exact_type(weights)
            writer.add_tensor(name, quantised(weights, kind), raw_dtype=kind)
        finish(writer)

    def prove(self, folder: Path, entry: str, tokenizer: Any) -> None:
        """See `Base`; chats are compared token for token."""
        from tools.training.optimizing.gguf_proving import refuse_other_tokens

        refuse_other_tokens(folder, entry, tokenizer)


def _refuse_unheld(name: str, told: Mapping[str, Any], kind: str) -> None:
    given = told.get("rope_scaling") or told.get("rope_parameters") or {}
    rope = str(given.get("rope_type") or given.get("type") or "default")
    own = sorted(n for n, held in _HELD.items() if given.get(n) not in (None, held))
    packed = told.get("quantization_config")
    why = None
    if packed:
        why = f"holds its weights packed ({packed.get('quant_method', 'quantised')})"
    elif told.get("hidden_act", "silu") != "silu":
        why = f"has the activation {told['hidden_act']}, and llama.cpp's {kind} has silu"
    elif rope not in _ROPES or own or (rope == "llama3" and kind != "llama"):
        rope = " with ".join([rope, *own])
        why = f"has the rotary embedding {rope}, and llama.cpp's {kind} is told of no such one"
    if why:
        raise InvalidInput(
            f"The base model {name} {why}.", hint="Train on its plain weights, or on smollm2."
        )


def _add_rope(writer: GGUFWriter, config: Any) -> None:
    from gguf import RopeScalingType

    given = config.rope_parameters
    writer.add_rope_freq_base(given["rope_theta"])
    if given["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(given["factor"])
    elif given["rope_type"] == "yarn":
        writer.add_rope_scaling_type(RopeScalingType.YARN)
        writer.add_rope_scaling_factor(given["factor"])
        before = given.get("original_max_position_embeddings") or config.max_position_embeddings
        writer.add_rope_scaling_orig_ctx_len(before)


def _head_width(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _tokenizer_file(name: str, trained: Path) -> dict[str, Any]:
    try:
        return json.loads((trained / "tokenizer.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise InvalidInput(
            f"What was trained on {name} has no readable tokenizer.json.",
            hint="Save the base with transformers' save_pretrained, and train on that folder.",
        ) from None
