"""Tenants see only their own, through every operation and every resource that there is.

One tenant, acme, has one of everything. Another's admin then walks the catalogue of operations and
the application's routes, naming acme's things exactly, nearly, and not at all. Whatever comes back
must hold none of acme's names or secrets that were not sent, must not differ from the answer about
things that do not exist, and must have changed nothing.
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic.fields import FieldInfo
from sqlalchemy import inspect, select, text

from graphs.assistant import Assistant
from tests.ui.gateway import Gateway, gateway
from tools.deployment.tables import RolloutRow
from tools.evaluation.tables import EvaluationRow
from tools.kernel.entities import EntityKind
from tools.kernel.errors import NeedsApproval
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Operation
from tools.kernel.tables import AuditRow, JobRow, ReceiptRow
from tools.registry.backend import Lineage
from tools.registry.service import RegistryService

SECRET = "quokka"
"""In the content of all that acme has; never in what the other tenant sends."""
MODEL, DATASET, DOCUMENT = "zebra-router", "zebra-tickets", "zebra-runbook.md"
DEVICE, GROUP, THREAD, USER = "zebra-phone", "zebra-group", "zebra-thread", "zebra-anna"


class Acme:
    """What the tenant acme has, made through the gate where an operation makes it."""

    def __init__(self, running: Gateway) -> None:
        self.gateway, kernel = running, running.kernel
        self.token = running.add(USER, "admin", "acme")
        self.ann = RequestContext(kernel.principals.by_token(self.token), conversation=THREAD)
        self.files = kernel.settings.folder("uploads", "acme")
        self.job = self._job()
        self.dataset_file, self.document_file = self._dataset(), self._document()
        self.receipt = self._call("datasets.list", {})
        self._call("datasets.add", {"path": str(self.dataset_file)}, key="zebra-key")
        self._call("knowledge.ingest", {"path": str(self.document_file)})
        self._call("devices.enroll", {"name": DEVICE, "group": GROUP, "profile": "phone"})
        made = self._call("platform.create_token", {"label": f"{SECRET} token"})
        self.access_token = str(made.result["id"])
        self._model()
        self.rollout, self.evaluation = self._rollout(), self._evaluation()
        self.approval = self._approval()
        self._conversation()
        kernel.catalogue.changed()

    def names(self) -> dict[EntityKind, str]:
        """One name of each kind."""
        return {
            EntityKind.MODEL: MODEL,
            EntityKind.MODEL_VERSION: "1",
            EntityKind.DATASET: DATASET,
            EntityKind.DEVICE: DEVICE,
            EntityKind.DEVICE_GROUP: GROUP,
            EntityKind.JOB: str(self.job),
            EntityKind.ROLLOUT: str(self.rollout),
            EntityKind.DOCUMENT: DOCUMENT,
            EntityKind.RECEIPT: self.receipt.id,
            EntityKind.APPROVAL: self.approval,
            EntityKind.USER: USER,
        }

    def _call(self, name: str, arguments: dict[str, Any], key: str | None = None) -> Any:
        gate, approvals = self.gateway.kernel.gate, self.gateway.kernel.approvals
        try:
            return gate.call(name, arguments, self.ann, idempotency_key=key).receipt
        except NeedsApproval as needed:
            approvals.grant(needed.approval["id"], self.ann.principal, needed.approval["confirm"])
        return gate.call(name, arguments, self.ann, idempotency_key=key).receipt

    def _dataset(self) -> Path:
        path = self.files / f"{DATASET}.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "label"])
            for number in range(60):
                label = f"{SECRET}-{number % 3}"
                rows.writerow([f"{SECRET} asks question {number} of kind {number % 3}", label])
        return path

    def _document(self) -> Path:
        path = self.files / DOCUMENT
        path.write_text(f"# The {SECRET} runbook\n\nFeed the {SECRET} twice a day, at nine.\n")
        return path

    def _job(self) -> int:
        kernel = self.gateway.kernel
        told = {"principal": USER, "roles": ["admin"], "tenant": "acme", "channel": "api"}
        context = {**told, "conversation": THREAD, "plan": None, "step": None}
        with kernel.database.session() as session:
            row = JobRow(
                tenant="acme",
                operation="training.start",
                arguments={"dataset": SECRET},
                context=context,
                status="done",
                message=f"{SECRET} trained",
                result={"model": SECRET},
                ended=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            job = row.id
        kernel.events.publish(f"job:{job}", "job.progress", {"message": SECRET}, "acme")
        return job

    def _model(self) -> None:
        backend = self.gateway.kernel.get(RegistryService).backend
        artifact = self.files / "artifact"
        artifact.mkdir()
        lineage = Lineage(self.job, "0" * 32, "a" * 64, dataset=f"{SECRET}@1", labels=(SECRET,))
        backend.add("acme", MODEL, artifact, lineage)
        backend.set_alias("acme", MODEL, "challenger", 1)

    def _rollout(self) -> int:
        with self.gateway.kernel.database.session() as session:
            row = RolloutRow(
                tenant="acme",
                job=self.job,
                group=GROUP,
                model=MODEL,
                version=1,
                strategy="canary",
                percent=10,
                state="done",
                reason=SECRET,
            )
            session.add(row)
            session.flush()
            number = row.id
        self.gateway.kernel.events.publish(
            f"rollout:{number}", "rollout.changed", {"reason": SECRET}, "acme"
        )
        return number

    def _evaluation(self) -> int:
        with self.gateway.kernel.database.session() as session:
            row = EvaluationRow(
                tenant="acme",
                measured_by=self.job,
                model=MODEL,
                version=1,
                training_job=self.job,
                dataset=f"{SECRET}@1",
                split="test",
                accuracy=0.5,
                body={},
            )
            session.add(row)
            session.flush()
            return row.id

    def _approval(self) -> str:
        with pytest.raises(NeedsApproval) as needed:
            self.gateway.kernel.gate.call("knowledge.forget", {"source": DOCUMENT}, self.ann)
        return needed.value.approval["id"]

    def _conversation(self) -> None:
        with self.gateway.client(self.token) as client:
            body = {"text": f"what does the runbook say about the {SECRET}?", "thread": THREAD}
            assert client.post("/api/v1/ask", json=body).status_code == 200

    def snapshot(self) -> dict[str, list[Any]]:
        """Every row that acme has, but for what reading itself leaves behind."""
        kept: dict[str, list[Any]] = {}
        with self.gateway.kernel.database.session() as session:
            tables = inspect(self.gateway.kernel.database.engine).get_table_names()
            for table in tables:
                if not table.startswith("ph_") or table in ("ph_tokens", "ph_sessions"):
                    continue
                columns = {c["name"] for c in inspect(session.get_bind()).get_columns(table)}
                if "tenant" in columns:
                    query = text(f"SELECT * FROM {table} WHERE tenant = 'acme'")
                    kept[table] = sorted(map(repr, session.execute(query).all()))
        return kept


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    import shutil

    home = tmp_path_factory.mktemp("tenants") / "home"
    shutil.copytree(template_home, home)
    with gateway(home, Assistant.open) as started:
        yield started


@pytest.fixture(scope="module")
def acme(running: Gateway) -> Acme:
    return Acme(running)


@pytest.fixture(scope="module")
def stranger(running: Gateway, acme: Acme) -> Iterator[httpx.Client]:
    """An admin of another tenant."""
    with running.client(running.add("ben", "admin", "beta")) as client:
        yield client


@pytest.fixture(scope="module")
def neighbour(running: Gateway, acme: Acme) -> Iterator[httpx.Client]:
    """An admin of the default tenant, which is no master of the others."""
    with running.client(running.add("nora", "admin")) as client:
        yield client


def test_who_has_it_sees_it(running: Gateway, acme: Acme) -> None:
    """Without this the other tests would pass on an empty home."""
    with running.client(acme.token) as ann:
        for path in ("datasets", "devices", "documents", "models", "rollouts", "jobs"):
            assert (
                "zebra" in ann.get(f"/api/v1/{path}").text
                or SECRET in ann.get(f"/api/v1/{path}").text
            ), path
        assert DATASET in ann.get("/api/v1/names").text
        assert SECRET in ann.get(f"/api/v1/conversations/{THREAD}").text
        found = ann.post("/api/v1/operations/knowledge.search", json=_body({"query": SECRET}))
        assert "twice a day" in found.text


def _body(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"arguments": arguments}


def _near(name: str) -> str:
    """A name so misspelt that a suggestion would complete it."""
    return name[:-1] + ("x" if not name[-1].isdigit() else name[-1] + "9")


def _absent(name: str) -> str:
    """As `name`, of something that nobody has."""
    return re.sub(r"[a-z]", "q", name) if not name.isdigit() else "987654"


def _value(name: str, field: FieldInfo, operation: Operation, acme: Acme, spell: Any) -> Any:
    slot = operation.slots.get(name)
    kind = slot.kind if slot else None
    schema = operation.input.model_json_schema()["properties"][name]
    kinds = [schema, *schema.get("anyOf", [])]
    if name in ("path", "file"):
        return str(acme.dataset_file)
    if name == "tenant":
        return "acme"
    if name == "token":
        return spell(acme.access_token)
    if kind is not None and kind in acme.names():
        told = spell(acme.names()[kind])
        whole = any(k.get("type") == "integer" for k in kinds)
        return int(re.sub(r"\D", "", told)) if whole else told
    if not field.is_required():
        return None
    for known in kinds:
        if "enum" in known:
            return known["enum"][0]
        if known.get("type") == "integer":
            return int(known.get("minimum", 1))
        if known.get("type") == "array":
            return []
        if known.get("type") == "boolean":
            return False
    return "a question about what is kept"


def _arguments(operation: Operation, acme: Acme, spell: Any) -> dict[str, Any]:
    found = {
        name: _value(name, field, operation, acme, spell)
        for name, field in operation.input.model_fields.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _leaked(told: str, sent: Any, acme: Acme) -> list[str]:
    """What of acme's is in an answer, and was not in the question."""
    known = [SECRET, MODEL, DATASET, DOCUMENT, DEVICE, GROUP, THREAD, USER, "twice a day"]
    known += [acme.approval, acme.receipt.id, acme.access_token]
    asked = json.dumps(sent)
    return [name for name in known if name in told and name not in asked]


