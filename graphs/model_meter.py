"""What a turn's language model uses: let pass by the budget before, recorded after each call."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from graphs.plan import ModelUse

if TYPE_CHECKING:
    from tools.kernel.identity import Principal
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)


class ModelMeter:
    """Counts for one person's turn.

    Args:
        kernel: holds the budget and the model's name.
        principal: whose budget.
        longest: tokens that an answer may have, for the estimate of a call's cost.
    """

    def __init__(self, kernel: Kernel, principal: Principal, longest: int = 1024) -> None:
        self._kernel = kernel
        self._principal = principal
        self._longest = longest
        self.use = ModelUse(model=str(kernel.settings.model))

    async def check(self, prompt_tokens: int) -> None:
        """Let a call pass that sends about so many tokens.

        Raises:
            BudgetExceeded: if the day's tokens are used up, or its cost is more than is left.
        """
        budget = self._kernel.budget
        await asyncio.to_thread(budget.check_model, self._principal, prompt_tokens, self._longest)

    async def record(self, prompt_tokens: int, answer_tokens: int, ms: float) -> None:
        """Note what a call used, whatever came of it."""
        cost = await asyncio.to_thread(
            self._kernel.budget.record_model, self._principal, prompt_tokens, answer_tokens
        )
        log.info(
            "language model: %d tokens sent, %d received, %.0f ms", prompt_tokens, answer_tokens, ms
        )
        self.use = self.use + ModelUse(
            model=self.use.model,
            calls=1,
            prompt_tokens=prompt_tokens,
            answer_tokens=answer_tokens,
            ms=round(ms, 1),
            cost=cost,
        )
