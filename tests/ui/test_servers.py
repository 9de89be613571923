"""MCP over HTTP: who gets in, whose a session is, and that the protocol works behind it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import anyio
import httpx
import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl

from mcp_servers.names import server_names
from tests.support.gateway import OWNERS, Gateway, running_gateway
from tools.kernel.identity import Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from ui.api import servers
from ui.api.app import create_app
from ui.api.door import Door
from ui.auth import shield

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    with running_gateway(home, (servers.add_to, shield.add_to)) as running:
        running.user("ada", Role.OPERATOR)
        running.user("vera", Role.VIEWER)
        running.user("eve", Role.ADMIN)
        yield running


@asynccontextmanager
async def client(
    gateway: Gateway, token: str, server: str = "all", **more: Any
) -> AsyncIterator[ClientSession]:
    """The official client."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(f"{gateway.base}/mcp/{server}", http_client=http) as streams,
        ClientSession(streams[0], streams[1], **more) as session,
    ):
        await session.initialize()
        yield session


def post(
    gateway: Gateway, message: Any, token: str | None, server: str = "all", **headers: str
) -> httpx.Response:
    given = gateway.headers(token or "", **headers)
    if token is None:
        del given["Authorization"]
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    return httpx.post(f"{gateway.base}/mcp/{server}", content=content, headers=given)


def opened(gateway: Gateway, token: str, server: str = "all") -> str:
    """A session that has begun; its id."""
    answer = post(gateway, INITIALIZE, token, server)
    assert answer.status_code == 200, answer.text
    name = answer.headers["mcp-session-id"]
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert post(gateway, ready, token, server, **{"Mcp-Session-Id": name}).status_code == 202
    return name


def called(tool: str, arguments: dict[str, Any] | None = None, number: int = 1) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments or {}},
    }


def challenge(answer: httpx.Response) -> dict[str, str]:
    given = answer.headers["www-authenticate"]
    assert given.startswith("Bearer ")
    return dict(re.findall(r'(\w+)="([^"]*)"', given))


async def test_the_official_client_does_everything_over_http(gateway: Gateway) -> None:
    async with client(gateway, gateway.token("ada")) as session:
        tools = {t.name for t in (await session.list_tools()).tools}
        assert {"registry_promote", "deployment_rollback"} <= tools
        answer = await session.call_tool("registry_list", {"limit": 2})
        assert answer.structuredContent is not None
        assert len(answer.structuredContent["result"]["models"]) == 2
        who = await session.call_tool("platform_whoami", {})
        assert who.structuredContent is not None
        assert who.structuredContent["result"]["word"] == "ada"
        assert who.structuredContent["receipt"]["channel"] == "mcp"
        refused = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert refused.isError and "pilothouse approvals grant" in refused.content[0].text
        assert (await session.list_prompts()).prompts
        with pytest.raises(McpError, match="no resource"):
            await session.read_resource(AnyUrl("nothing://here"))
    assert gateway.world.acts == []


async def test_each_domain_has_its_server(gateway: Gateway) -> None:
    token = gateway.token("ada")
    async with client(gateway, token, "registry") as session:
        names = {t.name for t in (await session.list_tools()).tools}
    assert names == {"registry_list", "registry_promote"}
    missing = post(gateway, INITIALIZE, token, "registri")
    assert missing.status_code == 404
    assert all(name in missing.json()["error_description"] for name in server_names())


async def test_a_viewer_sees_reading_tools_only(gateway: Gateway) -> None:
    async with client(gateway, gateway.token("vera")) as session:
        tools = (await session.list_tools()).tools
        assert tools and all(t.annotations and t.annotations.readOnlyHint for t in tools)
        denied = await session.call_tool("datasets_add", {"name": "x"})
    assert denied.isError and denied.structuredContent is not None
    assert denied.structuredContent["error"]["code"] == "policy_denied"


