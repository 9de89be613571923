"""A platform that stops tells its readers where to go on; alone here, because it is stopped."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.ui.gateway import gateway
from tests.ui.test_events import happen, ids, socket


def test_when_the_platform_stops_readers_are_told_where_to_go_on(
    template_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as found, found.client() as client:
        told = happen(found, "devices", 2)
        path = f"/api/v1/events/devices?after={told[0]}"
        with socket(found, path) as feed, client.stream("GET", path) as stream:
            assert json.loads(feed.recv(timeout=20))["id"] == told[1]
            lines = stream.iter_lines()
            assert ids(lines, 1) == told[1:]
            loop = found.door.notifier._loop
            assert loop is not None
            asyncio.run_coroutine_threadsafe(found.door.quiet(), loop).result(20)
            assert "event: goodbye" in list(lines)
            with pytest.raises(ConnectionClosed) as closed:
                feed.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, f"after={told[1]}")
        with httpx.Client(base_url=found.url) as nobody:
            assert nobody.get("/readyz").json()["checks"]["platform"] == "stopping"
