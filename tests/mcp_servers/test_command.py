"""`pilothouse mcp all`: the whole way from an editor to the gate of the platform process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from pydantic import AnyUrl

from mcp_servers.names import offered, tool_name
from tools.catalog import load_operations

ROOT = Path(__file__).resolve().parents[2]
PILOTHOUSE = ROOT / ".venv" / "bin" / "pilothouse"


@pytest.fixture
def environment(home: Path) -> Iterator[dict[str, str]]:
    given = {**os.environ, "PILOTHOUSE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    given.pop("PILOTHOUSE_TOKEN", None)
    yield given
    subprocess.run([PILOTHOUSE, "down"], env=given, cwd=ROOT, check=False, capture_output=True)


@asynccontextmanager
async def client(environment: dict[str, str], server: str) -> AsyncIterator[ClientSession]:
    command = StdioServerParameters(
        command=str(PILOTHOUSE), args=["mcp", server], env=environment, cwd=str(ROOT)
    )
    with open(os.devnull, "w") as nowhere:
        async with (
            stdio_client(command, errlog=nowhere) as streams,
            ClientSession(*streams) as session,
        ):
            await session.initialize()
            yield session


def _content(answer: Any) -> Any:
    assert not answer.isError, answer.content
    return answer.structuredContent["result"]


@pytest.mark.timeout(180)
async def test_an_editor_lists_reads_and_is_stopped_before_danger(
    environment: dict[str, str], tmp_path: Path
) -> None:
    async with client(environment, "all") as session:
        listed = {t.name for t in (await session.list_tools()).tools}
        operations = {tool_name(o.name) for o in offered("all", load_operations())}
        assert listed == operations | {"platform_follow_job"}

        assert _content(await session.call_tool("platform_whoami", {}))["name"] == "owner"
        assert "datasets" in _content(await session.call_tool("datasets_list", {}))
        wrong = await session.call_tool("datasets_add", {"path": str(tmp_path / "missing.csv")})
        assert wrong.isError and wrong.structuredContent is not None
        assert wrong.structuredContent["error"]["code"] in ("invalid_input", "not_found")
        missing = await session.call_tool("datasets_describe", {"dataset": "no such thing"})
        assert missing.isError and "no dataset" in missing.content[0].text

        danger = await session.call_tool("platform_add_user", {"name": "eve", "role": "approver"})
        assert danger.isError and danger.structuredContent is not None
        error = danger.structuredContent["error"]
        assert error["code"] == "needs_approval"
        assert error["command"].endswith(error["approval"]["id"])
        users = _content(await session.call_tool("platform_users", {}))["users"]
        assert "eve" not in {u["name"] for u in users}

        help_ = await session.read_resource(AnyUrl("operations://help"))
        assert "training.start" in help_.contents[0].text
        templates = (await session.list_resource_templates()).resourceTemplates
        assert len(templates) == 6
        assert {p.name for p in (await session.list_prompts()).prompts} >= {"train_and_evaluate"}