async def test_a_narrowed_token_sees_and_calls_what_it_lends(gateway: Gateway) -> None:
    token = gateway.token("ada", scopes=["mcp", "registry:read"])
    async with client(gateway, token) as session:
        assert {t.name for t in (await session.list_tools()).tools} == {"registry_list"}
    session_id = opened(gateway, token)
    answer = post(gateway, called("datasets_add"), token, **{"Mcp-Session-Id": session_id})
    assert answer.status_code == 403
    told = challenge(answer)
    assert (told["error"], told["scope"]) == ("insufficient_scope", "datasets:write")
    assert told["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp/all")


def test_a_token_for_another_door_is_told_the_scope_it_would_need(gateway: Gateway) -> None:
    answer = post(gateway, INITIALIZE, gateway.token("ada", scopes=["api"]))
    assert answer.status_code == 403
    told = challenge(answer)
    assert (told["error"], told["scope"]) == ("insufficient_scope", "mcp")


def test_without_a_token_the_challenge_leads_to_the_metadata(gateway: Gateway) -> None:
    answer = post(gateway, INITIALIZE, None)
    assert answer.status_code == 401
    told = challenge(answer)
    assert set(told) == {"resource_metadata"}
    found = httpx.get(told["resource_metadata"]).json()
    assert found["resource"] == f"{gateway.base}/mcp/all"
    assert found["bearer_methods_supported"] == ["header"]
    assert "mcp" in found["scopes_supported"]


@pytest.mark.parametrize("server", ["", *server_names()])
def test_every_server_has_metadata_that_names_it(gateway: Gateway, server: str) -> None:
    path = f"/mcp/{server}".rstrip("/")
    found = httpx.get(f"{gateway.base}/.well-known/oauth-protected-resource{path}")
    assert found.json()["resource"] == gateway.base + path


def test_there_is_no_metadata_of_a_server_that_is_not(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.base}/.well-known/oauth-protected-resource/mcp/nothing")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "kind", ["wrong", "expired", "revoked", "unbound", "for the API", "the owner's", "with a twist"]
)
def test_a_token_that_is_not_for_here_is_refused(gateway: Gateway, kind: str) -> None:
    tokens = gateway.kernel.tokens
    if kind == "expired":
        token = gateway.token("ada", lifetime=timedelta(seconds=-1))
    elif kind == "revoked":
        token = gateway.token("ada")
        tokens.revoke(tokens.list("default", "ada")[0].id, "default")
    else:
        token = {
            "wrong": "ph_nonsense",
            "unbound": gateway.token("ada", audience=None),
            "for the API": gateway.token("ada", audience="/api"),
            "the owner's": OWNERS,
            "with a twist": gateway.token("ada", audience="/mcpx"),
        }[kind]
    answer = post(gateway, INITIALIZE, token)
    assert answer.status_code == 401, answer.text
    told = challenge(answer)
    assert told["error"] == "invalid_token"
    assert told["resource_metadata"].startswith(gateway.base)
    assert "mcp-session-id" not in answer.headers


def test_a_token_for_one_server_is_good_for_that_one(gateway: Gateway) -> None:
    token = gateway.token("ada", audience="/mcp/registry")
    assert post(gateway, INITIALIZE, token, "registry").status_code == 200
    assert post(gateway, INITIALIZE, token, "all").status_code == 401


def test_a_token_in_the_address_or_a_cookie_is_no_token(gateway: Gateway) -> None:
    token = gateway.token("ada")
    assert post(gateway, INITIALIZE, None, f"all?access_token={token}").status_code == 401
    cookie = {"Cookie": f"pilothouse_session={token}"}
    assert post(gateway, INITIALIZE, None, **cookie).status_code == 401


