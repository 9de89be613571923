"""Sessions over HTTP: how many, how long, whose, and what a broken connection costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp.server.transport_security import TransportSecuritySettings

from mcp_servers.builder import build
from mcp_servers.caller import CallOutcome
from mcp_servers.fair import FairCaller
from mcp_servers.replay import Replay
from mcp_servers.sessions import Bounds
from mcp_servers.streaming import StreamingServers, door_of_request
from tests.mcp_servers.everything import Everything
from tests.support.fake_platform import context_of
from tools.kernel.identity import RequestContext, Role

HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "Host": "here",
}
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


class Named:
    """Lets everybody in under the name that they give; throws out who is in `gone`."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def identify(self, headers: Mapping[str, str], resource: str) -> RequestContext:
        return context_of(Role.VIEWER, name=headers.get("x-name", "ada"))

    def require_scope(self, context: RequestContext, server: str, tool: str) -> None:
        return None

    def standing(self, context: RequestContext) -> bool:
        return context.principal.name not in self.gone


class Here:
    """The servers in this process, and a client without a network."""

    def __init__(self, bounds: Bounds) -> None:
        self.gatehouse = Named()
        self.servers = StreamingServers(
            lambda name: build(Everything(), door_of_request),
            self.gatehouse,
            TransportSecuritySettings(allowed_hosts=["here"]),
            bounds=bounds,
        )
        transport = httpx.ASGITransport(self.servers)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://here", headers=HEADERS)

    async def post(self, message: dict[str, Any], name: str = "ada", **more: str) -> httpx.Response:
        return await self.http.post("/any", json=message, headers={"X-Name": name, **more})

    async def opened(self, name: str = "ada") -> str:
        answer = await self.post(INITIALIZE, name)
        assert answer.status_code == 200, answer.text
        return answer.headers["mcp-session-id"]

    async def lives(self, session: str, name: str = "ada") -> bool:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        return (await self.post(ping, name, **{"Mcp-Session-Id": session})).status_code == 200


@asynccontextmanager
async def here(**bounds: Any) -> AsyncIterator[Here]:
    running = Here(Bounds(**bounds))
    async with running.servers.run(), running.http:
        yield running


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def test_one_more_session_than_allowed_ends_the_longest_unused() -> None:
    async with here(each=2) as running:
        first, second = await running.opened(), await running.opened()
        hers = await running.opened("eve")
        assert await running.lives(first)
        third = await running.opened()
        assert not await running.lives(second)
        assert await running.lives(first) and await running.lives(third)
        assert await running.lives(hers, "eve")


async def test_when_all_places_are_taken_a_newcomer_is_told_so() -> None:
    async with here(each=5, most=2) as running:
        kept = await running.opened()
        await running.opened()
        refused = await running.post(INITIALIZE, "eve")
        assert refused.status_code == 503 and "Too many" in refused.json()["error_description"]
        assert await running.lives(kept)


async def test_an_idle_session_ends_by_itself() -> None:
    async with here(idle_seconds=0.05) as running:
        session = await running.opened()
        await until(lambda: len(running.servers.sessions) == 0)
        assert not await running.lives(session)


async def test_sessions_end_when_what_they_came_in_with_no_longer_holds() -> None:
    async with here(standing_seconds=0.02) as running:
        mine, hers = await running.opened(), await running.opened("eve")
        running.gatehouse.gone.add("eve")
        await until(lambda: len(running.servers.sessions) == 1)
        assert await running.lives(mine) and not await running.lives(hers, "eve")


async def test_a_request_that_opens_no_session_leaves_none() -> None:
    async with here() as running:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert (await running.post(call)).status_code == 400
        assert len(running.servers.sessions) == 0


async def test_nothing_is_answered_before_it_runs_or_after() -> None:
    async with here() as running:
        pass
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(running.servers), base_url="http://here", headers=HEADERS
    )
    async with client:
        answer = await client.post("/any", json=INITIALIZE)
    assert answer.status_code == 503


async def test_what_a_broken_connection_missed_is_sent_again_and_to_no_other_session() -> None:
    """The tool leaves its stream in the middle; the answer waits for whoever comes back."""
    async with here() as running:
        session, other = await running.opened(), await running.opened()
        call = {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {"name": "test_reconnection", "arguments": {}},
        }
        left = await running.post(call, **{"Mcp-Session-Id": session})
        assert left.status_code == 200 and "Reconnected" not in left.text
        (event,) = [line[4:] for line in left.text.splitlines() if line.startswith("id: ")]
        store = running.servers.sessions.find(session, "any", context_of(name="ada"))
        assert store is not None
        seen = await _resumed(running, session, event)
        assert "Reconnected" in seen
        assert await _resumed(running, other, event) == ""


async def _resumed(running: Here, session: str, event: str) -> str:
    """What a client gets that comes back; what was missed comes first."""
    headers = {"Mcp-Session-Id": session, "Last-Event-ID": event, "X-Name": "ada"}
    sent: list[bytes] = []
    done = asyncio.Event()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/any",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "server": ("here", 80),
        "headers": [(k.lower().encode(), v.encode()) for k, v in {**HEADERS, **headers}.items()],
    }

    async def receive() -> dict[str, Any]:
        if not sent:
            sent.append(b"")
            return {"type": "http.request", "body": b"", "more_body": False}
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if b'"id":7' in sent[-1]:
            done.set()

    request = asyncio.create_task(running.servers(scope, receive, send))
    async with asyncio.timeout(20):
        await request
    return b"".join(sent).decode()


async def test_kept_messages_are_bounded_and_an_old_position_is_unknown() -> None:
    from mcp.types import JSONRPCMessage

    kept, seen = Replay(most=1000), list[str]()
    message = JSONRPCMessage.model_validate(
        {"jsonrpc": "2.0", "method": "notifications/x", "params": {"text": "x" * 300}}
    )

    async def note(event: Any) -> None:
        seen.append(event.event_id)

    numbers = [await kept.store_event("a", message) for _ in range(6)]
    await kept.store_event("b", message)
    assert await kept.replay_events_after(numbers[0], note) is None and seen == []
    assert await kept.replay_events_after(numbers[-1], note) == "a" and seen == []
    assert await kept.replay_events_after("nonsense", note) is None


async def test_one_principals_calls_leave_room_for_anothers() -> None:
    release, running = asyncio.Event(), list[str]()

    class Held:
        async def call(self, name: str, arguments: Any, context: Any, **more: Any) -> CallOutcome:
            running.append(context.principal.name)
            await release.wait()
            return CallOutcome({}, {})

    fair = FairCaller(Held(), each=2)
    ada, eve = context_of(name="ada"), context_of(name="eve")
    calls = [asyncio.create_task(fair.call("a.b", {}, ada)) for _ in range(5)]
    calls.append(asyncio.create_task(fair.call("a.b", {}, eve)))
    await until(lambda: len(running) == 3)
    assert sorted(running) == ["ada", "ada", "eve"]
    calls[4].cancel()
    release.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert len(running) == 5 and fair._turns == {}


@pytest.mark.parametrize("version", ["2025-11-25", "2025-03-26", None])
async def test_a_session_keeps_the_version_that_it_began_with(version: str | None) -> None:
    async with here() as running:
        session = await running.opened()
        more = {"Mcp-Session-Id": session} | ({"Mcp-Protocol-Version": version} if version else {})
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        answer = await running.post(ping, **more)
        assert "retry: 1000" in answer.text
        odd = await running.post(ping, **{**more, "Mcp-Protocol-Version": "1999-01-01"})
        assert odd.status_code == 400 and "1999-01-01" in json.dumps(odd.json())
