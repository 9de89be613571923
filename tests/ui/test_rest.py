"""REST: operations, resources, pages and errors, over HTTP against a real server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.ui.gateway import Gateway, gateway
from tools.catalog import load_operations
from ui.api.schemas import example, input_schema

OPERATIONS = "/api/v1/operations/"


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("rest") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as found:
        yield found


@pytest.fixture(scope="module")
def owner(running: Gateway) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture(scope="module")
def devices(owner: httpx.Client) -> list[str]:
    names = [f"pager-{number}" for number in range(5)]
    for name in names:
        arguments = {"name": name, "group": "pagers", "profile": "laptop"}
        assert call(owner, "devices.enroll", arguments).status_code == 200
    return names


def call(
    client: httpx.Client, operation: str, arguments: dict[str, Any], **more: Any
) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"arguments": arguments, **more}
    return client.post(OPERATIONS + operation, json=body, headers=headers)


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "code", "suggestions"} <= set(told)
    assert told["status"] == status
    return told


def test_a_read_answers_with_its_result_and_receipt(owner: httpx.Client) -> None:
    told = call(owner, "datasets.describe", {"dataset": "tickets"}).json()
    assert told["result"]["profile"]["rows"] == 1008
    assert told["receipt"]["operation"] == "datasets.describe" and told["job"] is None


def test_a_dry_run_changes_nothing(owner: httpx.Client) -> None:
    arguments = {"name": "never-there", "group": "pagers", "profile": "laptop"}
    told = call(owner, "devices.enroll", arguments, dry_run=True).json()
    assert list(told) == ["preview"]
    refused(owner.get("/api/v1/devices/never-there"), 404)


def test_a_dangerous_call_is_made_once_its_approval_is_granted(owner: httpx.Client) -> None:
    arguments = {"name": "freya", "role": "viewer"}
    told = refused(call(owner, "platform.add_user", arguments), 403)
    assert told["code"] == "needs_approval" and "approve" in told["hint"]
    approval = told["approval"]
    granted = owner.post(
        f"/api/v1/approvals/{approval['id']}/grant", json={"confirm": approval["confirm"]}
    )
    assert granted.json()["status"] == "granted"
    done = call(owner, "platform.add_user", arguments, approval=approval["id"]).json()
    assert done["receipt"]["approval"] == approval["id"]
    assert done["revealed"]["token"] != done["result"]["token"]


def test_a_repeated_key_gets_the_first_answer_and_another_body_is_refused(
    owner: httpx.Client,
) -> None:
    arguments = {"name": "once-1", "group": "once", "profile": "laptop"}
    key = {"Idempotency-Key": "enroll-once-1"}
    first = call(owner, "devices.enroll", arguments, headers=key).json()
    again = call(owner, "devices.enroll", arguments, headers=key).json()
    assert again["receipt"]["id"] == first["receipt"]["id"]
    other = {**arguments, "name": "once-2"}
    assert (
        "another call" in refused(call(owner, "devices.enroll", other, headers=key), 409)["detail"]
    )
    refused(owner.get("/api/v1/devices/once-2"), 404)


def test_a_job_is_answered_with_its_address(owner: httpx.Client) -> None:
    arguments = {"base_model": "minilm", "dataset": "tickets", "method": "head", "epochs": 1}
    started = call(owner, "training.start", arguments)
    assert started.status_code == 202
    job = started.json()["job"]
    assert started.headers["location"] == f"/api/v1/jobs/{job}"
    found = owner.get(started.headers["location"]).json()
    assert found["operation"] == "training.start" and found["principal"] == "owner"
    call(owner, "platform.cancel_job", {"job": job})


@pytest.mark.parametrize(
    ("operation", "arguments", "status", "suggestion"),
    [
        ("datasets.describe", {"dataset": "tikcets"}, 404, "tickets"),
        ("datasets.describe", {"datset": "tickets"}, 422, "dataset"),
        ("datasets.descirbe", {"dataset": "tickets"}, 404, "datasets.describe"),
        ("training.list", {"limit": "3"}, 422, None),
        ("training.list", {"limit": True}, 422, None),
        ("training.list", {"limit": 0}, 422, None),
        ("datasets.describe", {"dataset": "\ud800"}, 422, None),
    ],
)
def test_a_wrong_argument_is_told_with_what_was_probably_meant(
    owner: httpx.Client,
    operation: str,
    arguments: dict[str, Any],
    status: int,
    suggestion: str | None,
) -> None:
    import json

    body = json.dumps({"arguments": arguments}).encode()
    headers = {"Content-Type": "application/json"}
    told = refused(owner.post(OPERATIONS + operation, content=body, headers=headers), status)
    assert suggestion is None or suggestion in told["suggestions"]


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "/api/v1/modles", b"", None, 404),
        ("DELETE", "/api/v1/models", b"", None, 405),
        ("POST", OPERATIONS + "datasets.list", b"{", "application/json", 422),
        ("POST", OPERATIONS + "datasets.list", b"x=1", "application/x-www-form-urlencoded", 415),
        ("POST", OPERATIONS + "datasets.list", b"<a/>", "text/xml", 415),
        ("POST", OPERATIONS + "datasets.list", b" " * 2_100_000, "application/json", 413),
        ("POST", OPERATIONS + "datasets.list", b"[" * 50_000, "application/json", 422),
        ("GET", "/api/v1/jobs?limit=0", b"", None, 422),
        ("GET", "/api/v1/jobs?limit=1001", b"", None, 422),
        ("GET", "/api/v1/jobs?cursor=x", b"", None, 422),
        ("GET", "/api/v1/jobs/99999999999999999999", b"", None, 422),
        ("GET", "/api/v1/receipts/R999999", b"", None, 404),
        ("GET", "/api/v1/approvals/A1", b"", None, 404),
    ],
)
def test_every_error_is_problem_details(
    owner: httpx.Client, method: str, path: str, body: bytes, kind: str | None, status: int
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = owner.request(method, path, content=body or None, headers=headers)
    if b"[[" in body:
        assert answer.status_code in (400, 422)
        status = answer.status_code
    told = refused(answer, status)
    assert "Traceback" not in answer.text and told["type"].endswith(told["code"])


def test_a_mistyped_path_is_told_the_near_ones(owner: httpx.Client) -> None:
    assert "/api/v1/models" in refused(owner.get("/api/v1/modles"), 404)["suggestions"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("/api/v1/devices?group=pagers", "name"), ("/api/v1/receipts", "id"), ("/api/v1/audit", "at")],
)
def test_pages_follow_one_another_without_gap_or_repeat(
    owner: httpx.Client, devices: list[str], path: str, key: str
) -> None:
    path += "&limit=" if "?" in path else "?limit="
    whole = [item[key] for item in owner.get(f"{path}1000").json()]
    found: list[Any] = []
    following: str | None = f"{path}2"
    for _ in range(3):
        if following is None:
            break
        answer = owner.get(following)
        assert len(answer.json()) <= 2
        found += [item[key] for item in answer.json()]
        following = answer.links.get("next", {}).get("url")
    assert len(found) >= 5 and found == whole[: len(found)]
    if key == "name":
        assert found == devices and following is None


def test_lists_are_filtered(owner: httpx.Client, devices: list[str]) -> None:
    def names(**query: Any) -> list[str]:
        return [d["name"] for d in owner.get("/api/v1/devices", params=query).json()]

    assert names(name="ER-3") == ["pager-3"]
    assert names(group="pagers", state="online") == []
    assert [d["name"] for d in owner.get("/api/v1/datasets?builtin=true").json()] == ["tickets"]
    reads = owner.get("/api/v1/receipts?effects=write&operation=devices.enroll").json()
    assert len(reads) >= 5 and {r["operation"] for r in reads} == {"devices.enroll"}


def test_reading_resources_leaves_no_receipt(owner: httpx.Client) -> None:
    newest = "/api/v1/receipts?effects=read&limit=1"  # a job of another test may end meanwhile
    before = owner.get(newest).json()
    for path in ("models", "datasets", "devices", "groups", "rollouts", "documents", "jobs"):
        assert owner.get(f"/api/v1/{path}").status_code == 200, path
    assert owner.get(newest).json() == before


def test_a_viewer_reads_and_does_nothing_else(running: Gateway, devices: list[str]) -> None:
    with running.client(running.add("vera", "viewer")) as viewer:
        assert len(viewer.get("/api/v1/devices?group=pagers").json()) == 5
        told = refused(call(viewer, "devices.enroll", {"name": "x"}), 403)
        assert told["code"] == "policy_denied"
        refused(call(viewer, "platform.users", {}), 403)


def test_another_tenant_sees_nothing_of_it(running: Gateway, devices: list[str]) -> None:
    with running.client(running.add("otto", "admin", tenant="elsewhere")) as other:
        for path in ("devices", "groups", "receipts", "approvals", "jobs", "rollouts", "audit"):
            found = other.get(f"/api/v1/{path}").json()
            assert "pager" not in str(found) and "freya" not in str(found), path
        refused(other.get("/api/v1/devices/pager-1"), 404)
        refused(other.get("/api/v1/receipts/R1"), 404)


def test_every_operation_has_its_own_documented_path(owner: httpx.Client) -> None:
    document = owner.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for operation in load_operations():
        post = document["paths"][OPERATIONS + operation.name]["post"]
        shown = post["requestBody"]["content"]["application/json"]["examples"]
        assert shown["call"]["value"]["arguments"] == example(operation)
        assert post["description"] and {"401", "403", "404", "409", "422"} <= set(post["responses"])
        assert ("202" in post["responses"]) is operation.job


def test_no_path_is_documented_twice_under_other_parameter_names(owner: httpx.Client) -> None:
    paths = [re.sub(r"{[^}]*}", "{}", path) for path in owner.get("/openapi.json").json()["paths"]]
    assert len(paths) == len({*paths})


@pytest.mark.parametrize("now", [0, "0", 1.5, True, "2026-01-31T09:00:00"])
def test_a_time_that_the_schema_does_not_allow_is_refused(owner: httpx.Client, now: object) -> None:
    told = refused(owner.post("/api/v1/parse", json={"lines": [], "now": now}), 422)
    assert "body.now" in told["detail"]


def test_every_operations_example_fits_its_schema() -> None:
    for operation in load_operations():
        arguments = example(operation)
        schema = Draft202012Validator(input_schema(operation))
        assert not [*schema.iter_errors(arguments)], operation.name
        operation.input.model_validate(arguments)


def test_the_page_of_the_api_needs_nothing_from_elsewhere(owner: httpx.Client) -> None:
    page = owner.get("/docs")
    assert "registry.promote" in page.text and page.text.count("<script") == 1
    assert "http://" not in page.text and "https://" not in page.text
    assert owner.get("/docs.css").headers["content-type"].startswith("text/css")
    assert owner.get("/docs.js").headers["content-type"].startswith("text/javascript")


def test_readiness_says_what_is_not_ready(running: Gateway, owner: httpx.Client) -> None:
    assert owner.get("/healthz").json() == {"status": "ok"}
    assert owner.get("/readyz").json()["checks"]["jobs"] == "ok"
    running.kernel.jobs._engine, kept = None, running.kernel.jobs._engine
    try:
        answer = owner.get("/readyz")
    finally:
        running.kernel.jobs._engine = kept
    assert answer.status_code == 503 and answer.json()["checks"]["jobs"] == "not running"


def test_figures_name_routes_and_operations_but_nothing_of_a_tenant(
    owner: httpx.Client, devices: list[str]
) -> None:
    owner.get("/api/v1/devices/pager-1")
    owner.get("/api/v1/nothing/here")
    text = owner.get("/metrics").text
    assert 'route="/api/v1/devices/{device}",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert 'pilothouse_operation_seconds_count{operation="devices.enroll",outcome="done"}' in text
    assert 'pilothouse_jobs{state="queued"}' in text
    assert not [word for word in ("pager-1", "owner", "default", "nothing") if word in text]


def test_figures_are_for_this_machine_or_a_token(running: Gateway) -> None:
    with running.client(None) as nobody:
        assert nobody.get("/metrics").status_code == 200
        refused(nobody.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}), 403)