@pytest.mark.slow
def test_no_operation_tells_or_changes_anything_of_another_tenant(
    running: Gateway, acme: Acme, stranger: httpx.Client, neighbour: httpx.Client
) -> None:
    before = acme.snapshot()
    for client in (stranger, neighbour):
        for operation in running.kernel.operations:
            answers: list[int] = []
            for spell in (str, _near, _absent):
                arguments = _arguments(operation, acme, spell)
                if client is neighbour:
                    arguments.pop("tenant", None)  # who runs the installation may add first users
                for more in ({"dry_run": True}, {}):
                    answer = client.post(
                        f"/api/v1/operations/{operation.name}", json={**_body(arguments), **more}
                    )
                    where = f"{operation.name} {arguments} {more}: {answer.text}"
                    assert answer.status_code < 500, where
                    assert _leaked(answer.text, arguments, acme) == [], where
                answers.append(answer.status_code)
            named = set(operation.input.model_fields) & {"model", "dataset", "device", "job"}
            if named:
                assert len(set(answers)) == 1, f"{operation.name} tells what exists: {answers}"
    after = acme.snapshot()
    assert {t: len(rows) for t, rows in after.items()} == {t: len(r) for t, r in before.items()}
    assert after == before


def _routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "effective_candidates", None)
        if inner is not None:
            yield from _routes(inner())
        elif getattr(route, "path", ""):
            yield route


