"""`mcp`: the MCP servers over standard input and output, for editors."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(mcp)


def mcp(
    domain: Annotated[
        str,
        typer.Argument(
            help="datasets, training, registry, evaluation, devices, knowledge, reporting, "
            "schedules, platform, or all."
        ),
    ],
) -> int:
    """Serve operations as MCP tools until standard input ends."""
    from tools.kernel.identity import Channel, Principal, RequestContext, Role
    from ui.client import RemoteCaller, RemoteWaiting, connect

    client = connect(channel="mcp")
    status = client.get("/api/v1/status")
    principal = Principal(status["principal"], frozenset(Role(role) for role in status["roles"]))

    from mcp_servers.stdio import serve_stdio
    from tools.catalog import load_operations

    operations = load_operations()
    context = RequestContext(principal, Channel.MCP)
    waiting = RemoteWaiting(client)
    serve_stdio(domain, RemoteCaller(client), lambda: context, operations, waiting)
    return 0
