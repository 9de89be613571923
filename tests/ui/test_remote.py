"""Every command works against a gateway elsewhere, with a token and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.ui.gateway import Gateway, gateway
from tests.ui.homes import Home
from tools.kernel.errors import InvalidInput
from ui.remote import remote


@pytest.fixture(scope="module")
def served(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("remote") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as running:
        yield running


@pytest.fixture(scope="module")
def token(served: Gateway) -> str:
    return served.add("olga", "operator")


@pytest.fixture
def run(served: Gateway, token: str, tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Run a command that has an empty home of its own, and the gateway's address."""
    here = Home(tmp_path / "empty-home")

    def command(*words: str, **more: str) -> CompletedProcess[str]:
        known = {"PILOTHOUSE_URL": served.url, "PILOTHOUSE_TOKEN": token}
        return here.run(*words, stdin=None, timeout=90, **{**known, **more})

    return command


def test_a_call_reaches_the_gateway_and_starts_nothing_here(run, tmp_path: Path) -> None:
    done = run("call", "datasets.list", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["receipt"]["principal"] == "olga"
    assert not (tmp_path / "empty-home").exists()


def test_a_file_that_lies_here_is_brought_along(run, tmp_path: Path) -> None:
    rows = [{"text": f"sentence number {n}", "label": "ab"[n % 2]} for n in range(40)]
    file = tmp_path / "fresh rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    done = run("call", "datasets.add", f"--path={file}", "--name=fresh", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"]["profile"]["rows"] == 40


def test_status_tells_of_the_gateway(run, served: Gateway) -> None:
    told = json.loads(run("status", "--json").stdout)
    assert (told["url"], told["principal"]) == (served.url, "olga")


def test_a_wrong_token_is_refused_in_words(run) -> None:
    done = run("call", "datasets.list", PILOTHOUSE_TOKEN="ph_wrong")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "token" in done.stderr.lower()


def test_a_gateway_that_is_not_there_is_named(run) -> None:
    done = run("call", "datasets.list", PILOTHOUSE_URL="http://127.0.0.1:9")
    assert done.returncode == 4
    assert "http://127.0.0.1:9 does not answer" in done.stderr


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("ftp://x", "t", "no address of a gateway"),
        ("http://127.0.0.1:99999", "t", "no address of a gateway"),
        ("http://gateway.example", "t", "in the clear"),
        ("https://gateway.example", "", "PILOTHOUSE_TOKEN"),
    ],
)
def test_a_wrong_address_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str, told: str
) -> None:
    monkeypatch.setenv("PILOTHOUSE_URL", url)
    monkeypatch.setenv("PILOTHOUSE_TOKEN", token)
    with pytest.raises(InvalidInput, match=told):
        remote()


def test_an_upload_can_be_taken_back(served: Gateway, token: str) -> None:
    with served.client(token) as client:
        sent = client.put(
            "/api/v1/uploads/..a%20b.csv",
            content=b"text,label\nx,y\n",
            headers={"Content-Type": "application/octet-stream"},
        ).json()
        assert Path(sent["path"]).is_file() and Path(sent["path"]).parent.name == sent["upload"]
        assert client.delete(f"/api/v1/uploads/{sent['upload']}").status_code == 204
        assert not Path(sent["path"]).exists()
        assert client.delete(f"/api/v1/uploads/{sent['upload']}").status_code == 404


def test_an_empty_upload_is_refused(served: Gateway, token: str) -> None:
    with served.client(token) as client:
        kind = {"Content-Type": "application/octet-stream"}
        answer = client.put("/api/v1/uploads/x.csv", content=b"", headers=kind)
    assert answer.status_code == 422 and "is empty" in answer.json()["detail"]