def _addresses(path: str, acme: Acme) -> list[str]:
    """A route's addresses with acme's names in the place of each parameter."""
    known = {
        "model": [MODEL],
        "version": ["1"],
        "dataset": [DATASET, f"{DATASET}@1"],
        "device": [DEVICE],
        "group": [GROUP],
        "job": [str(acme.job)],
        "rollout": [str(acme.rollout)],
        "thread": [THREAD],
        "approval": [acme.approval],
        "reference": [acme.receipt.id, str(acme.receipt.number)],
        "evaluation": [str(acme.evaluation)],
        "feed": ["devices", "approvals", "audit", "jobs"],
        "kind": ["conversation", "job", "rollout", "conversations", "jobs", "rollouts"],
    }
    anything = [THREAD, str(acme.job), str(acme.rollout), MODEL, acme.approval, DOCUMENT]
    addresses = [path]
    for name, marked in re.findall(r"(?=\{(\w+)(:\w+)?\})", path):
        choices = known.get(name, anything)
        place = f"{{{name}{marked}}}"
        addresses = [a.replace(place, choice) for a in addresses for choice in choices]
    return addresses


def _read(client: httpx.Client, address: str) -> tuple[int, str]:
    """An answer, or what a stream says in its first moment."""
    told = ""
    try:
        with client.stream("GET", address, timeout=httpx.Timeout(20, read=1.0)) as answer:
            ends = time.monotonic() + 1.5
            for part in answer.iter_text():
                told += part
                if time.monotonic() > ends:
                    break
            return answer.status_code, told
    except httpx.ReadTimeout:
        return 200, told


