"""Two views of a sentence in one vector: the tuned encoder's, and what it said before the tuning.

Tuning draws the rows of a label together, and with them what lies far from all labels. The untuned
view keeps that far. The lower layers serve both, so that a sentence costs half as much again, not
twice as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graphs.understanding.intent.tuning import FROZEN
from tools.training.encoder import Encoder, mean_pool
from tools.training.modelling import TextClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

UNTUNED = 0.7
"""Length of the untuned view beside the tuned one's."""


class Twofold(TextClassifier):
    """Token ids in, both views out; not yet of unit length.

    Args:
        tuned: the tuned encoder; its lower layers serve both.
        untuned: what it was before.
    """

    def __init__(self, tuned: Encoder, untuned: Encoder) -> None:
        super().__init__(tuned, torch.nn.Linear(1, 1))
        self.untuned = untuned

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The vectors, batch × twice the encoder's size."""
        hidden = self.encoder.lower(input_ids, attention_mask, FROZEN)
        first, second = (
            functional.normalize(
                mean_pool(encoder.upper(hidden, attention_mask, FROZEN), attention_mask), dim=-1
            )
            for encoder in (self.encoder, self.untuned)
        )
        return torch.cat([first, UNTUNED * second], dim=-1)


def join(tuned: Matrix, untuned: Matrix) -> Matrix:
    """Unit vectors of both views, as one unit vector a row."""
    both = np.hstack([tuned, UNTUNED * untuned])
    return both / np.linalg.norm(both, axis=1, keepdims=True)
