"""A student of fewer layers, taken from its teacher evenly, that learns what the teacher answers.

Sanh et al., "DistilBERT", 2019: initialise with every second layer, then distil.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.recovering import teach

if TYPE_CHECKING:
    from tools.training.optimizing.sources import Exportable

EPOCHS = 6
RATE = 2e-4


def student(source: Exportable, out: Path) -> None:
    """Write a student of half the layers; options `layers` and `epochs`.

    Raises:
        InvalidInput: if it would not have fewer layers than its teacher, or none.
    """
    made = copy.deepcopy(source.network)
    layers = list(made.encoder.encoder.layer)
    wanted = int(source.options.get("layers") or max(1, len(layers) // 2))
    if not 1 <= wanted < len(layers):
        raise InvalidInput(
            f"A student of {wanted} layers is no smaller than its teacher of {len(layers)}.",
            hint=f"Ask for 1 to {len(layers) - 1} layers.",
        )
    made.encoder.encoder.layer = nn.ModuleList(layers[i] for i in kept_layers(len(layers), wanted))
    teach(made, source, epochs=int(source.options.get("epochs") or EPOCHS), rate=RATE)
    source.write(made, {"num_hidden_layers": wanted}, out)


def kept_layers(layers: int, wanted: int) -> list[int]:
    """Which layers a student takes: spread evenly, the first and the last among them."""
    if wanted == 1:
        return [layers - 1]
    return [round(i * (layers - 1) / (wanted - 1)) for i in range(wanted)]
