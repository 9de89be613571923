"""Which layers of a base model get LoRA's matrices: checked against those that it really has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.kernel.entities import nearest
from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from tools.training.types import StartTraining

ALL, ATTENTION = "all-linear", "attention"
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_LAYER = re.compile(r"^.*?\.\d+\.")
_MOST_NAMED = 12


def targets_of(args: StartTraining, task: str) -> list[str]:
    """The modules that are to get matrices, as peft takes them; empty for all linear layers.

    Args:
        args: the training; `target_modules` says which.
        task: what is trained; a language model's layers have other names than an encoder's.

    Raises:
        InvalidInput: if the base model has no linear layer of such a name.
    """
    wanted = args.target_modules
    if wanted is None or wanted == ALL:
        return []
    layers = linear_layers(args.base_model, task)
    return chosen(wanted, layers, args.base_model)


def chosen(wanted: str, layers: Sequence[str], base_model: str) -> list[str]:
    """Those of a model's linear layers that are wanted, as names that peft finds them by.

    Args:
        wanted: names with commas between, or `attention`.
        layers: their paths in the model.
        base_model: whose they are.

    Raises:
        InvalidInput: naming what the model has.
    """
    names = list(dict.fromkeys(re.findall(r"[^\s,]+", wanted)))
    if names == [ATTENTION]:
        names = _of_attention(layers)
    known = sorted({layer.rpartition(".")[2] for layer in layers})
    for name in names:
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            raise InvalidInput(
                f"{base_model} has no linear layer named {name!r}.",
                suggestions=nearest(name, known),
                hint=f"It has {', '.join(known[:_MOST_NAMED])}; or say attention, or all-linear.",
            )
    if not names:
        raise InvalidInput(
            f"No layer of {base_model} is named as attention's are.",
            hint=f"It has {', '.join(known[:_MOST_NAMED])}.",
        )
    return sorted(names)


def _of_attention(layers: Sequence[str]) -> list[str]:
    """Names that attention's layers have and no other layer: the last part, or the path."""
    inside = {layer for layer in layers if _ATTENTION.search(layer)}
    others = {layer.rpartition(".")[2] for layer in layers if layer not in inside}
    found: set[str] = set()
    for layer in inside:
        last = layer.rpartition(".")[2]
        found.add(_LAYER.sub("", layer) if last in others else last)
    return sorted(found)


def linear_layers(base_model: str, task: str) -> list[str]:
    """The paths of a base model's linear layers, its output's left out; no weights are read.

    Raises:
        InvalidInput: if its configuration describes no such model.
    """
    import torch
    from torch import nn

    with torch.device("meta"):
        model = _language_model(base_model) if task == "language" else _encoder(base_model)
    output = model.get_output_embeddings() if task == "language" else None
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not output
    ]


def _encoder(base_model: str) -> Any:
    from tools.training.base_models import folder
    from tools.training.encoder import Encoder, EncoderConfig

    return Encoder(EncoderConfig.read(folder(base_model)))


def _language_model(base_model: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    from tools.training.base_models import folder
    from tools.training.language.bases import config_of

    told = dict(config_of(folder(base_model)))
    try:
        return AutoModelForCausalLM.from_config(
            AutoConfig.for_model(told.pop("model_type"), **told)
        )
    except (KeyError, ValueError) as error:
        why = str(error).splitlines()[0][:200]
        raise InvalidInput(f"{base_model} is no language model to train: {why}") from error
