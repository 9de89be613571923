"""A base model by its hub id: fetched when asked to, and found offline afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools.kernel.errors import NotFound
from tools.training import base_models, hub

REVISION = "0123456789abcdef0123456789abcdef01234567"
SETTINGS = b'{"model_type": "bert", "hidden_size": 8}'
FILES = {"config.json": SETTINGS, "tokenizer.json": b"{}", "pytorch_model.bin": b"a pickle"}


class Hub(BaseHTTPRequestHandler):
    """One model, in the manner of the hub. A stand-in: the hub itself cannot be reached here."""

    def _answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/acme/tiny"):
            files = [{"rfilename": name} for name in FILES]
            told = {"_id": "1", "id": "acme/tiny", "sha": REVISION, "siblings": files}
            tree = [{"type": "file", "path": n, "size": len(b), "oid": n} for n, b in FILES.items()]
            told_now: Any = tree if "/tree/" in self.path else told
            self._answer(json.dumps(told_now).encode(), Content_Type="application/json")
            return
        name = self.path.rpartition("/")[2]
        if not self.path.startswith("/acme/tiny/resolve/") or name not in FILES:
            self._answer(b"{}", 404, X_Error_Code="RepoNotFound")
            return
        self._answer(FILES[name], ETag=f'"{name}"', X_Repo_Commit=REVISION)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetched(name: str, endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    told = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "ui.cli", "models", "fetch", name, "--json"]
    environment = {**os.environ, **told, "PILOTHOUSE_HOME": str(folder / "home")}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_fetched_model_is_a_base_model_by_its_id_without_the_hub(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = fetched("acme/tiny", endpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = Path(base_models.canonical("acme/tiny"))
    assert str(folder) == told["path"] and folder.name == REVISION
    assert (folder / "config.json").read_bytes() == SETTINGS
    assert not (folder / "pytorch_model.bin").exists()  # loading a pickle runs what is in it


def test_a_model_that_the_hub_has_not_is_told_so(endpoint: str, tmp_path: Path) -> None:
    done = fetched("acme/nothing", endpoint, tmp_path)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "no model 'acme/nothing'" in done.stdout + done.stderr


def test_a_hub_that_cannot_be_reached_is_told_so(tmp_path: Path) -> None:
    done = fetched("acme/tiny", "http://127.0.0.1:9", tmp_path)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "acme/tiny could not be fetched" in done.stdout + done.stderr


def test_what_was_not_fetched_is_refused_with_how_to_fetch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotFound, match="acme/tiny") as refused:
        base_models.canonical("acme/tiny")
    assert "pilothouse models fetch acme/tiny" in str(refused.value.hint)


@pytest.mark.parametrize("name", ["minilm", "../x/y", "/tmp/x", "a/b/c", "org/"])
def test_names_and_paths_are_no_hub_ids(name: str) -> None:
    assert not hub.is_id(name)
