"""Money and tokens of a sliding day; what runs counts with its estimate."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.kernel.conftest import person
from tools.kernel.errors import BudgetExceeded
from tools.kernel.identity import Role
from tools.kernel.storage import now
from tools.kernel.tables import UsageRow


@pytest.fixture
def limited(lab):
    lab.settings.daily_budget = 5.0
    return lab


def test_an_estimate_over_what_is_left_is_refused_before_the_act(limited, owner, world):
    limited.budget.record(owner.principal, "money", 2.5, "earlier")
    with pytest.raises(BudgetExceeded, match=r"2\.50 EUR of owner's daily budget of 5\.00"):
        limited.gate.call("lab.spend", {}, owner)
    assert world.acts == []


def test_what_fits_passes_and_without_a_limit_all_does(limited, owner):
    limited.gate.call("lab.spend", {}, owner)
    limited.settings.daily_budget = None
    limited.budget.record(owner.principal, "money", 1e9, "much")
    limited.gate.call("lab.spend", {}, owner)


def test_somebody_elses_spending_and_yesterdays_do_not_count(limited, owner):
    other = person("ole", Role.OPERATOR).principal
    limited.budget.record(other, "money", 99, "theirs")
    limited.budget.record(owner.principal, "money", 99, "yesterday")
    with limited.database.session() as session:
        session.execute(
            update(UsageRow)
            .where(UsageRow.source == "yesterday")
            .values(created=now() - timedelta(hours=25))
        )
    assert limited.budget.used(owner.principal, "money") == 0


def test_a_job_that_runs_counts_with_its_estimate_and_then_with_its_cost(running, owner):
    running.settings.daily_budget = 5.0
    first = running.gate.call("lab.invest", {"shelf": "long"}, owner)
    assert running.budget.used(owner.principal, "money") == 3.0
    with pytest.raises(BudgetExceeded):
        running.gate.call("lab.invest", {"shelf": "b"}, owner)
    assert len(running.jobs.list("default")) == 1
    running.jobs.cancel(first.job, "default")
    assert running.jobs.wait(first.job, 30).status == "cancelled"
    assert running.budget.used(owner.principal, "money") < 0.1
    running.gate.call("lab.invest", {"shelf": "b"}, owner)


def test_tokens_have_a_limit_of_their_own(limited, owner):
    limited.settings.model_budget_tokens = 100
    limited.budget.record(owner.principal, "tokens", 99, "turn 1")
    limited.budget.check_model(owner.principal)
    limited.budget.record(owner.principal, "tokens", 1, "turn 2")
    with pytest.raises(BudgetExceeded, match="100 language-model tokens"):
        limited.budget.check_model(owner.principal)
    limited.budget.check_money(owner.principal, 5.0)
