"""Which servers there are, and how an operation is called as a tool.

MCP clients and language models accept only letters, digits, `_` and `-` in a tool's name, so
`registry.promote` becomes `registry_promote`. Domains hold no underscore: the first one divides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.kernel.errors import NotFound
from tools.kernel.operations import Operation, OperationSet

ALL = "all"

SERVERS: dict[str, tuple[str, ...]] = {
    "datasets": ("datasets",),
    "training": ("training",),
    "registry": ("registry",),
    "evaluation": ("evaluation",),
    "devices": ("devices", "deployment"),
    "knowledge": ("knowledge",),
    "reporting": ("reporting",),
    "schedules": ("schedules",),
    "platform": ("platform",),
}


def server_names() -> tuple[str, ...]:
    """The names of all servers, `all` last."""
    return (*SERVERS, ALL)


def server_of(domain: str) -> str:
    """The server that offers a domain's operations.

    Raises:
        NotFound: if no server offers it.
    """
    for server, domains in SERVERS.items():
        if domain in domains:
            return server
    raise NotFound(f"No MCP server offers the domain {domain!r}.")


def offered(server: str, operations: OperationSet) -> list[Operation[Any, Any]]:
    """The operations that a server offers: those of its domains that are not hidden.

    Raises:
        NotFound: if there is no such server.
    """
    if server == ALL:
        return _visible(operations)
    if server not in SERVERS:
        raise NotFound(
            f"There is no MCP server {server!r}.", hint=f"There are {', '.join(server_names())}."
        )
    return _visible(operations.of(SERVERS[server]))


def tool_name(operation: str) -> str:
    """`registry.promote` → `registry_promote`."""
    return operation.replace(".", "_", 1)


def operation_name(tool: str) -> str:
    """`registry_promote` → `registry.promote`."""
    return tool.replace("_", ".", 1)


def _visible(operations: Iterable[Operation[Any, Any]]) -> list[Operation[Any, Any]]:
    return [o for o in operations if not o.hidden]
