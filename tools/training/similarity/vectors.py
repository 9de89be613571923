"""An encoder's unit vectors as one module, pooled and scaled as its training does."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from tools.training.encoder import Encoder, load_encoder, mean_pool


class SentenceVectors(nn.Module):
    """Token ids in, unit vectors out: the mean over a text's tokens, L2-normalised.

    Args:
        encoder: whose hidden states are pooled.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The vectors, batch × dimensions."""
        pooled = mean_pool(self.encoder(input_ids, attention_mask), attention_mask)
        return functional.normalize(pooled)


def load_vectors(folder: Path) -> SentenceVectors:
    """A trained embedding's module with the weights as they were trained (fp32), to compute with.

    Raises:
        InvalidInput: if the folder holds no complete encoder.
    """
    return SentenceVectors(load_encoder(folder)).eval().requires_grad_(False)
