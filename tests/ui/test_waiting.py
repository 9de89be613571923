"""What an editor's process over stdio waits for: jobs and approvals of the platform process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.fake_platform import OWNER
from tests.support.gateway import OWNERS, Gateway, running_gateway
from tools.kernel.errors import NeedsApproval, NotFound
from ui.api import rest
from ui.auth import shield
from ui.client import Client, RemoteWaiting
from ui.home import RunState


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    with running_gateway(home, (rest.add_to, shield.add_to)) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Client:
    port = int(gateway.base.rpartition(":")[2])
    state = RunState(1, port, gateway.base, OWNERS, 0.0, "0", "EUR")
    return Client(state, channel="mcp")


async def test_a_job_is_followed_to_its_end_with_progress(gateway: Gateway, client: Client) -> None:
    seen: list[tuple[float, str]] = []

    def note(fraction: float, message: str) -> None:
        seen.append((fraction, message))
        if message == "half way":
            gateway.world.resume.set()

    gateway.world.resume.clear()
    started = await asyncio.to_thread(client.call, "training.resume", {})
    await RemoteWaiting(client).job(started["job"], OWNER, note, 20)
    assert (0.5, "half way") in seen and seen[-1][0] == 1.0
    assert gateway.kernel.jobs.get(started["job"], "default").status == "done"


async def test_a_wait_for_a_job_ends_with_its_time(gateway: Gateway, client: Client) -> None:
    gateway.world.resume.clear()
    started = await asyncio.to_thread(client.call, "training.resume", {})
    await RemoteWaiting(client).job(started["job"], OWNER, lambda f, m: None, 0.0)
    assert gateway.kernel.jobs.get(started["job"], "default").status != "done"
    gateway.world.resume.set()
    with pytest.raises(NotFound):
        await RemoteWaiting(client).job(99_999, OWNER, lambda f, m: None, 0.0)


async def test_a_grant_is_noticed_and_a_refusal_is_none(gateway: Gateway, client: Client) -> None:
    waiting, approvals = RemoteWaiting(client), gateway.kernel.approvals
    for name, decided in (("phones", True), ("tablets", False)):
        with pytest.raises(NeedsApproval) as needed:
            await asyncio.to_thread(client.call, "deployment.rollback", {"name": name})
        approval = needed.value.approval["id"]
        assert await waiting.granted(approval, OWNER, 0.0) is False
        wait = asyncio.create_task(waiting.granted(approval, OWNER, 20))
        if decided:
            approvals.grant(approval, OWNER.principal, name)
        else:
            approvals.deny(approval, OWNER.principal, "no")
        assert await wait is decided
        assert waiting.page(approval, None) == f"{gateway.base}/approvals/{approval}"


def test_the_page_that_people_are_led_to_is_one_of_ours() -> None:
    from ui.web import work

    assert "/approvals/{approval}" in {getattr(route, "path", None) for route in work.router.routes}
