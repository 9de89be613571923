"""Each snippet of docs/mcp.md as an editor reads it: its server is started or reached."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mcp_servers.names import server_names
from tests.support.gateway import Gateway, running_gateway
from tests.support.node import peers, run_node
from tools.kernel.identity import Role
from ui.api import servers
from ui.auth import shield

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "mcp.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.S | re.M)
JSON = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
COMMANDS = [line for kind, text in BLOCKS if not kind for line in text.splitlines() if line]
DEFAULT = "http://127.0.0.1:8080"


def entries() -> list[dict[str, Any]]:
    """Every server that a snippet configures, in the shape of its editor."""
    found = [entry for s in JSON for entry in (s.get("servers") or s["mcpServers"]).values()]
    for line in COMMANDS:
        words = shlex.split(line)
        if words[:3] == ["claude", "mcp", "add"]:
            found.append(_claude(words[3:]))
    return found


def _claude(words: list[str]) -> dict[str, Any]:
    """`claude mcp add [--transport http] NAME URL --header H`, or `NAME -- COMMAND ARGUMENTS`."""
    if "--" in words:
        name, command = words[: words.index("--")], words[words.index("--") + 1 :]
        assert name == ["pilothouse"]
        return {"command": command[0], "args": command[1:]}
    assert words[:3] == ["--transport", "http", "pilothouse"] and words[4] == "--header"
    name, _, value = words[5].partition(": ")
    return {"url": words[3], "headers": {name: value}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    with running_gateway(home, (servers.add_to, shield.add_to)) as running:
        running.user("ada", Role.OPERATOR)
        yield running


def test_the_guide_has_both_ways_for_each_editor() -> None:
    for editor in ("VS Code", "Cursor", "Claude Code"):
        assert f"## {editor}" in GUIDE
    assert len([e for e in entries() if "url" in e]) == 4
    assert len([e for e in entries() if "command" in e]) == 3


@pytest.mark.parametrize("entry", [e for e in entries() if "url" in e], ids=json.dumps)
def test_an_http_snippet_gets_in_with_the_token_that_it_sends(
    gateway: Gateway, entry: dict[str, Any]
) -> None:
    assert entry.get("type", "http") == "http"
    assert entry["url"].startswith(f"{DEFAULT}/mcp/")
    variable = r"\$\{?(input:|env:)?[\w-]+\}?"
    (name, value) = next(iter(entry["headers"].items()))
    headers = gateway.headers("") | {name: re.sub(variable, gateway.token("ada"), value)}
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "editor", "version": "1"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    url = entry["url"].replace(DEFAULT, gateway.base)
    answer = httpx.post(url, json=message, headers=headers)
    assert answer.status_code == 200 and "pilothouse-all" in answer.text


@pytest.mark.parametrize("entry", [e for e in entries() if "command" in e], ids=json.dumps)
def test_a_stdio_snippet_names_our_program_and_a_server(entry: dict[str, Any]) -> None:
    """That the program then serves is shown in `tests/mcp_servers/test_command.py`."""
    command = entry["command"].replace("${workspaceFolder}", str(ROOT))
    command = command.replace("/path/to/pilothouse", str(ROOT))
    assert os.access(command, os.X_OK)
    assert entry["args"][0] == "mcp" and entry["args"][1] in server_names()
    assert entry.get("type", "stdio") == "stdio"


def test_variables_that_the_editors_ask_for_are_declared() -> None:
    for snippet in JSON:
        wanted = set(re.findall(r"\$\{input:([\w-]+)\}", json.dumps(snippet)))
        assert wanted == {given["id"] for given in snippet.get("inputs", [])}
        assert all(given["password"] for given in snippet.get("inputs", []))


def test_the_commands_of_the_guide_are_commands() -> None:
    from ui.cli import app

    for line in COMMANDS:
        words = shlex.split(line)
        if words[0] == "pilothouse":
            known = [w for w in words[1:3] if not w.startswith("-")]
            help_ = CliRunner().invoke(app, [*known[: 2 if known[0] == "tokens" else 1], "--help"])
            assert help_.exit_code == 0, line
            assert all(w in help_.output for w in words if w.startswith("--")), line


def test_the_inspectors_line_lists_the_tools(gateway: Gateway) -> None:
    (line,) = [words for c in COMMANDS if (words := shlex.split(c))[0] == "npx"]
    inspector = str(peers() / "@modelcontextprotocol/inspector/clients/launcher/build/index.js")
    given = [w.replace(DEFAULT, gateway.base) for w in line[2:]]
    given = [w.replace("$PILOTHOUSE_MCP_TOKEN", gateway.token("ada")) for w in given]
    done = run_node(inspector, *given)
    assert "deployment_rollback" in {t["name"] for t in json.loads(done.stdout)["tools"]}


def test_what_the_guide_names_is_there() -> None:
    from mcp_servers.prompts import RECIPES
    from mcp_servers.resources import TEMPLATES

    for recipe in RECIPES:
        assert f"`{recipe.name}`" in GUIDE
    for template in TEMPLATES:
        assert f"{template.uri.partition('://')[0]}://" in GUIDE
    for name in server_names():
        assert f"`{name}`" in GUIDE
    for path in re.findall(r"`(tests/[\w/]+\.py)`", GUIDE):
        assert (ROOT / path).is_file(), path
