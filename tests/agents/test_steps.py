"""A planned step goes through the right agent, its MCP session and the gate, and comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.catalog import TEAM, agent_for, agent_named
from agents.events import ToolOutcome, ToolProgress
from agents.team import PlannedCall, StepOutcome, Team
from mcp_servers.caller import CallOutcome, Progress
from tests.support.fake_platform import OWNER, Platform, context_of
from tools.catalog import DOMAINS
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext, Role

QUIET = lambda event: None  # noqa: E731


@asynccontextmanager
async def team_of(platform: Platform) -> AsyncIterator[Team]:
    team = Team(platform.servers)
    try:
        yield team
    finally:
        await asyncio.wait_for(team.close(), 10)


async def run(team: Team, operation: str, **arguments: Any) -> StepOutcome:
    call = PlannedCall(operation=operation, arguments=arguments, plan="p1", step="s1")
    return await asyncio.wait_for(team.run_step(call, OWNER.for_step("p1", "s1"), QUIET), 20)


def test_every_domain_is_exactly_one_agents() -> None:
    owned = [domain for spec in TEAM for domain in spec.domains]
    assert sorted(owned) == sorted(DOMAINS)
    assert [spec.name for spec in TEAM] == [
        "trainer",
        "evaluator",
        "deployer",
        "knowledge_curator",
        "stakeholder_reporter",
    ]
    assert agent_for("deployment.ab_test").name == "deployer"
    assert agent_named("trainer").title == "Trainer"
    for missing in (lambda: agent_for("kitchen.cook"), lambda: agent_named("cook")):
        with pytest.raises(NotFound):
            missing()


@pytest.mark.parametrize("spec", TEAM, ids=lambda s: s.name)
def test_every_prompt_holds_the_rules_and_is_short(spec: Any) -> None:
    for rule in ("receipt", "approval id", "<untrusted>", "never"):
        assert rule in spec.prompt
    assert len(spec.prompt) < 3000


@pytest.mark.parametrize(
    ("operation", "arguments", "agent", "result"),
    [
        ("datasets.add", {"name": "tickets"}, "trainer", {"word": "added"}),
        ("evaluation.compare", {}, "evaluator", {"word": "better"}),
        (
            "registry.promote",
            {"model": "m", "version": 3, "alias": "challenger"},
            "evaluator",
            {"word": "promoted"},
        ),
        ("devices.enroll", {"name": "d"}, "deployer", {"name": "d", "token": "**********"}),
        ("knowledge.ingest", {"name": "runbook"}, "knowledge_curator", {"word": "ingested"}),
        ("platform.whoami", {}, "stakeholder_reporter", {"word": "owner"}),
    ],
)
async def test_each_agent_carries_its_step_to_a_receipt(
    platform: Platform, operation: str, arguments: dict[str, Any], agent: str, result: Any
) -> None:
    events: list[Any] = []
    async with team_of(platform) as team:
        call = PlannedCall(operation=operation, arguments=arguments, plan="p1", step="s2")
        outcome = await team.run_step(call, OWNER.for_step("p1", "s2"), events.append)
    assert outcome.error is None and outcome.result == result
    assert outcome.receipt is not None
    assert outcome.receipt["operation"] == operation
    assert (outcome.receipt["plan"], outcome.receipt["step"]) == ("p1", "s2")
    assert outcome.receipt["result"] == result
    assert {e.source for e in events} == {agent}
    (told,) = [e for e in events if isinstance(e, ToolOutcome)]
    assert told.structured["receipt"]["id"] == outcome.receipt["id"]


async def test_the_plan_and_step_of_the_call_reach_the_gate(platform: Platform) -> None:
    async with team_of(platform) as team:
        call = PlannedCall(operation="platform.whoami", plan="p9", step="s4")
        await team.run_step(call, OWNER, QUIET)
    (seen,) = platform.world.contexts
    assert (seen.plan, seen.step, seen.principal) == ("p9", "s4", OWNER.principal)


async def test_a_job_comes_back_as_a_handle_with_its_started_receipt(platform: Platform) -> None:
    await asyncio.to_thread(platform.kernel.start)
    async with team_of(platform) as team:
        outcome = await run(team, "training.start")
    assert outcome.job is not None and outcome.result == {
        "job": outcome.job,
        "operation": "training.start",
        "status": "queued",
    }
    assert (outcome.receipt or {})["status"] == "started"
    row = await asyncio.to_thread(platform.kernel.jobs.wait, outcome.job, 20)
    assert row.status == "done"


async def test_a_dangerous_step_waits_for_a_person_and_goes_on_once_granted(
    platform: Platform,
) -> None:
    async with team_of(platform) as team:
        held = await run(team, "deployment.rollback", name="phones")
        assert held.error is None and held.receipt is None and platform.world.acts == []
        approval = held.needs_approval or {}
        assert approval["command"] == f"pilothouse approvals grant {approval['id']}"
        assert (approval["plan"], approval["step"]) == ("p1", "s1")
        platform.kernel.approvals.grant(approval["id"], OWNER.principal, approval["confirm"])
        other = await run(team, "deployment.rollback", name="thinkpads")
        assert other.needs_approval is not None
        call = PlannedCall(
            operation="deployment.rollback",
            arguments={"name": "phones"},
            plan="p1",
            step="s1",
            approval=approval["id"],
        )
        done = await team.run_step(call, OWNER, QUIET)
        assert done.receipt is not None and done.receipt["approval"] == approval["id"]
        forged = await team.run_step(call, OWNER, QUIET)
        assert forged.error is not None and forged.error["code"] == "approval_invalid"
    assert platform.world.acts == ["rolled back"]


async def test_an_idempotency_key_makes_a_repeated_step_one_act(platform: Platform) -> None:
    call = PlannedCall(
        operation="datasets.add", arguments={"name": "x"}, plan="p", step="s", idempotency_key="k1"
    )
    async with team_of(platform) as team:
        first = await team.run_step(call, OWNER, QUIET)
        second = await team.run_step(call, OWNER, QUIET)
    assert platform.world.acts == ["added"]
    assert (first.receipt or {})["id"] == (second.receipt or {})["id"]


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("datasets.describe", {"name": "tikets"}, "not_found"),
        ("registry.list", {"limt": 1}, "invalid_input"),
        ("reporting.risks", {}, "operation_failed"),
        ("reporting.roi", {}, "undeclared_result"),
        ("registry.restore", {"name": "x"}, "unavailable"),
        ("registry.nothing", {}, "unavailable"),
        ("kitchen.cook", {}, "not_found"),
    ],
)
async def test_every_failure_is_an_outcome_and_never_an_exception(
    platform: Platform, operation: str, arguments: dict[str, Any], code: str
) -> None:
    async with team_of(platform) as team:
        outcome = await run(team, operation, **arguments)
    assert outcome.result is None and (outcome.error or {})["code"] == code


async def test_a_viewers_step_is_refused_by_the_gate(platform: Platform) -> None:
    async with team_of(platform) as team:
        call = PlannedCall(operation="datasets.add", arguments={"name": "x"})
        outcome = await team.run_step(call, context_of(Role.VIEWER), QUIET)
    assert (outcome.error or {})["code"] == "policy_denied"
    assert platform.world.acts == []


async def test_a_secret_reaches_the_asker_alone(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Any] = []
    with caplog.at_level(logging.DEBUG):
        async with team_of(platform) as team:
            call = PlannedCall(operation="devices.enroll", arguments={"name": "d"})
            outcome = await team.run_step(call, OWNER, events.append)
    assert outcome.revealed == {"name": "d", "token": "tok-secret-123"}
    assert "tok-secret" not in outcome.model_dump_json() + repr(outcome)
    assert all("tok-secret" not in e.model_dump_json() + repr(e) for e in events)
    assert not any(
        "tok-secret" in r.getMessage() for r in caplog.records if not r.name.startswith("mcp")
    )


class Gated:
    """A caller whose calls wait for one another's release, by name."""

    def __init__(self) -> None:
        self.entered: dict[str, asyncio.Event] = {}
        self.release: dict[str, asyncio.Event] = {}
        self.cancelled: list[str] = []

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> CallOutcome:
        key = arguments.get("name", name)
        if progress is not None:
            progress(0.5, f"half of {key}")
        self.entered.setdefault(key, asyncio.Event()).set()
        try:
            await self.release.setdefault(key, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        return CallOutcome({"word": key}, {"id": key, "number": 1, "status": "done", "says": "."})


def gated(platform: Platform) -> Gated:
    from mcp_servers.memory import LocalServers

    caller = Gated()
    platform.servers = LocalServers(platform.operations, caller)
    return caller


async def test_progress_comes_out_of_the_agents_stream(platform: Platform) -> None:
    caller, events = gated(platform), list[Any]()
    caller.release["x"] = asyncio.Event()
    caller.release["x"].set()
    async with team_of(platform) as team:
        call = PlannedCall(operation="datasets.add", arguments={"name": "x"})
        await team.run_step(call, OWNER, events.append)
    told = [e for e in events if isinstance(e, ToolProgress)]
    assert [(e.fraction, e.message) for e in told] == [(0.5, "half of x")]
    assert "half of x" in told[0].to_text()


async def test_cancelling_a_step_tells_the_server_and_leaves_the_others_alone(
    platform: Platform,
) -> None:
    caller = gated(platform)

    def call(name: str) -> PlannedCall:
        return PlannedCall(operation="datasets.add", arguments={"name": name})

    async with team_of(platform) as team:
        steps = {
            name: asyncio.create_task(team.run_step(call(name), OWNER, QUIET)) for name in "abc"
        }
        while len(caller.entered) < 3:
            await asyncio.sleep(0.01)
        began = time.perf_counter()
        steps["b"].cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(steps["b"]), 5)
        assert time.perf_counter() - began < 1.0
        await asyncio.sleep(0.05)
        assert caller.cancelled == ["b"]
        for name in "ac":
            caller.release[name].set()
        done = await asyncio.wait_for(asyncio.gather(steps["a"], steps["c"]), 5)
        assert [o.result for o in done] == [{"word": "a"}, {"word": "c"}]
        caller.release["d"] = asyncio.Event()
        caller.release["d"].set()
        after = await asyncio.wait_for(team.run_step(call("d"), OWNER, QUIET), 5)
        assert after.result == {"word": "d"}
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task() and not t.done()]


