"""What a principal has used today, and whether an estimate still fits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from tools.kernel.errors import BudgetExceeded
from tools.kernel.identity import Principal
from tools.kernel.settings import Settings
from tools.kernel.storage import Database, now
from tools.kernel.tables import UsageRow

MONEY = "money"
TOKENS = "tokens"


class Budget:
    """Daily limits (a sliding day) on money and on language-model tokens."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def record(self, principal: Principal, what: str, amount: float, source: str) -> None:
        """Note that `amount` of money or tokens was used for `source`."""
        if amount:
            row = UsageRow(
                tenant=principal.tenant,
                principal=principal.name,
                what=what,
                amount=amount,
                source=source,
            )
            with self._database.session() as session:
                session.add(row)

    def used(self, principal: Principal, what: str) -> float:
        """What the principal used within the last 24 hours."""
        query = select(func.coalesce(func.sum(UsageRow.amount), 0.0)).where(
            UsageRow.tenant == principal.tenant,
            UsageRow.principal == principal.name,
            UsageRow.what == what,
            UsageRow.created > now() - timedelta(days=1),
        )
        with self._database.session() as session:
            return float(session.scalar(query) or 0.0)

    def check_money(self, principal: Principal, estimate: float | None) -> None:
        """Let an estimated cost pass.

        Raises:
            BudgetExceeded: if it is more than what is left today.
        """
        limit = self._settings.daily_budget
        if limit is None or not estimate:
            return
        left = limit - self.used(principal, MONEY)
        if estimate > left:
            unit = self._settings.currency
            raise BudgetExceeded(
                f"This is estimated at {estimate:.2f} {unit}, and {max(left, 0):.2f} {unit} of"
                f" {principal.name}'s daily budget of {limit:.2f} {unit} are left.",
                hint="Ask for less, wait, or raise PILOTHOUSE_DAILY_BUDGET.",
            )

    def check_tokens(self, principal: Principal) -> None:
        """Let another language-model call pass.

        Raises:
            BudgetExceeded: if today's tokens are used up.
        """
        limit = self._settings.model_budget_tokens
        if self.used(principal, TOKENS) >= limit:
            raise BudgetExceeded(
                f"{principal.name} has used today's {limit} language-model tokens.",
                hint="Wait, or raise PILOTHOUSE_MODEL_BUDGET_TOKENS.",
            )
