"""A model in training as one that answers, without writing it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tools.training.language.adapting import Adapted
from tools.training.language.folder import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def answering(
    adapted: Adapted,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    *,
    untrained: bool = False,
) -> LanguageModel:
    """The model with what it has learnt so far; `untrained` leaves virtual tokens out.

    New low-rank matrices change nothing, so they stay.
    """
    adapted.eval()
    if adapted.virtual is None or untrained:
        return LanguageModel(adapted.model, tokenizer, max_length)
    wrapped: Any = _WithVirtualTokens(adapted, adapted.virtual)
    return LanguageModel(wrapped, tokenizer, max_length)


class _WithVirtualTokens:
    """Generates from a question's embeddings with the virtual tokens before them."""

    def __init__(self, adapted: Adapted, virtual: torch.Tensor) -> None:
        self._adapted = adapted
        self._virtual = virtual

    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any
    ) -> torch.Tensor:
        """The questions followed by their answers' tokens.

        Padding stands before the virtual tokens, as it does before a question's.
        """
        model: Any = self._adapted.model
        embedded = model.get_input_embeddings()(input_ids)
        head = self._virtual.to(embedded.dtype)
        rows: list[torch.Tensor] = []
        for row, mask in zip(embedded, attention_mask, strict=True):
            padding = int((mask == 0).sum())
            rows.append(torch.cat([row[:padding], head, row[padding:]]))
        seen = torch.ones(len(rows), len(head), dtype=attention_mask.dtype)
        mask = torch.cat([attention_mask, seen], dim=1).sort(dim=1).values
        answers = model.generate(inputs_embeds=torch.stack(rows), attention_mask=mask, **options)
        return torch.cat([input_ids, answers], dim=1)
