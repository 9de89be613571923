"""Bundles: a model version as devices take it, content-addressed and signed.

A bundle is a folder `home/bundles/<sha>` with `manifest.json`, `manifest.sig`, `model.onnx` (int8)
and `tokenizer.json`; `<sha>` is the SHA-256 of the manifest, which holds the SHA-256 of every file.
The signature is Ed25519 over `pilothouse-bundle-v1\\n` and the manifest, in base64. Exporting runs
in a child process (`python -m tools.deployment.bundles`), which never sees the signing key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tools.deployment.tables import BundleRow
from tools.kernel.child import child_main
from tools.kernel.errors import OperationFailed, Unavailable

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

SIGNED_PREFIX = b"pilothouse-bundle-v1\n"
FILES = ("model.onnx", "tokenizer.json")
RUNTIME_MB = 128
GOLDEN = 6
LEAST_AGREEMENT = 0.7
_PROBES = (
    "I was charged twice for my last order and would like the money back.",
    "The app closes by itself whenever I open the settings page.",
    "How do I change the e-mail address of my account?",
    "My parcel was supposed to arrive on Monday and is still not here.",
    "Please cancel my subscription at the end of the month.",
    "I cannot log in, the password reset link never arrives!!",
    "Could you add a dark mode to the dashboard?",
    "Somebody signed in to my account from another country.",
    "the screen of the device i got is cracked",
    "Where can I download the invoice for March?",
    "Everything is slow since yesterday's update, pages take a minute.",
    "Just wanted to say thanks, the new release is great.",
)


class Bundles:
    """Builds, signs and keeps bundles; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def folder(self, sha256: str) -> Path:
        """Where a bundle's files lie."""
        return self._kernel.settings.home / "bundles" / sha256

    def known(self, version: ModelVersionInfo) -> BundleRow | None:
        """The bundle that was built from this version before, if all of it is still there."""
        with self._kernel.database.session() as session:
            row = session.scalar(
                select(BundleRow).where(
                    BundleRow.tenant == version.tenant,
                    BundleRow.model == version.model,
                    BundleRow.version == version.version,
                    BundleRow.source == version.content_hash,
                )
            )
        return row if row is not None and self._is_whole(row.sha256) else None

    def ensure(self, version: ModelVersionInfo, job: JobContext) -> str:
        """The SHA-256 of the version's bundle, built if there is none yet.

        Raises:
            OperationFailed: the export failed.
        """
        known = self.known(version)
        if known is not None:
            return known.sha256
        out = job.workdir / "bundle"
        shutil.rmtree(out, ignore_errors=True)
        spec = {
            "source": str(version.artifact),
            "out": str(out),
            "model": version.model,
            "version": version.version,
            "labels": list(version.labels),
            "created": version.created.isoformat(),
        }
        built = job.child("tools.deployment.bundles", spec)
        try:
            return self._keep(version, out, built)
        except OSError as error:
            raise Unavailable(
                f"The bundle cannot be stored: {error.strerror}.", hint="Free some disk space."
            ) from error

    def sign(self, manifest: bytes) -> bytes:
        """The home's signature of a manifest, as `manifest.sig` holds it."""
        return base64.b64encode(self._kernel.keys.signing().sign(SIGNED_PREFIX + manifest))

    def _keep(self, version: ModelVersionInfo, out: Path, built: dict[str, Any]) -> str:
        manifest = (out / "manifest.json").read_bytes()
        sha256 = hashlib.sha256(manifest).hexdigest()
        (out / "manifest.sig").write_bytes(self.sign(manifest))
        target = self.folder(sha256)
        self._kernel.settings.folder("bundles")
        if not self._is_whole(sha256):
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(out, target)
        with self._kernel.database.session() as session:
            key = {
                "tenant": version.tenant,
                "model": version.model,
                "version": version.version,
                "source": version.content_hash,
            }
            row = session.scalar(select(BundleRow).filter_by(**key)) or BundleRow(**key)
            row.sha256, row.size, row.memory_mb = sha256, built["size"], built["memory_mb"]
            session.add(row)
        return sha256

    def _is_whole(self, sha256: str) -> bool:
        folder = self.folder(sha256)
        try:
            manifest = (folder / "manifest.json").read_bytes()
            files: dict[str, Any] = json.loads(manifest)["files"]
            return (
                hashlib.sha256(manifest).hexdigest() == sha256
                and (folder / "manifest.sig").is_file()
                and all((folder / n).stat().st_size == f["size"] for n, f in files.items())
            )
        except (OSError, ValueError, KeyError):
            return False


