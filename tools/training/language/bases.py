"""Generative base models: as transformers loads them, and a GGUF file made into such a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def ready(folder: Path) -> Path:
    """A folder that transformers can load: the folder itself, or its GGUF file made into one.

    The GGUF's weights are stored once as bfloat16, beside the folder, and shared by every home.

    Raises:
        InvalidInput: if the folder holds several GGUF files and no other weights.
        Unavailable: if it cannot be written.
    """
    files = sorted(folder.glob("*.gguf"))
    if (folder / "config.json").is_file() or not files:
        return folder
    if len(files) > 1:
        raise InvalidInput(f"{folder} holds {len(files)} GGUF files; keep one of them there.")
    target = folder.with_name(f"{folder.name}-torch")
    if not (target / "model.safetensors").is_file():
        _unpack(files[0], target)
    return target


def _unpack(file: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tools.training.folders import appearing

    where = {"gguf_file": file.name}
    try:
        with appearing(target) as staging:
            tokenizer: Any = AutoTokenizer.from_pretrained(str(file.parent), **where)
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(file.parent), dtype=torch.bfloat16, **where
            )
            write_model(model, staging)
            tokenizer.save_pretrained(str(staging))
    except OSError as error:
        raise Unavailable(
            f"{file.name} could not be unpacked to {target}: {error.strerror or error}.",
            hint="It needs about 300 MB; free some space and try again.",
        ) from error


def write_model(model: PreTrainedModel, folder: Path) -> None:
    """Write config.json and model.safetensors, whatever the weights were read from."""
    from safetensors.torch import save_model

    folder.mkdir(parents=True, exist_ok=True)
    config: Any = model.config
    config.__dict__.pop("quantization_config", None)
    config.architectures = [type(model).__name__]
    config.save_pretrained(str(folder))
    if model.can_generate():
        generation: Any = model.generation_config
        generation.save_pretrained(str(folder))
    save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder; has a padding token."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, dtype: torch.dtype, *, nf4: bool = False) -> PreTrainedModel:
    """The causal language model of a folder, its weights in `dtype` or in NF4.

    Raises:
        InvalidInput: if transformers finds no such model there.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    more: dict[str, Any] = {}
    if nf4:
        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=dtype, attn_implementation="sdpa", local_files_only=True, **more
        )
    except (ValueError, KeyError) as error:
        why = str(error).splitlines()[0][:200]
        raise InvalidInput(f"{folder} holds no language model to train: {why}") from error
    if nf4:
        for module in model.modules():
            # Measuring would repack the weights for a kernel that trains no more.
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
    return model


def config_of(folder: Path) -> dict[str, Any]:
    """The sizes of a model by the names of `config.json`, which a GGUF file has in its header.

    Raises:
        InvalidInput: if the folder has neither.
    """
    files = sorted(folder.glob("*.gguf"))
    if files and not (folder / "config.json").is_file():
        return _config_of_gguf(files[0])
    try:
        return json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{folder} has no readable config.json.") from None


_GGUF_NAMES = {
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "intermediate_size": "feed_forward_length",
    "vocab_size": "vocab_size",
    "max_position_embeddings": "context_length",
}


def _config_of_gguf(file: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    try:
        fields = GGUFReader(str(file)).fields
        kind = str(fields["general.architecture"].contents())
        sizes = {n: int(fields[f"{kind}.{g}"].contents()) for n, g in _GGUF_NAMES.items()}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{file} is no GGUF file of a language model.") from error
    return {"model_type": kind, **sizes}


def copy_tokenizer(folder: Path, target: Path) -> None:
    """Copy the tokenizer's files of a model folder."""
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
