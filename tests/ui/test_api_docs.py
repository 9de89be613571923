"""docs/api.md speaks of addresses, codes and operations that there are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.gateway import Gateway, gateway
from tools.catalog import load_operations

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("docs") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as found:
        yield found


def test_its_examples_do_what_it_says(running: Gateway) -> None:
    calls = re.findall(r"-d '(\{.*\})'\s+\$PILOTHOUSE_URL/api/v1/operations/([\w.]+)", TEXT)
    assert len(calls) >= 2
    with running.client() as client:
        for body, operation in calls:
            headers = {"Content-Type": "application/json"}
            path = f"/api/v1/operations/{operation}"
            answer = client.post(path, content=body, headers=headers, timeout=60)
            assert answer.status_code in (200, 403), answer.text
            assert answer.status_code == 200 or answer.json()["code"] == "needs_approval"
        (query,) = re.findall(r"```graphql\n(.*?)```", TEXT, re.DOTALL)
        told = client.post("/graphql", json={"query": query}, timeout=60).json()
        assert "errors" not in told, told
        kinds = client.get("/api/v1/problems").json()
    known = {kind["code"] for kind in kinds}
    assert set(re.findall(r"code `(\w+)`", TEXT)) | {"not_found"} <= known


def test_its_resources_exist(running: Gateway) -> None:
    names = re.search(r"`/api/v1/` \+ (.*?)\. Lists", TEXT, re.DOTALL)
    assert names is not None
    found = re.findall(r"`([a-z/{}]+)`", names[1])
    with running.client() as client:
        for name in found:
            path = f"/api/v1/{name}".replace("{model}", "none")
            answer = client.get(path, timeout=60)
            assert answer.status_code in (200, 404, 422), path
            assert "There is nothing at" not in answer.text, path
    assert len(found) >= 14
    operations = {o.name for o in load_operations()}
    assert set(re.findall(r"operations/([a-z]+\.[a-z_]+)", TEXT)) <= operations
