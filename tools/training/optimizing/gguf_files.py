"""GGUF files of a trained language model: all in one file, or the adapter beside its base.

Sizes, tokenizer and tensor names come from the base model (`gguf_bases`); the chat template is the
one that the training used. Where the tokenizer had to be told in GGUF's words, llama.cpp must read
chats as the trained model does (`gguf_proving`).

An adapter's file is what llama.cpp's `convert_lora_to_gguf.py` writes: `adapter.lora.alpha` and for
every adapted matrix `NAME.lora_a` (rank × inputs) and `NAME.lora_b` (outputs × rank).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.gguf_bases import Base, base_of, finish
from tools.training.optimizing.gguf_quantising import q4_type, q8_type, quantised

if TYPE_CHECKING:
    import numpy.typing as npt

    from tools.training.optimizing.targets import LanguageSource

    Array = npt.NDArray[Any]

MODEL = "model.gguf"
ADAPTER = "adapter.gguf"
PLAIN = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
"""What a training without a chat template shows the model."""
_Q8_0, _Q4_K_M = 7, 15  # LLAMA_FTYPE of llama.h


def q8(source: LanguageSource, out: Path) -> None:
    """Write the whole model in Q8_0, what was learnt in its weights."""
    _write_model(source, out, _Q8_0, q8_type)


def q4(source: LanguageSource, out: Path) -> None:
    """Write the whole model in the mix Q4_K_M, what was learnt in its weights."""
    _write_model(source, out, _Q4_K_M, q4_type)


def apart(source: LanguageSource, out: Path) -> None:
    """Write the base as it is, and what was learnt as an adapter beside it.

    Raises:
        InvalidInput: if the training left no low-rank adapter that llama.cpp knows, or llama.cpp
            reads chats in another way.
    """
    from tools.training.language.bases import load_tokenizer

    base = base_of(source.folder)
    config = adapter_config(source.folder)
    tokenizer = load_tokenizer(source.folder)
    source.report(0.1, "writing the adapter")
    _write_adapter(base, source.folder, config, out / ADAPTER)
    source.report(0.3, "writing the base")
    base.copy(out / MODEL, tokenizer, _template(tokenizer))
    source.report(0.9, "comparing the tokens")
    base.prove(out, MODEL, tokenizer)


def _write_adapter(base: Base, folder: Path, config: dict[str, Any], out: Path) -> None:
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    writer = GGUFWriter(str(out), base.shape.kind)
    rank, alpha = float(config["r"]), float(config["lora_alpha"])
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    # llama.cpp scales by alpha / rank, and a rank-stabilised adapter is scaled by alpha / √rank.
    writer.add_float32("adapter.lora.alpha", alpha * math.sqrt(rank) if _stable(config) else alpha)
    learnt = load_file(folder / "adapter" / "adapter_model.safetensors")
    for key, weights in sorted(learnt.items()):
        module, _, part = key.removeprefix("base_model.model.").partition(".lora_")
        name = base.shape.name(f"{module}.weight")
        matrix = weights.astype("float32")
        if part.startswith("B"):
            matrix = base.shape.ordered(name, matrix)
        writer.add_tensor(f"{name}.lora_{part[0].lower()}", matrix)
    finish(writer)


def adapter_config(folder: Path) -> dict[str, Any]:
    """The settings of a trained adapter that llama.cpp can apply.

    Raises:
        InvalidInput: if there is none, with what fits instead.
    """
    fits = "`gguf-q8` and `gguf-q4` have what was learnt in their weights."
    try:
        config: dict[str, Any] = json.loads(
            (folder / "adapter" / "adapter_config.json").read_text()
        )
    except FileNotFoundError:
        raise InvalidInput("The training left no adapter to keep apart.", hint=fits) from None
    if config.get("peft_type") != "LORA":
        raise InvalidInput("llama.cpp has no virtual tokens; a LoRA adapter can be kept apart.")
    if config.get("use_dora"):
        raise InvalidInput("llama.cpp applies no DoRA adapter; it must be merged.", hint=fits)
    return config


def _stable(config: dict[str, Any]) -> bool:
    return bool(config.get("use_rslora"))


def _write_model(source: LanguageSource, out: Path, kind: int, type_of: Callable[..., Any]) -> None:
    from gguf import GGUFWriter

    from tools.training.language.folder import load_language_model

    base = base_of(source.folder)
    source.report(0.05, "adding what was learnt to the weights")
    loaded = load_language_model(source.folder)
    writer = GGUFWriter(str(out / MODEL), base.shape.kind)
    base.describe(writer, loaded.model, loaded.tokenizer, _template(loaded.tokenizer))
    writer.add_file_type(kind)
    writer.add_quantization_version(2)
    for name, weights in _tensors(base, loaded.model, source.report):
        if weights.ndim == 1:
            writer.add_tensor(name, weights)
            continue
        chosen = type_of(name, weights.shape[1], base.shape.layers, tied=base.shape.tied)
        writer.add_tensor(name, quantised(weights, chosen), raw_dtype=chosen)
    finish(writer)
    source.report(0.95, "comparing the tokens")
    base.prove(out, MODEL, loaded.tokenizer)


def _tensors(
    base: Base, model: Any, report: Callable[[float, str], None]
) -> Iterator[tuple[str, Array]]:
    """Every tensor, with the trained weights, in float32 and llama.cpp's order."""
    yield from base.constants(model)
    count = len(model.state_dict())
    for place, (name, weights) in enumerate(base.shape.tensors(model)):
        report(0.2 + 0.7 * place / count, f"quantising {name}")
        yield name, weights


def _template(tokenizer: Any) -> str:
    """The chat template that the training used."""
    return str(tokenizer.get_chat_template()) if tokenizer.chat_template else PLAIN