def test_a_foreign_host_or_origin_is_refused_token_or_not(gateway: Gateway) -> None:
    token = gateway.token("ada")
    for foreign in (
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        for shown in (token, None):
            assert 400 <= post(gateway, INITIALIZE, shown, **foreign).status_code < 500
        assert post(gateway, INITIALIZE, token, **foreign).status_code in (403, 421)
    own = post(gateway, INITIALIZE, token, Origin=gateway.base)
    assert own.status_code == 200


def test_a_session_of_another_principal_or_server_does_not_exist(gateway: Gateway) -> None:
    mine, hers = gateway.token("ada"), gateway.token("eve")
    name = opened(gateway, mine)
    held = {"Mcp-Session-Id": name}
    assert post(gateway, called("platform_whoami"), hers, **held).status_code == 404
    assert post(gateway, called("platform_whoami"), mine, "registry", **held).status_code == 404
    stranger = httpx.delete(f"{gateway.base}/mcp/all", headers=gateway.headers(hers, **held))
    assert stranger.status_code == 404
    invented = post(gateway, called("platform_whoami"), mine, **{"Mcp-Session-Id": "0" * 32})
    assert invented.status_code == 404
    other_token = gateway.token("ada")
    assert post(gateway, called("platform_whoami"), other_token, **held).status_code == 200


def test_a_deleted_session_is_gone(gateway: Gateway) -> None:
    token = gateway.token("ada")
    held = {"Mcp-Session-Id": opened(gateway, token)}
    ended = httpx.delete(f"{gateway.base}/mcp/all", headers=gateway.headers(token, **held))
    assert ended.status_code == 200
    assert post(gateway, called("platform_whoami"), token, **held).status_code == 404


def test_a_token_taken_back_ends_at_its_next_request(gateway: Gateway) -> None:
    token = gateway.token("ada")
    held = {"Mcp-Session-Id": opened(gateway, token)}
    gateway.kernel.tokens.revoke(gateway.kernel.tokens.list("default", "ada")[0].id, "default")
    assert post(gateway, called("platform_whoami"), token, **held).status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": 7}', 400),
        (b"[" * 100_000, 422),
        (b'"' + b"x" * 5_000_000 + b'"', 413),
        (b"\xff\xfe", 400),
    ],
    ids=["broken", "list", "params", "deep", "long", "bytes"],
)
def test_a_malformed_message_is_refused_and_leaves_no_session(
    gateway: Gateway, body: bytes, status: int
) -> None:
    answer = post(gateway, body, gateway.token("ada"))
    assert answer.status_code == status, answer.text[:300]
    assert "mcp-session-id" not in answer.headers or answer.status_code >= 400
    assert "Traceback" not in answer.text


async def test_a_cancelled_call_answers_at_once_and_the_session_goes_on(gateway: Gateway) -> None:
    """A call that is cancelled answers at once, and the next one is not held up."""
    outcome: list[str] = []
    gateway.world.entered.clear()
    async with client(gateway, gateway.token("ada")) as session, anyio.create_task_group() as group:
        number = session._request_id

        async def ask() -> None:
            try:
                await session.call_tool("knowledge_ask", {})
            except McpError as error:
                outcome.append(error.error.message)

        group.start_soon(ask)
        await anyio.to_thread.run_sync(gateway.world.entered.wait, 20)
        params = types.CancelledNotificationParams(requestId=number)
        await session.send_notification(
            types.ClientNotification(types.CancelledNotification(params=params))
        )
        with anyio.fail_after(20):
            while not outcome:
                await anyio.sleep(0.01)
            assert (await session.call_tool("platform_whoami", {})).isError is False
    assert outcome == ["Request cancelled"]
    gateway.world.release.set()


