"""GraphQL: what is connected is read in one query, within limits, by those who may."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registry.trained import add_training
from tests.ui.gateway import OWNER_TOKEN, Gateway, gateway
from tools.deployment.rollouts import NewTarget, Rollouts
from tools.deployment.tables import RolloutRow
from tools.kernel.tables import JobRow
from tools.training.pausing import marker

CONNECTED = """
query ($models: Int = 10) {
  models(limit: $models) {
    name
    aliases { alias version }
    versions {
      version
      run { number status receipts { number approval { id } } }
      rollouts { number state group { name devices { name state } } devices { name confirmed } }
    }
  }
}
"""


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("graph") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as found:
        _furnish(found)
        yield found


def _furnish(running: Gateway) -> None:
    kernel = running.kernel
    with running.client() as client:

        def call(operation: str, **arguments: Any) -> Any:
            path = f"/api/v1/operations/{operation}"
            answer = client.post(path, json={"arguments": arguments}, timeout=60)
            assert answer.status_code == 200, answer.text
            return answer.json()["result"]

        for number in range(3):
            call("devices.enroll", name=f"node-{number}", group="nodes", profile="laptop")
        for name in ("alpha", "beta"):
            for _ in range(2):
                job = add_training(kernel, name=name)
                call("registry.register", job=job)
        call("registry.promote", model="alpha", version=2, alias="challenger")
    for version in (1, 2):
        targets = [NewTarget(f"node-{n}", [], True, False, []) for n in range(3)]
        row = RolloutRow(
            tenant="default",
            job=version,
            group="nodes",
            model="alpha",
            version=version,
            strategy="all",
            percent=100,
            state="done",
        )
        kernel.get(Rollouts).create(row, targets, None)


def ask(
    running: Gateway, query: str, token: str | None = OWNER_TOKEN, **variables: Any
) -> dict[str, Any]:
    with running.client(token) as client:
        answer = client.post("/graphql", json={"query": query, "variables": variables}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_model_leads_to_the_devices_that_serve_it(running: Gateway) -> None:
    told = ask(running, CONNECTED)
    assert "errors" not in told, told["errors"]
    alpha = next(m for m in told["data"]["models"] if m["name"] == "alpha")
    assert alpha["aliases"] == [{"alias": "challenger", "version": 2}]
    newest = alpha["versions"][0]
    assert newest["version"] == 2 and newest["run"]["status"] == "done"
    (rollout,) = newest["rollouts"]
    assert [d["name"] for d in rollout["group"]["devices"]] == ["node-0", "node-1", "node-2"]
    assert len(rollout["devices"]) == 3


def test_each_thing_is_read_once_however_often_it_is_asked_for(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    gate = running.kernel.gate
    original = gate.read

    def counted(name: str, *rest: Any) -> Any:
        reads[name] += 1
        return original(name, *rest)

    monkeypatch.setattr(gate, "read", counted)
    ask(running, CONNECTED)
    assert reads["registry.list"] == reads["devices.list"] == reads["deployment.status"] == 1
    assert reads["registry.describe"] == 2 and reads["deployment.rollouts"] == 4


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ nothing }", "Cannot query field"),
        ("{", "Syntax Error"),
        ("{ ...F }", "Unknown fragment"),
        ("fragment F on Query { ...F } { ...F }", "Cannot spread"),
        ("mutation { x }", "mutation"),
        ("{ devices" + " { group { devices" * 6 + " { name }" + " } }" * 6 + " }", "deeper than"),
        (
            "{ jobs(limit: 100) { receipts(limit: 100) { job { receipts(limit: 100) { id } } } } }",
            "costs",
        ),
        ("{ " + " ".join(f"a{n}: jobs {{ number }}" for n in range(900)) + " }", "tokens"),
        ("{ jobs(limit: 101) { number } }", "limit is 101"),
        ("{ jobs(limit: 10, offset: -1) { number } }", "offset -1"),
        ('{ model(name: "alhpa") { name } }', "Did you mean alpha"),
    ],
)
def test_what_cannot_be_answered_is_told_without_internals(
    running: Gateway, query: str, said: str
) -> None:
    told = ask(running, query)
    message = told["errors"][0]["message"]
    assert said in message, message
    assert "Traceback" not in str(told) and "site-packages" not in str(told)


def test_an_unexpected_error_is_told_by_its_reference_only(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(running.kernel.receipts, "list", broken)
    error = ask(running, "{ receipts { id } }")["errors"][0]
    assert error["extensions"]["code"] == "internal" and "secret" not in str(error)


def test_nobody_unknown_sees_even_the_schema(running: Gateway) -> None:
    with running.client(None) as nobody:
        answer = nobody.post("/graphql", json={"query": "{ __schema { types { name } } }"})
    assert answer.status_code == 401 and "types" not in answer.text
    assert ask(running, "{ __schema { queryType { name } } }")["data"]


def test_another_tenant_finds_nothing_of_it(running: Gateway) -> None:
    token = running.add("grete", "admin", tenant="elsewhere")
    fields = ("models { name }", "devices { name }", "groups { name }", "rollouts { number }")
    more = ("jobs { number }", "receipts { id }", "approvals { id }", "job(number: 1) { number }")
    told = ask(running, "{ " + " ".join((*fields, *more)) + " }", token)
    assert "errors" not in told and not any(told["data"].values())


def test_a_token_that_lends_little_reads_little(running: Gateway) -> None:
    running.add("lena", "operator")
    scopes = frozenset({"datasets:read"})
    _, secret = running.kernel.tokens.create("lena", "default", "narrow", scopes=scopes)
    told = ask(running, "{ devices { name } }", secret)
    assert told["data"] is None
    assert told["errors"][0]["extensions"]["code"] == "policy_denied"
    assert ask(running, "{ datasets { name } }", secret)["data"]["datasets"]


def test_a_paused_job_is_paused_at_every_door(running: Gateway) -> None:
    kernel = running.kernel
    job = add_training(kernel, name="held")
    with kernel.database.session() as session:
        row = session.get_one(JobRow, job)
        row.status, row.result, row.ended = "running", None, None
    held = marker(kernel.settings.folder("work", "jobs", str(job)))
    held.touch()
    query = "query ($number: Int!) { job(number: $number) { status } jobs { number status } }"
    told = ask(running, query, number=job)["data"]
    assert told["job"]["status"] == "paused"
    assert {"number": job, "status": "paused"} in told["jobs"]
    with running.client() as client:
        paths = ("/jobs", "/jobs?status=running", "/jobs?status=paused")
        lists = [client.get(f"/api/v1{path}").json() for path in paths]
        assert [{j["job"]: j["status"] for j in found}.get(job) for found in lists] == (
            ["paused"] * 3
        )
        assert len(lists[2]) == 1
        assert client.get(f"/api/v1/jobs/{job}").json()["status"] == "paused"
        now = client.get("/api/v1/status").json()["jobs"]
        assert [j["status"] for j in now if j["job"] == job] == ["paused"]
        held.unlink()
        assert client.get("/api/v1/jobs?status=paused").json() == []
        assert client.get(f"/api/v1/jobs/{job}").json()["status"] == "running"
