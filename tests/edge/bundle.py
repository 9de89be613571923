"""Signed bundles on disk, and a client that hands them out, cut off where a test wants it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.errors import Refused, Unreachable
from edge.fetch import Fetcher
from edge.profiles import PROFILES
from edge.runtime import Runtime
from edge.slots import SlotStore
from edge.trust import Trust
from edge.updater import Updater
from edge.verify import SIGNED_PREFIX
from edge.wire import Assignment, Client
from tests.support.classifier import LABELS, write_classifier
from tools.deployment.chunks import chunks_of

KEY = Ed25519PrivateKey.generate()
PLATFORM_KEY = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Shelf(Client):
    """Bundles by hash, served without a network.

    Args:
        folder: where they lie.
        chunked: whether manifests tell the chunks of files.

    Attributes:
        cut_after: bytes after which a transfer of `model.onnx` breaks off; None lets it pass.
        sent: bytes that were handed out of each file.
    """

    def __init__(self, folder: Path, *, chunked: bool = False) -> None:
        super().__init__("http://nowhere.invalid")
        self._folder = folder
        self._chunked = chunked
        self.sending = threading.Lock()
        self.cut_after: int | None = None
        self.sent: dict[str, int] = {}

    def add(
        self,
        version: int,
        *,
        shift: int = 0,
        padding: int = 0,
        key: Ed25519PrivateKey = KEY,
        changes: dict[str, Any] | None = None,
        extra: dict[str, int] | None = None,
    ) -> Assignment:
        """Make a bundle; `changes` replace fields of its manifest, `extra` are files by size."""
        work = self._folder / f"v{version}"
        write_classifier(work, shift=shift, padding=padding)
        for name, size in (extra or {}).items():
            (work / name).write_bytes(bytes(range(256)) * (size >> 8))
        manifest: dict[str, Any] = {
            "model": "router",
            "version": version,
            "runtime": "onnx",
            "files": {
                n: self._described(work / n)
                for n in ("model.onnx", "tokenizer.json", *(extra or {}))
            },
            "labels": list(LABELS),
            "max_length": 64,
            "golden": [{"text": "my password", "label": LABELS[(1 + shift) % 3]}],
            "memory_mb": 100,
            "created": "2026-09-01T00:00:00+00:00",
            **(changes or {}),
        }
        raw = json.dumps(manifest).encode()
        sha256 = hashlib.sha256(raw).hexdigest()
        (work / "manifest.json").write_bytes(raw)
        (work / "manifest.sig").write_bytes(base64.b64encode(key.sign(SIGNED_PREFIX + raw)))
        work.rename(self._folder / sha256)
        return Assignment(sha256, "router", version)

    def _described(self, path: Path) -> dict[str, Any]:
        data = path.read_bytes()
        told: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        return {**told, "chunks": chunks_of(path)} if self._chunked else told

    def path(self, bundle: str, name: str) -> Path:
        """Where a file lies on the shelf."""
        return self._folder / bundle / name

    @contextmanager
    def bundle_file(
        self, bundle: str, name: str, start: int, end: int | None = None
    ) -> Iterator[tuple[bool, Any]]:
        path = self.path(bundle, name)
        if not path.is_file():
            raise Refused("the server answered 404")
        ranged = start > 0 or end is not None
        yield ranged, _Stream(self, name, path.read_bytes()[start:end])


class _Stream:
    def __init__(self, shelf: Shelf, name: str, data: bytes) -> None:
        self._shelf, self._name, self._data = shelf, name, data

    def read(self, size: int) -> bytes:
        with self._shelf.sending:
            return self._read(size)

    def _read(self, size: int) -> bytes:
        cut = self._shelf.cut_after
        if self._name == "model.onnx" and cut is not None:
            if cut <= 0:
                raise Unreachable("the line is cut")
            size = min(size, cut)
            self._shelf.cut_after = cut - size
        chunk, self._data = self._data[:size], self._data[size:]
        self._shelf.sent[self._name] = self._shelf.sent.get(self._name, 0) + len(chunk)
        return chunk


class TestDevice:
    """The parts of a device that apply a desired state, over a shelf."""

    __test__ = False

    def __init__(self, home: Path, shelf: Shelf, profile: str = "phone") -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.slots = SlotStore(home)
        self.runtime = Runtime(PROFILES[profile])
        self.trust = Trust(PLATFORM_KEY.decode(), home)
        self.fetcher = Fetcher(shelf, home / "incoming", self.trust)
        self.updater = Updater(
            self.trust, self.slots, self.fetcher, self.runtime, home / "loading.json"
        )

    def label(self, text: str = "my password", key: str = "k") -> tuple[str, int]:
        """What it answers, and with which version."""
        arm = self.runtime.choose(key)
        return self.runtime.answer(arm, [text])[0].label, arm.assignment.version