async def test_a_job_is_started_at_once_and_followed_with_its_progress(gateway: Gateway) -> None:
    seen: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))
        gateway.world.resume.set()

    gateway.world.resume.clear()
    async with client(gateway, gateway.token("ada")) as session:
        started = await session.call_tool("training_resume", {}, progress_callback=note)
        job = _result(started)["job"]
        early = _result(await session.call_tool("platform_follow_job", {"job": job, "seconds": 0}))
        assert early["status"] in ("queued", "running")
        told = await session.call_tool("platform_follow_job", {"job": job}, progress_callback=note)
        assert _result(told) == {"job": job, "status": "done", "progress": 1.0}
        assert seen[0][1] == "half way" and [p for p, _ in seen] == sorted({p for p, _ in seen})
        again = await session.call_tool("platform_follow_job", {"job": job})
        assert _result(again)["status"] == "done"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"job": 99_999}, "no job '99999'"),
        ({"job": "seven"}, "must be a job's number"),
        ({}, "must be a job's number"),
        ({"job": 1, "seconds": 3600}, "from 0 to 50"),
        ({"jb": 1}, "Did you mean job"),
    ],
)
async def test_following_what_is_no_job_says_what_is_wrong(
    gateway: Gateway, arguments: dict[str, Any], told: str
) -> None:
    async with client(gateway, gateway.token("ada"), "training") as session:
        answer = await session.call_tool("platform_follow_job", arguments)
    assert answer.isError and told in answer.content[0].text


async def test_a_job_of_another_tenant_does_not_exist(gateway: Gateway) -> None:
    gateway.world.resume.set()
    async with client(gateway, gateway.token("ada"), "training") as session:
        job = _result(await session.call_tool("training_resume", {}))["job"]
        await session.call_tool("platform_follow_job", {"job": job})
    gateway.kernel.principals.add("tom", frozenset({Role.ADMIN}), "other")
    token = gateway.kernel.tokens.create("tom", "other", "test", audience="/mcp")[1]
    async with client(gateway, token) as session:
        hidden = await session.call_tool("platform_follow_job", {"job": job})
        assert hidden.isError and f"no job '{job}'" in hidden.content[0].text
        with pytest.raises(McpError, match="no job"):
            await session.read_resource(AnyUrl(f"job://{job}"))
        assert not [r for r in (await session.list_resources()).resources if "job" in str(r.uri)]


async def test_a_principal_with_many_slow_calls_holds_up_nobody_else(gateway: Gateway) -> None:
    gateway.world.entered.clear()
    gateway.world.release.clear()
    slow, others = gateway.token("ada"), gateway.token("eve")
    gateway.world.acts.clear()
    async with (
        client(gateway, slow) as busy,
        client(gateway, others) as session,
        anyio.create_task_group() as group,
    ):
        for _ in range(40):
            group.start_soon(busy.call_tool, "knowledge_ask", {})
        await anyio.to_thread.run_sync(gateway.world.entered.wait, 20)
        with anyio.fail_after(20):
            answer = await session.call_tool("platform_whoami", {})
        assert _result(answer) == {"word": "eve"} and "waited" not in gateway.world.acts
        gateway.world.release.set()


