"""The local API keeps strangers out, and no approval can be forged through it."""

from __future__ import annotations

import http.client
import json
import sqlite3
import stat
from typing import Any

import pytest

from tests.ui.homes import Home
from tools.kernel.errors import ApprovalInvalid, NeedsApproval

READS = (
    "/api/v1/status",
    "/api/v1/operations",
    "/api/v1/approvals",
    "/api/v1/audit",
    "/api/v1/names",
    "/api/v1/jobs",
)


def _raw(
    home: Home, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, dict[str, Any]]:
    state = home.files.read()
    assert state is not None
    connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _owner(home: Home) -> dict[str, str]:
    state = home.files.read()
    assert state is not None
    return {"Authorization": f"Bearer {state.token}", "Content-Type": "application/json"}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic b3duZXI6", "wrong"])
def test_nothing_is_read_without_a_token(scripted: Home, path: str, header: str | None) -> None:
    status, told = _raw(scripted, "GET", path, {"Authorization": header} if header else {})
    assert status == 401 and told["code"] == "unauthenticated"


def test_a_page_of_another_host_cannot_reach_it(scripted: Home) -> None:
    headers = {**_owner(scripted), "Host": "evil.example:80"}
    assert _raw(scripted, "GET", "/api/v1/status", headers)[0] == 403
    for good in ("localhost", "127.0.0.1:1", "[::1]:2"):
        assert _raw(scripted, "GET", "/api/v1/status", {**_owner(scripted), "Host": good})[0] == 200


def test_it_listens_on_the_loopback_address_only(scripted: Home) -> None:
    state = scripted.files.read()
    assert state is not None
    wanted = f"{state.port:04X}"
    with open("/proc/net/tcp") as table:
        listening = [line.split() for line in table if line.split()[3] == "0A"]
    assert [row[1] for row in listening if row[1].endswith(f":{wanted}")] == [f"0100007F:{wanted}"]


def test_the_token_is_readable_by_its_owner_alone_and_in_no_log(scripted: Home) -> None:
    state = scripted.files.read()
    assert state is not None
    assert stat.S_IMODE(scripted.files.run.stat().st_mode) == 0o600
    assert state.token not in scripted.files.log.read_text()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/nothing", None, 404),
        ("POST", "/api/v1/ask", b"{", 422),
        ("POST", "/api/v1/ask", b'{"text": ""}', 422),
        ("POST", "/api/v1/ask", b'{"text": "read", "thread": "../x"}', 422),
        ("DELETE", "/api/v1/status", None, 405),
        ("POST", "/api/v1/operations/no.such", b"{}", 404),
        ("GET", "/api/v1/jobs/abc", None, 422),
        ("GET", "/api/v1/jobs/999/events", None, 404),
        ("POST", "/api/v1/conversations/unknown/resume", b"{}", 200),
    ],
)
def test_malformed_requests_are_answered_in_one_shape(
    scripted: Home, method: str, path: str, body: bytes | None, status: int
) -> None:
    found, told = _raw(scripted, method, path, _owner(scripted), body)
    assert found == status
    error = told.get("error", told)
    assert {"code", "status", "hint", "suggestions"} <= set(error)
    assert error.get("detail") or error.get("message")


def test_arguments_without_their_wrapper_are_answered_with_how_to_put_them(scripted: Home) -> None:
    path, body = "/api/v1/operations/training.start", b'{"dataset": "tickets"}'
    found, told = _raw(scripted, "POST", path, _owner(scripted), body)
    assert found == 422
    assert '"arguments": {"arguments": {...}}' in told["hint"]


def _asked(home: Home, name: str) -> str:
    try:
        home.client().call("platform.add_user", {"name": name, "role": "viewer"})
    except NeedsApproval as needed:
        return needed.approval["id"]
    raise AssertionError("it was carried out without an approval")


def _grant(home: Home, approval: str, name: str) -> None:
    home.client().post(f"/api/v1/approvals/{approval}/grant", {"confirm": name})


def _call(home: Home, name: str, approval: str) -> dict[str, Any]:
    arguments = {"name": name, "role": "viewer"}
    return home.client().call("platform.add_user", arguments, approval=approval)


def test_a_forged_approval_is_refused(scripted: Home) -> None:
    with pytest.raises(ApprovalInvalid):
        _call(scripted, "quinn", "A0123456789")


def test_a_pending_approval_is_none(scripted: Home) -> None:
    approval = _asked(scripted, "ruth")
    with pytest.raises(NeedsApproval):
        _call(scripted, "ruth", approval)


def test_an_approval_written_into_the_database_is_refused(scripted: Home) -> None:
    approval = _asked(scripted, "sven")
    with sqlite3.connect(scripted.path / "pilothouse.db") as database:
        database.execute(
            "UPDATE ph_approvals SET status = 'granted', decided_by = 'owner' WHERE id = ?",
            (approval,),
        )
    with pytest.raises(ApprovalInvalid):
        _call(scripted, "sven", approval)


def test_a_grant_is_for_its_own_arguments_only(scripted: Home) -> None:
    approval = _asked(scripted, "tara")
    _grant(scripted, approval, "tara")
    with pytest.raises(ApprovalInvalid):
        _call(scripted, "tarantula", approval)
    assert _call(scripted, "tara", approval)["receipt"]["approval"] == approval


def test_a_grant_is_used_once(scripted: Home) -> None:
    approval = _asked(scripted, "udo")
    _grant(scripted, approval, "udo")
    _call(scripted, "udo", approval)
    removal = {"name": "udo"}
    try:
        scripted.client().call("platform.remove_user", removal)
    except NeedsApproval as needed:
        _grant(scripted, needed.approval["id"], "udo")
        scripted.client().call("platform.remove_user", removal)
    with pytest.raises(ApprovalInvalid):
        _call(scripted, "udo", approval)


def test_a_grant_expires(scripted: Home) -> None:
    approval = _asked(scripted, "vera")
    _grant(scripted, approval, "vera")
    with sqlite3.connect(scripted.path / "pilothouse.db") as database:
        past = "2020-01-01 00:00:00.000000"
        database.execute("UPDATE ph_approvals SET expires = ? WHERE id = ?", (past, approval))
    with pytest.raises(ApprovalInvalid) as raised:
        _call(scripted, "vera", approval)
    assert "expired" in raised.value.message
    told = scripted.json("approvals", "grant", approval, "--confirm=vera", code=4)
    assert "expired" in told["error"]["message"]


def test_what_an_mcp_client_asked_for_is_only_recorded(scripted: Home) -> None:
    client = scripted.client()
    client._headers["X-Pilothouse-Channel"] = "mcp"
    arguments = {"name": "wim", "role": "viewer"}
    with pytest.raises(NeedsApproval) as needed:
        client.call("platform.add_user", arguments)
    approval = needed.value.approval["id"]
    done = scripted.run("approvals", "grant", approval, "--confirm", "wim")
    assert done.returncode == 0 and "makes the same call again" in done.stdout
    assert client.call("platform.add_user", arguments)["receipt"]["approval"] == approval
