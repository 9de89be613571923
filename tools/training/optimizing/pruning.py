"""Structured pruning: whole feed-forward neurons and layers go, and the model recovers.

What goes is what the loss needs least: the expected change of the loss when a neuron is masked,
|activation × gradient| summed over training rows (Molchanov et al., "Importance Estimation for
Neural Network Pruning", 2019). Every layer keeps the same number, so that the result is a plain
smaller encoder that `transformers` loads. Heads stay: it takes a head's size for the hidden size
divided by their number, which no encoder without some of its heads fulfils.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.distilling import kept_layers
from tools.training.optimizing.recovering import teach

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable, Network

KEEP_NEURONS = 0.5
EPOCHS = 2
RATE = 1e-4


def pruned(source: Exportable, out: Path) -> None:
    """Write the parent without its least needed neurons; recovers for two epochs.

    Options: `keep_neurons` (a share above 0, at most 1), `layers` (how many are kept; all if not
    given), `epochs`.

    Raises:
        InvalidInput: if a share or the number of layers is out of its range.
    """
    model = copy.deepcopy(source.network)
    options = source.options
    _drop_layers(model, options.get("layers"))
    layers: list[Any] = list(model.encoder.encoder.layer)
    neurons = _kept(
        options.get("keep_neurons") or KEEP_NEURONS, layers[0].intermediate.dense.out_features
    )
    for layer, scores in zip(layers, importance(model, source), strict=True):
        _prune_neurons(layer, _best(scores, neurons))
    teach(model, source, epochs=int(options.get("epochs") or EPOCHS), rate=RATE)
    sizes = {"num_hidden_layers": len(layers), "intermediate_size": neurons}
    source.write(model, sizes, out)


def importance(model: Network, source: Exportable) -> list[Tensor]:
    """For every layer, how much the loss needs each neuron."""
    layers: list[Any] = list(model.encoder.encoder.layer)
    kept: dict[int, Tensor] = {}
    sums = [torch.zeros(layer.intermediate.dense.out_features) for layer in layers]
    hooks = [
        layer.intermediate.register_forward_hook(_keeper(kept, place))
        for place, layer in enumerate(layers)
    ]
    model.requires_grad_(True)
    for loss in source.losses(model):
        model.zero_grad()
        loss.backward()
        for place, needed in enumerate(sums):
            needed += _needed(kept[place])
    for hook in hooks:
        hook.remove()
    return sums


def _keeper(kept: dict[int, Tensor], place: int) -> Any:
    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        kept[place] = output

    return keep


def _needed(output: Tensor) -> Tensor:
    """|activation × gradient| of each neuron, summed over a batch."""
    if output.grad is None:
        raise RuntimeError("an output has no gradient")
    return (output * output.grad).detach().sum(dim=1).abs().sum(dim=0)


def _kept(share: float, of: int) -> int:
    if not 0 < share <= 1:
        raise InvalidInput(f"{share} is no share to keep.", hint="Above 0, at most 1.")
    return max(1, round(share * of))


def _best(scores: Tensor, count: int) -> list[int]:
    return sorted(scores.argsort(descending=True)[:count].tolist())


def _drop_layers(model: Network, wanted: Any) -> None:
    layers = list(model.encoder.encoder.layer)
    if wanted is None:
        return
    if not 1 <= int(wanted) <= len(layers):
        raise InvalidInput(f"The model has {len(layers)} layers; {wanted} cannot be kept.")
    chosen = kept_layers(len(layers), int(wanted))
    model.encoder.encoder.layer = nn.ModuleList(layers[i] for i in chosen)


def _prune_neurons(layer: Any, neurons: list[int]) -> None:
    layer.intermediate.dense = _rows(layer.intermediate.dense, neurons)
    layer.output.dense = _columns(layer.output.dense, neurons)


def _rows(linear: nn.Linear, places: list[int]) -> nn.Linear:
    made = nn.Linear(linear.in_features, len(places))
    made.weight.data = linear.weight.data[places].clone()
    made.bias.data = linear.bias.data[places].clone()
    return made


def _columns(linear: nn.Linear, places: list[int]) -> nn.Linear:
    made = nn.Linear(len(places), linear.out_features)
    made.weight.data = linear.weight.data[:, places].clone()
    made.bias.data = linear.bias.data.clone()
    return made