def _around(told: str, leaked: list[str]) -> str:
    place = told.index(leaked[0])
    return told[max(0, place - 600) : place + 200]


@pytest.mark.slow
def test_no_resource_shows_anything_of_another_tenant(
    running: Gateway, acme: Acme, stranger: httpx.Client
) -> None:
    seen = 0
    for route in _routes(running.app.routes):
        if "GET" not in (getattr(route, "methods", None) or ()):
            continue
        for address in _addresses(route.path, acme):
            status, told = _read(stranger, address)
            assert status < 500, (address, told)
            assert _leaked(told, address, acme) == [], _around(told, _leaked(told, address, acme))
            seen += 1
    assert seen > 30


def test_no_mcp_resource_or_completion_shows_anything_of_another_tenant(
    running: Gateway, acme: Acme, stranger: httpx.Client, neighbour: httpx.Client
) -> None:
    for name, tenant in (("ben", "beta"), ("nora", "default")):
        token = running.kernel.tokens.create(name, tenant, "walk", audience="/mcp")[1]
        mcp = _Mcp(running.client(token))
        listed = mcp.asked("resources/list", {})
        assert _leaked(json.dumps(listed), {}, acme) == []
        known = {"id": [str(acme.job), acme.receipt.id, str(acme.receipt.number)]}
        names = [MODEL, DATASET, f"{DATASET}@1", DEVICE, GROUP, DOCUMENT, THREAD, acme.approval]
        seen = 0
        for template in mcp.asked("resources/templates/list", {})["result"]["resourceTemplates"]:
            addresses = [str(template["uriTemplate"]).replace("{version}", "1")]
            for variable in re.findall(r"{(\w+)}", addresses[0]):
                place, values = f"{{{variable}}}", known.get(variable, names)
                addresses = [a.replace(place, v) for a in addresses for v in values]
                for value in ("", SECRET[:3]):
                    ref = {"type": "ref/resource", "uri": template["uriTemplate"]}
                    argument = {"name": variable, "value": value}
                    told = mcp.asked("completion/complete", {"ref": ref, "argument": argument})
                    assert _leaked(json.dumps(told), argument, acme) == []
            for address in addresses:
                told = mcp.asked("resources/read", {"uri": address})
                assert "error" in told, (address, told)
                assert _leaked(json.dumps(told), address, acme) == [], (address, told)
                seen += 1
        assert seen > 15


