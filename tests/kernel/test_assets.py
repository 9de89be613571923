"""Model assets: found fast, verified by hash, repaired when damaged, never half there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.kernel import asset_sources, assets, fetching
from tools.kernel.errors import NotFound, Unavailable


def _entry(path: str, content: bytes, *sources: dict[str, str]) -> dict[str, object]:
    return {
        "path": path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "sources": list(sources)
        or [{"kind": "package", "name": "p", "version": "1", "path": path}],
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty assets folder, no user cache, no hub, and a small manifest."""
    monkeypatch.setenv("PILOTHOUSE_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pinned = assets.Manifest.model_validate(
        {
            "version": 1,
            "assets": {
                "small": {
                    "title": "t",
                    "license": "l",
                    "files": [_entry("a.bin", b"alpha"), _entry("sub/b.bin", b"beta")],
                },
                "extra": {
                    "title": "t",
                    "license": "l",
                    "optional": True,
                    "files": [_entry("c.bin", b"gamma")],
                },
            },
        }
    )
    monkeypatch.setattr(assets, "manifest", lambda: pinned)
    return tmp_path / "assets"


class _Package:
    """A package that carries the files, installed by copying; counts how often it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.installs = 0

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.installs += 1
        target = Path(command[command.index("--target") + 1])
        for path, content in self.files.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> _Package:
    carried = _Package({"a.bin": b"alpha", "sub/b.bin": b"beta", "c.bin": b"gamma"})
    monkeypatch.setattr(asset_sources.subprocess, "run", carried.run)
    return carried


def test_fetch_brings_what_is_not_optional_and_asks_for_a_package_once(
    folder: Path, package: _Package
) -> None:
    lines: list[str] = []
    (fetched,) = fetching.fetch(report=lines.append)
    assert (fetched.name, fetched.path, fetched.size) == ("small", folder / "small", 9)
    assert fetched.sources == ("package p 1",)
    assert package.installs == 1
    assert (folder / "small/sub/b.bin").read_bytes() == b"beta"
    assert any("small" in line for line in lines)
    assert not (folder / ".staging").exists()


def test_second_fetch_does_nothing(folder: Path, package: _Package) -> None:
    fetching.fetch()
    assert [asset.sources for asset in fetching.fetch()] == [()]
    assert package.installs == 1


def test_optional_asset_is_fetched_by_name(folder: Path, package: _Package) -> None:
    fetching.fetch(["extra"])
    assert assets.asset_path("extra", "c.bin").read_bytes() == b"gamma"


def test_damaged_file_is_fetched_again(folder: Path, package: _Package) -> None:
    fetching.fetch()
    (folder / "small/a.bin").write_bytes(b"ALPHA")
    assert assets.verify() == ["small: a.bin is not what the manifest pins"]
    fetching.fetch()
    assert (folder / "small/a.bin").read_bytes() == b"alpha"
    assert assets.verify() == []


def test_truncated_file_is_missing_until_fetched_again(folder: Path, package: _Package) -> None:
    fetching.fetch()
    (folder / "small/a.bin").write_bytes(b"alp")
    with pytest.raises(assets.AssetMissing):
        assets.asset_path("small")
    fetching.fetch()
    assert assets.asset_path("small") == folder / "small"


def test_lost_or_broken_stamp_is_made_anew_without_fetching(
    folder: Path, package: _Package
) -> None:
    fetching.fetch()
    (folder / "small/.verified.json").write_text("not json")
    assert fetching.fetch()[0].sources == ()
    assert package.installs == 1


def test_wrong_content_is_never_put_in_place(folder: Path, package: _Package) -> None:
    package.files["a.bin"] = b"wrong"
    with pytest.raises(assets.AssetMissing, match="wrong SHA-256"):
        fetching.fetch()
    assert not (folder / "small/a.bin").exists()


def test_unreachable_sources_are_named_with_a_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "error: no route")

    monkeypatch.setattr(asset_sources.subprocess, "run", fails)
    lines: list[str] = []
    with pytest.raises(assets.AssetMissing) as caught:
        fetching.fetch(report=lines.append)
    assert "not reachable" in caught.value.message
    assert caught.value.hint is not None
    assert "PILOTHOUSE_ASSETS" in caught.value.hint
    assert any("no route" in line for line in lines)


def test_local_cache_comes_before_any_network(
    folder: Path, package: _Package, tmp_path: Path
) -> None:
    cached = tmp_path / "cache/pilothouse/assets/small"
    (cached / "sub").mkdir(parents=True)
    (cached / "a.bin").write_bytes(b"alpha")
    (cached / "sub/b.bin").write_bytes(b"beta")
    assert fetching.fetch()[0].sources == ("local cache",)
    assert package.installs == 0


def test_what_an_interrupted_fetch_left_is_cleared(folder: Path, package: _Package) -> None:
    (folder / ".staging/half").mkdir(parents=True)
    (folder / "small").mkdir()
    (folder / "small/a.bin").write_bytes(b"al")
    fetching.fetch()
    assert assets.verify() == []
    assert not (folder / ".staging").exists()


def test_missing_asset_says_how_to_get_it(folder: Path) -> None:
    with pytest.raises(assets.AssetMissing) as caught:
        assets.asset_path("small")
    assert isinstance(caught.value, Unavailable)
    assert "pilothouse models fetch" in str(caught.value)
    with pytest.raises(assets.AssetMissing, match="models fetch extra"):
        assets.asset_path("extra")


def test_unknown_names_are_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(NotFound, match="extra or small"):
        fetching.fetch(["smal"])
    with pytest.raises(NotFound, match=r"a\.bin"):
        assets.asset_path("small", "b.bin")


def test_unwritable_folder_is_explained(folder: Path, package: _Package) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="cannot be written"):
        fetching.fetch()


def test_folder_is_the_checkout_when_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PILOTHOUSE_ASSETS", raising=False)
    root = Path(__file__).resolve().parents[2]
    assert assets.assets_dir() == root / ".assets"


def test_command_line_fetches_and_verifies(
    folder: Path, package: _Package, capsys: pytest.CaptureFixture[str]
) -> None:
    assert assets.main(["verify"]) == 4
    assert assets.main(["fetch", "--all"]) == 0
    assert assets.main(["verify"]) == 0
    assert assets.main(["path", "extra"]) == 0
    assert str(folder / "extra") in capsys.readouterr().out
    assert assets.main(["fetch", "nothing"]) == 2


class TestTheHub:
    """Against a local server that answers as the hub does."""

    @pytest.fixture
    def served(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
        files: dict[str, bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("HF_HUB_OFFLINE")
        yield files
        server.shutdown()
        server.server_close()

    @pytest.fixture(autouse=True)
    def hub_first(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        hub = {"kind": "hub", "repo": "o/r", "revision": "abc", "path": "deep/a.bin"}
        package = {"kind": "package", "name": "p", "version": "1", "path": "a.bin"}
        pinned = assets.Manifest.model_validate(
            {
                "version": 1,
                "assets": {
                    "small": {
                        "title": "t",
                        "license": "l",
                        "files": [_entry("a.bin", b"alpha", hub, package)],
                    }
                },
            }
        )
        monkeypatch.setattr(assets, "manifest", lambda: pinned)

    def test_file_comes_from_the_pinned_revision(
        self, folder: Path, package: _Package, served: dict[str, bytes]
    ) -> None:
        served["/o/r/resolve/abc/deep/a.bin"] = b"alpha"
        assert fetching.fetch()[0].sources == ("model hub o/r@abc",)
        assert package.installs == 0

    @pytest.mark.parametrize("content", [None, b"short", b"ALPHA"])
    def test_absent_or_wrong_file_falls_through_to_the_package(
        self, folder: Path, package: _Package, served: dict[str, bytes], content: bytes | None
    ) -> None:
        if content is not None:
            served["/o/r/resolve/abc/deep/a.bin"] = content
        assert fetching.fetch()[0].sources == ("package p 1",)
        assert (folder / "small/a.bin").read_bytes() == b"alpha"

    def test_unreachable_hub_is_asked_once_and_packages_serve(
        self, folder: Path, package: _Package, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("HF_HUB_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        lines: list[str] = []
        assert fetching.fetch(report=lines.append)[0].sources == ("package p 1",)
        assert sum("cannot be reached" in line for line in lines) == 1


class TestThePinnedManifest:
    def test_required_assets_are_on_this_machine_and_untouched(self) -> None:
        assert assets.verify(["minilm-int8", "minilm"]) == []

    def test_finding_an_asset_is_fast(self) -> None:
        assets.asset_path("minilm")
        started = time.perf_counter()
        for _ in range(100):
            assets.asset_path("minilm")
        assert (time.perf_counter() - started) / 100 < 0.005

    def test_every_file_is_pinned_and_sources_are_fixed(self) -> None:
        for asset in assets.manifest().assets.values():
            for entry in asset.files:
                assert len(entry.sha256) == 64
                assert entry.size > 0
                assert not Path(entry.path).is_absolute()
                assert ".." not in Path(entry.path).parts
                for source in entry.sources:
                    if isinstance(source, asset_sources.HubSource):
                        assert len(source.revision) == 40

    def test_transformers_loads_the_base_model_offline(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        from transformers import AutoModel, AutoTokenizer

        copied = tmp_path / "elsewhere"
        shutil.copytree(assets.asset_path("minilm"), copied)
        model = AutoModel.from_pretrained(copied, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(copied, local_files_only=True)
        shape = (model.config.num_hidden_layers, model.config.hidden_size, model.config.vocab_size)
        assert shape == (6, 384, 30522)
        assert tokenizer("roll back")["input_ids"][0] == 101
