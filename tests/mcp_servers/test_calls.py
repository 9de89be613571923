"""What calls answer: result and receipt, errors, approvals, bounds, progress, cancellation."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import anyio
import pytest
from mcp import types
from mcp.shared.exceptions import McpError

from mcp_servers.caller import CallOutcome, Progress
from mcp_servers.names import operation_name
from tests.support.fake_platform import OWNER, Platform, context_of
from tools.catalog import load_operations
from tools.kernel.identity import RequestContext, Role


async def test_a_call_answers_with_result_receipt_and_words(platform: Platform) -> None:
    async with platform.client("registry") as session:
        answer = await session.call_tool(
            "registry_promote", {"model": "m", "version": 3, "alias": "challenger"}
        )
    assert not answer.isError
    content = answer.structuredContent
    assert content["result"] == {"word": "promoted"}
    assert content["receipt"]["status"] == "done"
    assert content["receipt"]["evidence"][0]["value"] == 3
    assert content["receipt"]["channel"] == "mcp"
    assert f"receipt R{content['receipt']['number']}" in answer.content[0].text
    stored = platform.kernel.receipts.get(content["receipt"]["id"], "default")
    assert stored.principal == "owner"


async def test_a_job_answers_with_its_handle_at_once(platform: Platform) -> None:
    await asyncio.to_thread(platform.kernel.start)
    async with platform.client("training") as session:
        answer = await session.call_tool("training_start", {})
    handle = answer.structuredContent["result"]
    assert handle["operation"] == "training.start"
    row = await asyncio.to_thread(platform.kernel.jobs.wait, handle["job"], 20)
    assert row.status == "done"


async def test_an_expected_error_is_told_with_hint_and_suggestion(platform: Platform) -> None:
    async with platform.client("datasets") as session:
        answer = await session.call_tool("datasets_describe", {"name": "tikets"})
    assert answer.isError
    text = answer.content[0].text
    assert (
        "no dataset 'tikets'" in text and "Did you mean tickets?" in text and "List them." in text
    )
    error = answer.structuredContent["error"]
    assert (error["code"], error["suggestions"]) == ("not_found", ["tickets"])


async def test_wrong_arguments_are_an_error_that_a_model_can_correct(platform: Platform) -> None:
    async with platform.client("registry") as session:
        answer = await session.call_tool("registry_list", {"limt": 3})
        nothing = await session.call_tool("registry_promote", {"model": "m"})
    assert "no argument 'limt'" in answer.content[0].text
    assert "Did you mean limit?" in answer.content[0].text
    assert "version is missing" in nothing.content[0].text


async def test_an_unknown_tool_is_a_protocol_error_with_the_nearest_name(
    platform: Platform,
) -> None:
    async with platform.client("registry") as session:
        with pytest.raises(McpError, match="Did you mean registry_promote") as caught:
            await session.call_tool("registry_promot", {})
    assert caught.value.error.code == types.INVALID_PARAMS


async def test_a_defect_in_an_operation_shows_a_request_id_and_no_detail(
    platform: Platform,
) -> None:
    async with platform.client("reporting") as session:
        answer = await session.call_tool("reporting_risks", {})
    assert answer.isError
    text = json.dumps(answer.model_dump(mode="json"))
    assert "secret detail" not in text and "Traceback" not in text
    assert "request" in answer.content[0].text


async def test_a_defect_outside_the_gate_is_logged_under_its_request_id(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def call(self, *args: Any, **more: Any) -> CallOutcome:
            raise KeyError("secret detail")

    platform.caller = Broken()
    with caplog.at_level(logging.ERROR):
        async with platform.client("platform") as session:
            answer = await session.call_tool("platform_whoami", {})
    assert answer.isError and answer.structuredContent["error"]["code"] == "internal"
    assert "secret detail" not in answer.content[0].text
    assert OWNER.request_id in answer.content[0].text
    assert any(OWNER.request_id in r.getMessage() and r.exc_info for r in caplog.records)


async def test_a_result_outside_its_schema_never_hides_that_the_call_was_made(
    platform: Platform,
) -> None:
    async with platform.client("reporting") as session:
        answer = await session.call_tool("reporting_roi", {})
    assert answer.isError
    assert answer.structuredContent["error"]["code"] == "undeclared_result"
    assert "It was carried out" in answer.content[0].text
    assert answer.structuredContent["receipt"]["status"] == "done"


async def test_error_results_fit_the_declared_schema_too(platform: Platform) -> None:
    """The TypeScript client holds whatever structured content it gets to the schema."""
    from jsonschema import validate

    async with platform.client() as session:
        tools = {t.name: t for t in (await session.list_tools()).tools}
        for name, arguments in (
            ("datasets_describe", {"name": "x"}),
            ("deployment_rollback", {"name": "phones"}),
            ("reporting_roi", {}),
            ("reporting_risks", {}),
            ("registry_list", {"limit": 3}),
        ):
            answer = await session.call_tool(name, arguments)
            validate(answer.structuredContent, tools[name].outputSchema or {})


async def test_a_dangerous_call_says_what_to_approve_who_may_and_how(platform: Platform) -> None:
    async with platform.client("devices") as session:
        answer = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert answer.isError and platform.world.acts == []
        (approval,) = platform.approvals()
        error, text = answer.structuredContent["error"], answer.content[0].text
        assert error["approval"]["id"] == approval.id
        assert error["command"] == f"pilothouse approvals grant {approval.id}"
        assert error["link"] == f"pilothouse://approvals/{approval.id}"
        assert error["command"] in text and error["link"] in text
        assert (
            "Roll phones back." in text and "approver role" in text and "nothing was done" in text
        )

        again = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert again.isError and len(platform.approvals()) == 1

        platform.kernel.approvals.grant(approval.id, OWNER.principal, approval.confirm)
        other = await session.call_tool("deployment_rollback", {"name": "thinkpads"})
        assert other.isError and platform.world.acts == []
        done = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert not done.isError and platform.world.acts == ["rolled back"]
        assert done.structuredContent["receipt"]["approval"] == approval.id
        replayed = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert replayed.isError and platform.world.acts == ["rolled back"]


async def test_somebody_elses_grant_is_no_good(platform: Platform) -> None:
    eve = context_of(Role.OPERATOR, name="eve")
    async with platform.client("devices") as session:
        await session.call_tool("deployment_rollback", {"name": "phones"})
    (approval,) = platform.approvals()
    platform.kernel.approvals.grant(approval.id, OWNER.principal, approval.confirm)
    async with platform.client("devices", eve) as session:
        answer = await session.call_tool("deployment_rollback", {"name": "phones"})
    assert answer.isError and platform.world.acts == []


def test_no_operation_grants_denies_or_forges_approvals() -> None:
    """Whatever is reachable over MCP is an operation; none of them decides an approval."""
    import inspect

    for operation in load_operations():
        words = {*operation.verb.split("_"), *operation.input.model_fields}
        if operation.name == "platform.revoke_token":
            words.discard("revoke")  # takes rights away, and no approval
        assert not words & {"grant", "approve", "deny", "revoke", "approval", "confirm", "seal"}
        functions = [operation.function, *operation.hooks.values()]
        source = "".join(inspect.getsource(f) for f in functions)
        assert "approvals.grant" not in source and "approvals.deny" not in source


async def test_no_argument_or_meta_of_an_outsider_stands_in_for_an_approval(
    platform: Platform,
) -> None:
    async with platform.client("devices") as session:
        await session.call_tool("deployment_rollback", {"name": "phones"})
        (approval,) = platform.approvals()
        for forged in ({"approval": approval.id}, {"approved": True}, {"confirm": "phones"}):
            answer = await session.call_tool("deployment_rollback", {"name": "phones", **forged})
            assert answer.isError
            answer = await session.call_tool("deployment_rollback", {"name": "phones"}, meta=forged)
            assert answer.isError
    assert platform.world.acts == []
    assert [a.status for a in platform.approvals()] == ["pending"]


async def test_an_outsiders_meta_cannot_borrow_a_pass(platform: Platform) -> None:
    """A stolen, still valid pass of the in-memory servers means nothing at another door."""
    stolen = platform.servers.issue(OWNER)
    async with platform.client("platform", context_of(Role.VIEWER, name="eve")) as session:
        answer = await session.call_tool("platform_whoami", {}, meta=stolen)
    assert answer.structuredContent["result"]["word"] == "eve"


async def test_a_pass_is_good_for_one_request(platform: Platform) -> None:
    meta = platform.servers.issue(context_of(Role.VIEWER, name="ada"))
    async with platform.servers.connect("platform") as session:
        call = types.CallToolRequestParams(
            name="platform_whoami", arguments={}, _meta=types.RequestParams.Meta(**meta)
        )
        request = types.ClientRequest(types.CallToolRequest(params=call))
        first = await session.send_request(request, types.CallToolResult)
        assert first.structuredContent["result"]["word"] == "ada"
        for worthless in (meta, {}, {"pilothouse/pass": "guess"}, {"pilothouse/pass": 7}):
            call.meta = types.RequestParams.Meta(**worthless)
            with pytest.raises(McpError, match="no valid pass"):
                await session.send_request(request, types.CallToolResult)


async def test_secrets_stay_masked_for_outsiders_and_models(platform: Platform) -> None:
    async with platform.client("devices") as session:
        answer = await session.call_tool("devices_enroll", {"name": "phone-1"})
        described = {t.name: t for t in (await session.list_tools()).tools}["devices_enroll"]
    assert answer.structuredContent["result"]["token"] == "**********"
    assert "MCP does not show token: use `pilothouse call" in answer.structuredContent["note"]
    assert "a secret that MCP does not show" in (described.description or "")
    assert "tok-secret" not in answer.model_dump_json()
    async with platform.servers.connect("devices") as session:
        meta = platform.servers.issue(OWNER, for_model=True)
        call = types.CallToolRequestParams(
            name="devices_enroll", arguments={"name": "p"}, _meta=types.RequestParams.Meta(**meta)
        )
        request = types.ClientRequest(types.CallToolRequest(params=call))
        answer = await session.send_request(request, types.CallToolResult)
    assert "tok-secret" not in answer.model_dump_json()


async def test_a_long_result_is_cut_with_a_note_and_still_valid(platform: Platform) -> None:
    async with platform.client("registry") as session:
        answer = await session.call_tool("registry_list", {"limit": 5000})
        short = await session.call_tool("registry_list", {"limit": 3})
    shown = len(answer.structuredContent["result"]["models"])
    assert 10 < shown < 5000
    assert f"{shown} of 5000" in answer.structuredContent["note"]
    assert "limit" in answer.structuredContent["note"]
    assert answer.structuredContent["note"] in answer.content[0].text
    assert len(answer.content[0].text) < 45_000
    assert "note" not in (short.structuredContent or {})


async def test_the_rest_of_a_cut_list_is_read_on_without_gap_or_repetition(
    platform: Platform,
) -> None:
    seen: list[str] = []
    given: dict[str, Any] = {"limit": 700}
    async with platform.client("registry") as session:
        for _ in range(30):
            answer = await session.call_tool("registry_list", given)
            content = answer.structuredContent or {}
            seen += [entry["model"] for entry in content["result"]["models"]]
            if "next" not in content:
                break
            assert f"cursor={content['next']}" in answer.content[0].text
            given["cursor"] = content["next"]
    assert seen == [f"m{n}" for n in range(700)]


@pytest.mark.parametrize("cursor", ["nonsense", "", "WzEsICJ4Il0=", "WyIxIiwgMl0="])
async def test_a_cursor_of_other_arguments_or_of_nobody_is_refused(
    platform: Platform, cursor: str
) -> None:
    async with platform.client("registry") as session:
        answer = await session.call_tool("registry_list", {"limit": 700, "cursor": cursor})
    assert answer.isError and "cursor" in answer.content[0].text


class Slow:
    """A caller that reports progress from another thread and waits to be released."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

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
        if progress is not None:
            for fraction in (0.25, 0.5, 0.5, 0.4, 1.0):
                await asyncio.to_thread(progress, fraction, f"{fraction:.0%}")
        self.entered.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        receipt = {"id": "r", "number": 1, "status": "done", "says": "Done."}
        return CallOutcome({"word": "x"}, receipt)


