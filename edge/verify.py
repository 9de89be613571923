"""Nothing is loaded that this module has not passed: hash, signature, hashes of all files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import Refused
from edge.files import sha256_of
from edge.inputs import PLACES
from edge.trust import Trust

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
SIGNED_PREFIX = b"pilothouse-bundle-v1\n"
RUNTIMES = ("onnx", "openvino", "executorch", "llamacpp")
_SHA = re.compile(r"^[0-9a-f]{64}$")
_FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file: its SHA-256, where it begins, and its length in bytes."""

    sha256: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of a bundle: its hash, its size in bytes, and the chunks that it is made of."""

    sha256: str
    size: int
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Golden:
    """An input, and what the model must answer: its label, or how its text must begin."""

    text: str
    label: str


SEVERAL = "classify_several"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself; see `tools/deployment/building.py` for who writes it.

    Attributes:
        task: `classify`, `classify_several` (any number of labels a text) or `chat`.
        profiles: the classes of device that it is meant for; empty means all.
        inputs: name, dtype and shape of every input.
        outputs: the same of every output.
        metric: `{name, value, floor}`: what was measured on held-out rows, and the least that it
            had to be.
        centre: the mean of the held-out texts' embeddings, as `edge.places` projects them; empty
            where that is not known.
    """

    model: str
    version: int
    runtime: str
    files: Mapping[str, BundleFile]
    labels: tuple[str, ...]
    max_length: int
    golden: tuple[Golden, ...]
    memory_mb: int
    task: str = "classify"
    profiles: tuple[str, ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    metric: Mapping[str, Any] = field(default_factory=dict[str, Any])
    centre: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files.values())


def read_manifest(folder: Path, bundle: str, trust: Trust, *, held: bool = True) -> Manifest:
    """The manifest of a bundle, after its hash and its signature were checked.

    Args:
        folder: where `manifest.json` and `manifest.sig` lie.
        bundle: the SHA-256 that the manifest must have.
        trust: the keys of which one must have signed it.
        held: False for a bundle that is new here, which an expired key may not sign.

    Raises:
        Refused: the manifest was altered, is not signed by the platform, or cannot be read.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes()
    except OSError as error:
        raise Refused(f"the bundle has no readable manifest and signature: {error}") from error
    if hashlib.sha256(raw).hexdigest() != bundle:
        raise Refused("the manifest is not the one that is desired (SHA-256 differs)")
    trust.check(signature, SIGNED_PREFIX + raw, held=held)
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
        files = {n: _file(f) for n, f in data["files"].items()}
        if data["runtime"] not in RUNTIMES:
            raise Refused(f"the bundle needs the runtime {data['runtime']!r}, which is not known")
        if unsafe := [name for name in files if not _FILE_NAME.match(name)]:
            raise Refused(f"the bundle has a file with an unsafe name: {unsafe[0]!r}")
        return Manifest(
            model=str(data["model"]),
            version=int(data["version"]),
            runtime=str(data["runtime"]),
            files=files,
            labels=tuple(str(label) for label in data["labels"]),
            max_length=int(data["max_length"]),
            golden=tuple(Golden(str(g["text"]), str(g["label"])) for g in data["golden"]),
            memory_mb=int(data["memory_mb"]),
            task=str(data.get("task", "classify")),
            profiles=tuple(str(p) for p in data.get("profiles", ())),
            inputs=tuple(data.get("inputs", ())),
            outputs=tuple(data.get("outputs", ())),
            metric=dict(data.get("metric", {})),
            centre=_centre(data.get("centre", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"the manifest is malformed: {error}") from error


def _centre(data: Sequence[Any]) -> tuple[float, ...]:
    if len(data) not in (0, PLACES):
        raise ValueError(f"the centre has {len(data)} numbers")
    return tuple(float(number) for number in data)


def _file(data: Mapping[str, Any]) -> BundleFile:
    chunks: list[Chunk] = []
    start = 0
    for sha256, size in data.get("chunks", ()):
        if not _SHA.match(sha256) or int(size) <= 0:
            raise ValueError("a chunk has no hash or no size")
        chunks.append(Chunk(sha256, start, int(size)))
        start += int(size)
    if int(data["size"]) < 0 or (chunks and start != int(data["size"])):
        raise ValueError("the chunks of a file are not as long as the file")
    return BundleFile(str(data["sha256"]), int(data["size"]), tuple(chunks))