async def test_every_door_together_lets_the_application_begin_and_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A middleware that fails at the lifespan would leave every door that holds something shut."""
    kernel = Kernel(Settings.model_validate({"home": tmp_path_factory.mktemp("all")}))
    said = list[str]()
    asked = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return asked[len(said)]

    async def send(message: Any) -> None:
        said.append(message["type"])

    async def no_assistant(kernel: Kernel) -> Any:
        raise NotImplementedError

    app = create_app(Door(kernel, "owner", no_assistant, lambda: None))
    await app({"type": "lifespan", "state": {}}, receive, send)
    kernel.stop()
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_one_who_asks_too_often_is_told_when_to_come_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    doors, home = (servers.add_to, shield.add_to), tmp_path_factory.mktemp("hasty")
    with running_gateway(home, doors, jobs=False, requests_per_minute=2) as gateway:
        gateway.user("ada", Role.VIEWER)
        token = gateway.token("ada")
        answers = [post(gateway, INITIALIZE, token) for _ in range(4)]
    assert [a.status_code for a in answers[:2]] == [200, 200]
    assert answers[3].status_code == 429 and int(answers[3].headers["retry-after"]) >= 1


class Person:
    """Answers what a client asks for."""

    def __init__(
        self, action: Literal["accept", "decline", "cancel"] = "accept", **content: Any
    ) -> None:
        self.asked: list[Any] = []
        self._answer = types.ElicitResult(action=action, content=content or None)

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        return self._answer


async def test_a_missing_argument_is_asked_for_where_the_client_can(gateway: Gateway) -> None:
    gateway.world.acts.clear()
    person = Person(name="fresh")
    async with client(gateway, gateway.token("ada"), elicitation_callback=person) as session:
        answer = await session.call_tool("datasets_add", {})
        assert _result(answer) == {"word": "added"}
        (asked,) = person.asked
        assert "Which one?" in asked.message
        assert asked.requestedSchema["properties"] == {
            "name": {"type": "string", "description": "Which one?"}
        }
        await session.call_tool("datasets_add", {"name": "given"})
        assert len(person.asked) == 1
    assert gateway.world.acts == ["added", "added"]


@pytest.mark.parametrize("person", [Person("decline"), Person("cancel"), None])
async def test_nobody_has_to_be_asked(gateway: Gateway, person: Person | None) -> None:
    gateway.world.acts.clear()
    async with client(gateway, gateway.token("ada"), elicitation_callback=person) as session:
        answer = await session.call_tool("datasets_add", {})
        assert answer.isError and "name is missing" in answer.content[0].text
        danger = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert danger.isError and "pilothouse approvals grant" in danger.content[0].text
    assert gateway.world.acts == []


async def test_nobody_is_asked_about_what_they_may_not_do(gateway: Gateway) -> None:
    person = Person(name="fresh")
    async with client(gateway, gateway.token("vera"), elicitation_callback=person) as session:
        answer = await session.call_tool("datasets_add", {})
    assert answer.isError and person.asked == []


async def test_a_person_is_led_to_the_page_that_approves_and_the_call_goes_on(
    gateway: Gateway,
) -> None:
    """Accepting in the client opens the page; what counts is the grant of who is signed in."""
    gateway.world.acts.clear()
    eve = gateway.kernel.principals.account("eve", "default")
    assert eve is not None

    class Approver(Person):
        async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
            found = gateway.kernel.approvals.get(params.elicitationId, "default")
            assert found.status == "pending" and gateway.world.acts == []
            gateway.kernel.approvals.grant(found.id, eve.principal, found.confirm)
            return await super().__call__(context, params)

    person = Approver()
    async with client(gateway, gateway.token("ada"), elicitation_callback=person) as session:
        answer = await session.call_tool("deployment_rollback", {"name": "tablets"})
    (asked,) = person.asked
    assert asked.mode == "url"
    assert asked.url == f"{gateway.base}/approvals/{asked.elicitationId}"
    assert _result(answer) == {"word": "rolled back"}
    assert answer.structuredContent is not None
    assert answer.structuredContent["receipt"]["approval"] == asked.elicitationId
    assert gateway.world.acts == ["rolled back"]


async def test_a_client_that_says_accept_approves_nothing(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_servers.asking.SECONDS", 0.2)
    gateway.world.acts.clear()
    liar = Person("accept", approved=True, confirm="watches")
    async with client(gateway, gateway.token("ada"), elicitation_callback=liar) as session:
        answer = await session.call_tool("deployment_rollback", {"name": "watches"})
    assert answer.isError and answer.structuredContent is not None
    told = answer.structuredContent["error"]
    assert told["code"] == "needs_approval" and gateway.world.acts == []
    assert told["link"] == f"{gateway.base}/approvals/{told['approval']['id']}"
    assert gateway.kernel.approvals.get(told["approval"]["id"], "default").status == "pending"


def _result(answer: types.CallToolResult) -> dict[str, Any]:
    assert not answer.isError and answer.structuredContent, answer.content
    return answer.structuredContent["result"]
