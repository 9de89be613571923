"""Lists over the protocol come in pages that join to the whole."""

from __future__ import annotations

from typing import Any

import mcp.types as types
import pytest
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl

from mcp_servers.builder import build
from mcp_servers.memory import in_memory_session
from mcp_servers.paging import PAGE, page
from mcp_servers.passes import Pass
from tests.mcp_servers.everything import ANYBODY, Everything


class Many(Everything):
    """Offers more than fits on a page."""

    async def resources(self, given: Pass) -> list[types.Resource]:
        return [types.Resource(uri=AnyUrl(f"test://{n}"), name=str(n)) for n in range(250)]

    async def tools(self, given: Pass) -> list[types.Tool]:
        schema: dict[str, Any] = {"type": "object"}
        return [types.Tool(name=f"t{n}", inputSchema=schema) for n in range(PAGE + 1)]


async def test_pages_of_resources_and_tools_join_to_the_whole() -> None:
    async with in_memory_session(build(Many(), lambda: ANYBODY)) as session:
        names: list[str] = []
        cursor: str | None = None
        sizes: list[int] = []
        while True:
            params = types.PaginatedRequestParams(cursor=cursor)
            answer = await session.list_resources(params=params)
            names += [r.name for r in answer.resources]
            sizes.append(len(answer.resources))
            if (cursor := answer.nextCursor) is None:
                break
        assert names == [str(n) for n in range(250)] and sizes == [100, 100, 50]
        first = await session.list_tools()
        more = types.PaginatedRequestParams(cursor=first.nextCursor)
        last = await session.list_tools(params=more)
        assert [t.name for t in last.tools] == [f"t{PAGE}"] and last.nextCursor is None


@pytest.mark.parametrize("cursor", ["nonsense", "", "bnVsbA==", "WzEsMl0=", "WzEs"])
async def test_a_cursor_that_is_none_of_ours_is_an_invalid_parameter(cursor: str) -> None:
    async with in_memory_session(build(Many(), lambda: ANYBODY)) as session:
        with pytest.raises(McpError, match="cursor") as caught:
            await session.list_resources(params=types.PaginatedRequestParams(cursor=cursor))
    assert caught.value.error.code == types.INVALID_PARAMS


def test_what_comes_and_goes_between_pages_neither_repeats_nor_hides_others() -> None:
    entries = [str(n) for n in range(10)]
    first, cursor = page(entries, None, str, size=4)
    assert first == ["0", "1", "2", "3"]
    assert page(["new", *entries], cursor, str, size=4)[0] == ["4", "5", "6", "7"]
    assert page(entries[2:], cursor, str, size=4)[0] == ["4", "5", "6", "7"]
    gone = [e for e in entries if e != "3"]
    assert page(gone, cursor, str, size=4)[0] == ["4", "5", "6", "7"]
    assert page([], cursor, str, size=4) == ([], None)
