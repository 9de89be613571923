"""Events and conversations as they happen: server-sent events and WebSockets on a real server."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.ui.gateway import OWNER_TOKEN, Gateway, gateway
from tools.kernel.events import Events
from tools.kernel.storage import Database
from ui.api.notifier import QUEUE, Notifier


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("events") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as found:
        yield found


def socket(running: Gateway, path: str, token: str = OWNER_TOKEN, **more: Any) -> ClientConnection:
    url = running.url.replace("http", "ws", 1) + path
    return connect(url, additional_headers={"Authorization": f"Bearer {token}"}, **more)


def happen(running: Gateway, topic: str, count: int, tenant: str = "default") -> list[int]:
    return [
        running.kernel.events.publish(topic, "test.happened", {"n": n}, tenant)
        for n in range(count)
    ]


def ids(lines: Iterator[str], count: int) -> list[int]:
    found: list[int] = []
    for line in lines:
        if line.startswith("id: "):
            found.append(int(line[4:]))
        if len(found) == count:
            break
    return found


def until(talk: ClientConnection, *kinds: str) -> list[dict[str, Any]]:
    found = [json.loads(talk.recv(timeout=30))]
    while found[-1]["kind"] not in kinds:
        found.append(json.loads(talk.recv(timeout=30)))
    return found


def test_a_stream_goes_on_after_the_last_id_that_was_seen(running: Gateway) -> None:
    told = happen(running, "devices", 5)
    with running.client() as client:
        headers = {"Last-Event-ID": str(told[1])}
        with client.stream("GET", "/api/v1/events/devices", headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert ids(lines, 3) == told[2:]
            later = happen(running, "devices", 2)
            assert ids(lines, 2) == later
        with client.stream("GET", f"/api/v1/events/devices?after={told[3]}") as stream:
            assert ids(stream.iter_lines(), 3) == [told[4], *later]


def test_a_feed_without_an_id_tells_only_what_comes(running: Gateway) -> None:
    happen(running, "deployment", 2)
    with socket(running, "/api/v1/events/rollouts") as feed:
        told = happen(running, "deployment", 1)
        assert json.loads(feed.recv(timeout=20))["id"] == told[0]


def test_what_another_process_stores_is_seen(running: Gateway) -> None:
    other = Events(Database(running.kernel.settings.database))
    with socket(running, "/api/v1/events/approvals") as feed:
        told = other.publish("approvals", "approval.requested", {"approval": "A1"})
        found = json.loads(feed.recv(timeout=20))
    assert found["id"] == told and found["data"] == {"approval": "A1"}


def test_another_tenants_events_are_not_told(running: Gateway) -> None:
    token = running.add("tess", "admin", tenant="other")
    with socket(running, "/api/v1/events/approvals", token) as feed:
        happen(running, "approvals", 3)
        own = happen(running, "approvals", 1, tenant="other")
        assert json.loads(feed.recv(timeout=20))["id"] == own[0]


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/api/v1/events/jobs", "wrong", 401),
        ("/api/v1/events/jobs/999", OWNER_TOKEN, 404),
        ("/api/v1/events/conversations/nowhere", OWNER_TOKEN, 404),
        ("/api/v1/ws", "wrong", 401),
    ],
)
def test_who_may_not_follow_is_refused_before_the_socket_opens(
    running: Gateway, path: str, token: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused, socket(running, path, token):
        pass
    assert refused.value.response.status_code == status
    with running.client(token) as client:
        plain = client.get(path.replace("/ws", "/conversations"))
        assert path.endswith("ws") or plain.json()["status"] == status


def test_a_jobs_stream_ends_with_the_job_and_is_not_taken_up_again(running: Gateway) -> None:
    with running.client() as client:
        arguments = {"dataset": "tickets", "method": "head", "epochs": 1}
        body = {"arguments": arguments}
        job = client.post("/api/v1/operations/training.start", json=body).json()["job"]
        client.post("/api/v1/operations/platform.cancel_job", json={"arguments": {"job": job}})
        with client.stream("GET", f"/api/v1/events/jobs/{job}", timeout=60) as stream:
            told = [json.loads(x[6:]) for x in stream.iter_lines() if x.startswith("data: ")]
        assert told[-1]["kind"] == "job.cancelled"
        after = client.get(f"/api/v1/events/jobs/{job}?after={told[-1]['id']}")
        assert after.status_code == 204


async def test_a_slow_reader_misses_nothing_and_holds_nobody_up(running: Gateway) -> None:
    notifier = Notifier(running.kernel.events)
    slow = await notifier.follow("slow", "default", 0)
    quick = await notifier.follow("slow", "default", 0)
    reading = slow.events()
    first = asyncio.ensure_future(anext(reading))
    told = await asyncio.to_thread(happen, running, "slow", QUEUE + 50)
    found = [event.id async for event in _take(quick.events(), len(told))]
    assert found == told
    assert len(slow._queue) <= QUEUE
    rest = [event.id async for event in _take(reading, len(told) - 1)]
    assert [(await first).id, *rest] == told  # type: ignore[union-attr]
    await notifier.stop()


async def _take(events: Any, count: int) -> AsyncIterator[Any]:
    async for event in events:
        if event is not None:
            yield event
            count -= 1
        if count == 0:
            return


async def test_a_thousand_readers_take_no_thread_each(running: Gateway) -> None:
    import threading

    notifier = Notifier(running.kernel.events)
    before = threading.active_count()
    followers = [await notifier.follow("crowd", "default") for _ in range(1000)]
    waiting = [asyncio.ensure_future(anext(f.events(60))) for f in followers]
    await asyncio.sleep(0)
    told = await asyncio.to_thread(happen, running, "crowd", 1)
    found = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    assert {event.id for event in found if event} == set(told)
    assert threading.active_count() - before < 60
    await notifier.stop()


def test_a_conversation_is_held_over_one_socket(running: Gateway) -> None:
    with socket(running, "/api/v1/ws?conversation=held") as talk:
        assert json.loads(talk.recv())["thread"] == "held"
        for _ in range(3):  # at once, one after another
            talk.send(json.dumps({"text": "read"}))
            assert until(talk, "done", "error")[-1]["kind"] == "done"
        talk.send(json.dumps({"text": "write held-device"}))
        assert until(talk, "done")[-1]["status"] == "needs_confirmation"
        talk.send(json.dumps({"confirmed": True}))
        assert until(talk, "done")[-1]["status"] == "done"


def test_a_turn_is_cancelled_over_the_socket_that_it_runs_on(running: Gateway) -> None:
    with socket(running, "/api/v1/ws?conversation=stopped") as talk:
        talk.send(json.dumps({"text": "slow 600"}))
        until(talk, "progress")
        talk.send(json.dumps({"text": "read"}))
        assert until(talk, "error")[-1]["error"]["code"] == "conflict"
        talk.send(json.dumps({"cancel": True}))
        kinds = {event["kind"] for event in until(talk, "cancelled")}
        assert "cancelled" in kinds


@pytest.mark.parametrize(
    "message", ["{", "[]", '{"txt": "x"}', '{"text": ""}', "{}", '{"text": 3}']
)
def test_a_malformed_message_is_told_and_the_conversation_goes_on(
    running: Gateway, message: str
) -> None:
    with socket(running, "/api/v1/ws") as talk:
        talk.send(message)
        assert until(talk, "error")[-1]["error"]["code"] == "invalid_input"
        talk.send(json.dumps({"text": "read"}))
        assert until(talk, "done")[-1]["status"] == "done"


def test_a_token_that_is_taken_back_ends_the_conversation(running: Gateway) -> None:
    token = running.add("gone", "viewer")
    with socket(running, "/api/v1/ws", token) as talk:
        talk.recv()
        running.kernel.principals.remove("gone")
        talk.send(json.dumps({"text": "read"}))
        with pytest.raises(ConnectionClosed) as closed:
            until(talk, "done")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
