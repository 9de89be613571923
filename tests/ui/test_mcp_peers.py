"""The official TypeScript client and the official inspector against the gateway's servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.gateway import Gateway, running_gateway
from tests.support.node import PEERS, peers, run_node
from tools.kernel.identity import Role
from ui.api import servers
from ui.auth import shield


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    peers()
    home = tmp_path_factory.mktemp("gateway")
    with running_gateway(home, (servers.add_to, shield.add_to)) as running:
        running.user("ada", Role.OPERATOR)
        yield running


def drive(gateway: Gateway, token: str, *steps: dict[str, Any], server: str = "all") -> Any:
    """What the TypeScript client meets."""
    address = f"{gateway.base}/mcp/{server}"
    done = run_node(str(PEERS / "client.mjs"), address, token, json.dumps(steps))
    assert done.stdout.strip(), done.stderr
    return json.loads(done.stdout)


def test_the_typescript_client_lists_calls_reads_and_completes(gateway: Gateway) -> None:
    told = drive(
        gateway,
        gateway.token("ada"),
        {"list": "tools"},
        {"call": "registry_list", "arguments": {"limit": 2}},
        {"call": "deployment_rollback", "arguments": {"name": "phones"}},
        {"call": "registry_promot"},
        {"list": "prompts"},
        {"prompt": "rollout_safely", "arguments": {"model": "m", "version": "3", "group": "g"}},
        {"read": "model://nothing"},
        {
            "complete": {
                "ref": {"type": "ref/prompt", "name": "rollout_safely"},
                "argument": {"name": "model", "value": "m1"},
            }
        },
    )
    tools, listed, danger, wrong, prompts, prompt, missing, completed = told["met"]
    assert told["server"]["name"] == "pilothouse-all"
    assert {"registry_list", "deployment_rollback"} <= set(tools)
    assert len(listed["structuredContent"]["result"]["models"]) == 2
    assert danger["isError"] and "pilothouse approvals grant" in danger["content"][0]["text"]
    assert "Did you mean registry_promote" in wrong["failed"]
    assert "rollout_safely" in prompts and "canary" in prompt["messages"][0]["content"]["text"]
    assert missing["failed"]
    assert completed["completion"]["values"][0] == "m1"


def test_the_typescript_client_cancels_a_call_and_goes_on(gateway: Gateway) -> None:
    stopped, after = drive(
        gateway,
        gateway.token("ada"),
        {"call": "knowledge_ask", "cancel": True},
        {"call": "platform_whoami"},
    )["met"]
    gateway.world.release.set()
    assert "enough" in stopped["failed"]
    assert after["structuredContent"]["result"] == {"word": "ada"}


def test_the_typescript_client_is_asked_for_what_is_missing(gateway: Gateway) -> None:
    answer = {"action": "accept", "content": {"name": "fresh"}}
    told = drive(
        gateway,
        gateway.token("ada"),
        {"offers": True, "answer": answer},
        {"call": "datasets_add"},
    )
    (asked,) = told["asked"]
    assert asked["requestedSchema"]["required"] == ["name"]
    assert told["met"][0]["structuredContent"]["result"] == {"word": "added"}


def test_the_typescript_client_is_refused_without_a_token_for_here(gateway: Gateway) -> None:
    for token in ("", "ph_wrong", gateway.token("ada", audience="/api")):
        told = drive(gateway, token, {"list": "tools"})
        assert "met" not in told and told["refused"]


def inspect(gateway: Gateway, token: str | None, *more: str) -> tuple[int, str]:
    inspector = str(peers() / "@modelcontextprotocol/inspector/clients/launcher/build/index.js")
    header = ["--header", f"Authorization: Bearer {token}"] if token else []
    done = run_node(
        inspector, "--cli", f"{gateway.base}/mcp/all", "--transport", "http", *header, *more
    )
    return done.returncode, done.stdout or done.stderr


@pytest.mark.timeout(240)
def test_the_inspector_lists_and_calls_with_a_token_only(gateway: Gateway) -> None:
    token = gateway.token("ada")
    _, listed = inspect(gateway, token, "--method", "tools/list")
    assert "deployment_rollback" in {t["name"] for t in json.loads(listed)["tools"]}
    _, called = inspect(
        gateway, token, "--method", "tools/call", "--tool-name", "registry_list",
        "--tool-arg", "limit=2",
    )  # fmt: skip
    assert len(json.loads(called)["structuredContent"]["result"]["models"]) == 2
    code, told = inspect(gateway, None, "--method", "tools/list")
    assert code != 0 and "registry_list" not in told