class _Mcp:
    """A session on `/mcp/all` with a client's token."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._headers = {"Accept": "application/json, text/event-stream"}
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "walk", "version": "1"},
        }
        answer = self._post({"id": 0, "method": "initialize", "params": params})
        self._headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        self._post({"method": "notifications/initialized"})

    def asked(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What a request is answered: the message with `result` or `error`."""
        told = self._post({"id": 1, "method": method, "params": params}).text
        messages = [json.loads(r[6:]) for r in told.splitlines() if r.startswith("data: {")]
        return next(m for m in messages if m.get("id") == 1)

    def _post(self, message: dict[str, Any]) -> httpx.Response:
        return self._client.post(
            "/mcp/all", json={"jsonrpc": "2.0", **message}, headers=self._headers, timeout=30
        )


def test_nothing_of_another_tenant_can_be_changed_at_its_address(
    running: Gateway, acme: Acme, stranger: httpx.Client
) -> None:
    before = acme.snapshot()
    for route in _routes(running.app.routes):
        unsafe = set(getattr(route, "methods", None) or ()) - {"GET", "HEAD", "OPTIONS"}
        if "{" not in route.path or "operations" in route.path or route.path.startswith("/mcp"):
            continue
        if route.path.startswith("/api/v1/uploads/"):
            continue  # stores a file of the caller's own, under any name
        for address in _addresses(route.path, acme):
            for method in sorted(unsafe):
                body = {"confirm": DOCUMENT, "approval": acme.approval, "confirmed": True}
                answer = stranger.request(method, address, json=body)
                refused = 400 <= answer.status_code < 500 or '"not_found"' in answer.text
                assert refused, (method, address, answer.text)
                assert _leaked(answer.text, [address, body], acme) == [], answer.text
    assert acme.snapshot() == before


def _selection(kinds: dict[str, Any], kind: dict[str, Any], depth: int) -> str:
    """All fields of a GraphQL type that need no arguments, to a depth."""
    while kind.get("ofType"):
        kind = kind["ofType"]
    fields = kinds[kind["name"]].get("fields")
    if not fields:
        return ""
    chosen: list[str] = []
    for field in fields:
        needed = [a for a in field["args"] if a["type"]["kind"] == "NON_NULL"]
        inner = field["type"]
        while inner.get("ofType"):
            inner = inner["ofType"]
        leaf = inner["kind"] in ("SCALAR", "ENUM")
        if needed or (not leaf and depth == 0):
            continue
        below = "" if leaf else _selection(kinds, inner, depth - 1)
        if leaf or below:
            chosen.append(field["name"] + below)
    return " { " + " ".join(chosen) + " }" if chosen else ""


def _given(argument: dict[str, Any], acme: Acme) -> str:
    kind = argument["type"]
    while kind.get("ofType"):
        kind = kind["ofType"]
    known = {"job": acme.job, "rollout": acme.rollout, "model": MODEL, "dataset": DATASET}
    known |= {"device": DEVICE, "group": GROUP, "approval": acme.approval, "version": 1}
    known |= {"receipt": acme.receipt.id, "document": DOCUMENT, "name": MODEL, "id": acme.job}
    value = known.get(argument["name"], acme.job)
    return json.dumps(int(value) if kind["name"] == "Int" else str(value))


