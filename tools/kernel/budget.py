"""What a principal has used today, and whether an estimate still fits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

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
            with self._database.session() as session:
                _insert(session, principal, what, amount, source)

    @staticmethod
    def reserve(session: Session, principal: Principal, amount: float, source: str) -> None:
        """Count a job's estimated cost as used while it runs; `settle` puts the real cost there."""
        _insert(session, principal, MONEY, amount, source)

    @staticmethod
    def settle(session: Session, principal: Principal, amount: float, source: str) -> None:
        """Replace what was reserved for `source` by what it really cost."""
        settled = session.execute(
            update(UsageRow)
            .where(
                UsageRow.tenant == principal.tenant,
                UsageRow.principal == principal.name,
                UsageRow.what == MONEY,
                UsageRow.source == source,
            )
            .values(amount=amount, created=now())
            .returning(UsageRow.id)
        ).first()
        if settled is None and amount:
            _insert(session, principal, MONEY, amount, source)

    def used(self, principal: Principal, what: str, session: Session | None = None) -> float:
        """What the principal used within the last 24 hours."""
        query = select(func.coalesce(func.sum(UsageRow.amount), 0.0)).where(
            UsageRow.tenant == principal.tenant,
            UsageRow.principal == principal.name,
            UsageRow.what == what,
            UsageRow.created > now() - timedelta(days=1),
        )
        if session is not None:
            return float(session.scalar(query) or 0.0)
        with self._database.session() as own:
            return float(own.scalar(query) or 0.0)

    def model_use(self, principal: Principal) -> tuple[int, float]:
        """Language-model tokens, and the money they cost, within the last 24 hours."""
        query = select(UsageRow.what, func.sum(UsageRow.amount)).where(
            UsageRow.tenant == principal.tenant,
            UsageRow.principal == principal.name,
            UsageRow.source.startswith("model "),
            UsageRow.created > now() - timedelta(days=1),
        )
        with self._database.session() as session:
            found = {
                what: amount for what, amount in session.execute(query.group_by(UsageRow.what))
            }
        return int(found.get(TOKENS, 0)), float(found.get(MONEY, 0.0))

    def check_money(
        self, principal: Principal, estimate: float | None, session: Session | None = None
    ) -> None:
        """Let an estimated cost pass.

        Args:
            principal: who would spend it.
            estimate: money; None and 0 pass always.
            session: a writing session, when what passes is reserved in it.

        Raises:
            BudgetExceeded: if it is more than what is left today.
        """
        limit = self._settings.daily_budget
        if limit is None or not estimate:
            return
        left = limit - self.used(principal, MONEY, session)
        if estimate > left:
            unit = self._settings.currency
            raise BudgetExceeded(
                f"This is estimated at {estimate:.2f} {unit}, and {max(left, 0):.2f} {unit} of"
                f" {principal.name}'s daily budget of {limit:.2f} {unit} are left.",
                hint="Ask for less, wait, or raise PILOTHOUSE_DAILY_BUDGET.",
            )

    def check_model(self, principal: Principal, prompt: int = 0, answer: int = 0) -> None:
        """Let another language-model call pass.

        Args:
            principal: for whom.
            prompt: tokens that it is estimated to send.
            answer: tokens that it may get at most.

        Raises:
            BudgetExceeded: if today's tokens are used up, or its cost is more than what is left.
        """
        limit = self._settings.model_budget_tokens
        if self.used(principal, TOKENS) >= limit:
            raise BudgetExceeded(
                f"{principal.name} has used today's {limit} language-model tokens.",
                hint="Wait, or raise PILOTHOUSE_MODEL_BUDGET_TOKENS.",
            )
        self.check_money(principal, self.model_cost(prompt, answer))

    def model_cost(self, prompt: int, answer: int) -> float:
        """What tokens cost by the configured prices."""
        settings = self._settings
        spent = prompt * settings.model_input_price + answer * settings.model_output_price
        return spent / 1_000_000

    def record_model(self, principal: Principal, prompt: int, answer: int) -> float:
        """Note what a language-model call used; returns its cost."""
        source = f"model {self._settings.model}"
        cost = self.model_cost(prompt, answer)
        self.record(principal, TOKENS, prompt + answer, source)
        self.record(principal, MONEY, cost, source)
        return cost


def _insert(session: Session, principal: Principal, what: str, amount: float, source: str) -> None:
    row = {"tenant": principal.tenant, "principal": principal.name}
    session.execute(insert(UsageRow).values(**row, what=what, amount=amount, source=source))