async def test_progress_arrives_in_order_growing_and_before_the_answer(platform: Platform) -> None:
    slow = platform.caller = Slow()
    slow.release.set()
    seen: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with platform.client("platform") as session:
        await session.call_tool("platform_whoami", {}, progress_callback=note)
        assert seen == [(0.25, "25%"), (0.5, "50%"), (1.0, "100%")]
        seen.clear()
        await session.call_tool("platform_whoami", {})
    assert seen == []


async def test_a_cancelled_notification_stops_the_call_and_no_other(platform: Platform) -> None:
    slow = platform.caller = Slow()
    answers: list[Any] = []
    async with platform.client("platform") as session, anyio.create_task_group() as group:

        async def ask() -> None:
            try:
                answers.append(await session.call_tool("platform_whoami", {}))
            except McpError as error:
                answers.append(error.error.message)

        first = session._request_id
        group.start_soon(ask)
        await slow.entered.wait()
        slow.entered.clear()
        group.start_soon(ask)
        await slow.entered.wait()
        params = types.CancelledNotificationParams(requestId=first)
        await session.send_notification(
            types.ClientNotification(types.CancelledNotification(params=params))
        )
        await asyncio.wait_for(slow.cancelled.wait(), 5)
        slow.release.set()
    assert answers[0] == "Request cancelled"
    assert answers[1].structuredContent["result"] == {"word": "x"}


async def test_a_call_that_waits_for_a_thread_is_dropped_when_cancelled(platform: Platform) -> None:
    from mcp_servers.caller import LocalCaller

    caller = LocalCaller(platform.kernel.gate, workers=1)
    running = asyncio.create_task(caller.call("knowledge.ask", {}, OWNER))
    await asyncio.to_thread(platform.world.entered.wait, 5)
    waiting = asyncio.create_task(caller.call("datasets.add", {"name": "x"}, OWNER))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    platform.world.release.set()
    assert (await running).result == {"word": "waited"}
    assert platform.world.acts == ["waited"]
    caller.close()


def test_tool_names_map_back() -> None:
    assert operation_name("platform_whoami") == "platform.whoami"
