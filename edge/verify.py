"""Nothing is loaded that this module has not passed: hash, signature, hashes of all files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.errors import Refused
from edge.files import sha256_of

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
SIGNED_PREFIX = b"pilothouse-bundle-v1\n"
_FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of a bundle: its hash and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Golden:
    """An input and the label that the model must give it."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself; see `tools/deployment/bundles.py` for who writes it."""

    model: str
    version: int
    runtime: str
    files: Mapping[str, BundleFile]
    labels: tuple[str, ...]
    max_length: int
    golden: tuple[Golden, ...]
    memory_mb: int

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())


def read_manifest(folder: Path, bundle: str, platform_key: str) -> Manifest:
    """The manifest of a bundle, after its hash and its signature were checked.

    Args:
        folder: where `manifest.json` and `manifest.sig` lie.
        bundle: the SHA-256 that the manifest must have.
        platform_key: the pinned public key in PEM.

    Raises:
        Refused: the manifest was altered, is not signed by the platform, or cannot be read.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        signature = base64.b64decode((folder / SIGNATURE).read_bytes(), validate=True)
    except (OSError, binascii.Error) as error:
        raise Refused(f"the bundle has no readable manifest and signature: {error}") from error
    if hashlib.sha256(raw).hexdigest() != bundle:
        raise Refused("the manifest is not the one that is desired (SHA-256 differs)")
    key = serialization.load_pem_public_key(platform_key.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise Refused("the pinned platform key is not an Ed25519 key")
    try:
        key.verify(signature, SIGNED_PREFIX + raw)
    except InvalidSignature:
        raise Refused("the manifest's signature is not the platform's") from None
    return _parse(raw)


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check size and SHA-256 of every file of a bundle.

    Raises:
        Refused: naming the first file that is missing or altered.
    """
    for name, file in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != file.size:
            raise Refused(f"{name} is missing or has the wrong size")
        if sha256_of(path) != file.sha256:
            raise Refused(f"{name} was altered (SHA-256 differs)")


def _parse(raw: bytes) -> Manifest:
    try:
        data: dict[str, Any] = json.loads(raw)
        files = {n: BundleFile(str(f["sha256"]), int(f["size"])) for n, f in data["files"].items()}
        if data["runtime"] != "onnx":
            raise Refused(f"the bundle needs the runtime {data['runtime']!r}; this device has onnx")
        if unsafe := [name for name in files if not _FILE_NAME.match(name)]:
            raise Refused(f"the bundle has a file with an unsafe name: {unsafe[0]!r}")
        return Manifest(
            model=str(data["model"]),
            version=int(data["version"]),
            runtime="onnx",
            files=files,
            labels=tuple(str(label) for label in data["labels"]),
            max_length=int(data["max_length"]),
            golden=tuple(Golden(str(g["text"]), str(g["label"])) for g in data["golden"]),
            memory_mb=int(data["memory_mb"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the manifest is malformed: {error}") from error