async def test_a_call_that_the_gate_has_begun_ends_there_with_its_receipt(
    platform: Platform,
) -> None:
    async with team_of(platform) as team:
        step = asyncio.create_task(run(team, "knowledge.ask"))
        await asyncio.to_thread(platform.world.entered.wait, 5)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(step), 5)
        platform.world.release.set()
        for _ in range(100):
            if platform.kernel.receipts.list("default"):
                break
            await asyncio.sleep(0.05)
    (receipt,) = platform.kernel.receipts.list("default")
    assert (receipt.operation, receipt.status, receipt.step) == ("knowledge.ask", "done", "s1")


async def test_many_steps_at_once_share_one_session_a_server(platform: Platform) -> None:
    connected: list[str] = []
    original = platform.servers.connect

    def connect(server: str) -> Any:
        connected.append(server)
        return original(server)

    platform.servers.connect = connect  # pyright: ignore[reportAttributeAccessIssue]
    async with team_of(platform) as team:
        calls = [run(team, "evaluation.compare") for _ in range(20)]
        outcomes = await asyncio.gather(*calls, run(team, "platform.whoami"))
    assert all(o.error is None for o in outcomes)
    assert sorted(connected) == ["evaluation", "platform"]


async def test_a_session_that_ended_is_opened_again(platform: Platform) -> None:
    async with team_of(platform) as team:
        assert (await run(team, "platform.whoami")).error is None
        await team._sessions["platform"].close()
        assert (await run(team, "platform.whoami")).error is None