def needed_memory_mb(model_bytes: int) -> int:
    """Megabytes that serving takes: twice the model (its file, and what is unpacked) + runtime."""
    return RUNTIME_MB + (2 * model_bytes >> 20)


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """For the child: export a version and write its manifest.

    Args:
        spec: `source` and `out` folders, `model`, `version`, `labels`, `created`.

    Returns:
        `size` of all files in bytes, `memory_mb`.

    Raises:
        OperationFailed: the version cannot be exported, or does not run once it is.
    """
    source, out = Path(spec["source"]), Path(spec["out"])
    _export(source, out)
    manifest: dict[str, Any] = {
        "format": 1,
        "model": spec["model"],
        "version": spec["version"],
        "runtime": "onnx",
        "files": {name: _described(out / name) for name in FILES},
        "labels": spec["labels"] or _labels(source),
        "max_length": _max_length(source),
        "memory_mb": needed_memory_mb((out / "model.onnx").stat().st_size),
        "created": spec["created"],
    }
    manifest["golden"] = _golden(out, manifest)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    size = sum(file["size"] for file in manifest["files"].values())
    return {"size": size, "memory_mb": manifest["memory_mb"]}


def _export(source: Path, out: Path) -> None:
    """Export a trained classifier; a version that is ONNX already is taken as it is."""
    if all((source / name).is_file() for name in FILES):
        out.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(source / name, out / name)
        return
    from tools.training.export import export_onnx

    exported = export_onnx(source, out / "model.onnx", _PROBES)
    if exported.agreement < LEAST_AGREEMENT:
        raise OperationFailed(
            f"The int8 model labels only {exported.agreement:.0%} of {exported.texts} probes like "
            "the trained one.",
            hint="Quantisation harmed it; evaluate it, and train it longer.",
        )
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


def _golden(folder: Path, manifest: dict[str, Any]) -> list[dict[str, str]]:
    """The probes that the model is surest of, with the labels that it gives them here."""
    from edge.errors import EdgeError
    from edge.profiles import PROFILES
    from edge.runtime import LoadedModel
    from edge.verify import Manifest

    shape = Manifest(
        model=manifest["model"],
        version=manifest["version"],
        runtime="onnx",
        files={},
        labels=tuple(manifest["labels"]),
        max_length=manifest["max_length"],
        golden=(),
        memory_mb=manifest["memory_mb"],
    )
    try:
        found = LoadedModel(folder, shape, PROFILES["phone"]).predict(_PROBES)
    except (EdgeError, IndexError) as error:
        raise OperationFailed(f"The exported model does not run: {error}") from error
    ranked = sorted(zip(_PROBES, found, strict=True), key=lambda pair: -pair[1].confidence)
    return [{"text": text, "label": p.label} for text, p in ranked[:GOLDEN]]


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size}


def _labels(source: Path) -> list[str]:
    labels: dict[str, str] = _read(source / "config.json").get("id2label", {})
    if not labels:
        raise OperationFailed("The version does not say which labels its outputs stand for.")
    return [labels[key] for key in sorted(labels, key=int)]


def _max_length(source: Path) -> int:
    return min(int(_read(source / "classifier.json").get("max_length", 128)), 512)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    child_main(build)