def test_no_query_finds_anything_of_another_tenant(
    running: Gateway, acme: Acme, stranger: httpx.Client
) -> None:
    part = "name kind ofType { name kind ofType { name kind ofType { name kind } } }"
    fields = f"fields {{ name type {{ {part} }} args {{ name type {{ {part} }} }} }}"
    query = f"{{ __schema {{ queryType {{ name }} types {{ name {fields} }} }} }}"
    schema = stranger.post("/graphql", json={"query": query}).json()["data"]["__schema"]
    kinds = {kind["name"]: kind for kind in schema["types"]}
    asked = 0
    with running.client(acme.token) as ann:
        seen = ""
        for field in kinds[schema["queryType"]["name"]]["fields"]:
            needed = [a for a in field["args"] if a["type"]["kind"] == "NON_NULL"]
            given = ", ".join(f"{a['name']}: {_given(a, acme)}" for a in needed)
            selection = _selection(kinds, field["type"], 2)
            words = f"{field['name']}{f'({given})' if given else ''}{selection}"
            body = {"query": f"{{ {words} }}"}
            answer = stranger.post("/graphql", json=body)
            assert answer.status_code < 500, answer.text
            assert _leaked(answer.text, body, acme) == [], (words, answer.text)
            seen += ann.post("/graphql", json=body).text
            asked += 1
    assert asked > 5 and {DATASET, MODEL} <= set(re.findall(r"[\w-]+", seen))


def test_another_tenants_admin_does_not_stop_the_platform(stranger: httpx.Client) -> None:
    assert stranger.post("/api/v1/shutdown").status_code == 403
    assert stranger.get("/api/v1/status").json()["home"] == ""


def test_an_idempotency_key_of_another_tenant_replays_nothing(
    acme: Acme, stranger: httpx.Client
) -> None:
    body, key = _body({"path": str(acme.dataset_file)}), {"Idempotency-Key": "zebra-key"}
    answer = stranger.post("/api/v1/operations/datasets.add", json=body, headers=key)
    assert answer.status_code == 403 and SECRET not in answer.text


def test_a_device_of_one_tenant_cannot_join_anothers(acme: Acme, stranger: httpx.Client) -> None:
    wanted = {"name": DEVICE, "group": GROUP, "profile": "phone"}
    answer = stranger.post("/api/v1/operations/devices.enroll", json=_body(wanted))
    assert answer.status_code == 200  # a device of that name of one's own
    with acme.gateway.client(acme.token) as ann:
        shown = ann.get(f"/api/v1/groups/{GROUP}").json()
    assert shown.get("group", GROUP) == GROUP
    assert len([d for d in shown.get("devices", []) if d]) <= 1


def test_records_of_a_call_belong_to_the_callers_tenant(
    running: Gateway, stranger: httpx.Client
) -> None:
    told = stranger.post("/api/v1/operations/platform.whoami", json=_body({})).json()
    with running.kernel.database.session() as session:
        receipt = session.get(ReceiptRow, told["receipt"]["id"])
        query = select(AuditRow).where(AuditRow.sequence == told["receipt"]["audit"])
        record = session.scalar(query)
    assert receipt.tenant == "beta" and record.tenant == "beta"


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "admin"])
def test_who_is_of_another_tenant_has_no_file_of_the_server_read(
    running: Gateway, acme: Acme, role: str, tmp_path: Path
) -> None:
    secret = tmp_path / "server.csv"
    secret.write_text("text,label\n" + "".join(f"{SECRET} {i},x{i % 2}\n" for i in range(40)))
    link = running.kernel.settings.folder("uploads", "beta") / f"{role}.csv"
    link.symlink_to(secret)
    with running.client(running.add(f"bo-{role}", role, "beta")) as bo:
        for path in (secret, link, acme.dataset_file, f"{link.parent}/../acme/{DATASET}.csv"):
            for operation in ("datasets.add", "knowledge.ingest"):
                for more in ({"dry_run": True}, {}):
                    answer = bo.post(
                        f"/api/v1/operations/{operation}",
                        json={**_body({"path": str(path)}), **more},
                    )
                    assert answer.status_code == 403, answer.text
                    assert SECRET not in answer.text.replace(str(path), "")
