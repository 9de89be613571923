"""Bundles: a model version as devices take it, content-addressed and signed.

A bundle is a folder `home/bundles/<sha>` with `manifest.json`, `manifest.sig` and the files that
its runtime needs (`model.onnx` and `tokenizer.json` for a classifier in ONNX Runtime); `<sha>` is
the SHA-256 of the manifest. The manifest holds the SHA-256 of every file and of every chunk of it
(a device fetches only chunks that it does not have), the runtime, the profiles, inputs and outputs,
the label map, what was measured on held-out rows and the floor that it had to reach, the memory
that it needs, and golden inputs with their outputs. The signature is Ed25519 over
`pilothouse-bundle-v1\n` and the manifest, in base64.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from edge.files import sha256_of
from tools.deployment import held_out
from tools.deployment.tables import BundleRow
from tools.devices.keyring import Keyring
from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo


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
        """The SHA-256 of the version's bundle, built if there is none yet, or it was altered.

        Raises:
            OperationFailed: the export failed.
        """
        known = self.known(version)
        if known is not None and self._is_unaltered(known.sha256):
            return known.sha256
        out = job.workdir / "bundle"
        shutil.rmtree(out, ignore_errors=True)
        rows = held_out.held_out(self._kernel, version)
        spec: dict[str, Any] = {
            "source": str(version.artifact),
            "out": str(out),
            "model": version.model,
            "version": version.version,
            "labels": list(version.labels),
            "created": version.created.isoformat(),
            "rows": rows,
            "further": held_out.further(self._kernel, version, len(rows)),
            "registered": held_out.registered(self._kernel, version),
        }
        built = job.child("tools.deployment.building", spec)
        try:
            return self._keep(version, out, built)
        except OSError as error:
            raise Unavailable(
                f"The bundle cannot be stored: {error.strerror}.", hint="Free some disk space."
            ) from error

    def sign(self, manifest: bytes) -> bytes:
        """The home's signature of a manifest, as `manifest.sig` holds it."""
        return Keyring(self._kernel).sign(manifest)

    def _keep(self, version: ModelVersionInfo, out: Path, built: dict[str, Any]) -> str:
        manifest = (out / "manifest.json").read_bytes()
        sha256 = hashlib.sha256(manifest).hexdigest()
        (out / "manifest.sig").write_bytes(self.sign(manifest))
        target = self.folder(sha256)
        self._kernel.settings.folder("bundles")
        if not (self._is_whole(sha256) and self._is_unaltered(sha256)):
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(out, target)
        if places := built.get("places"):
            self._told(version, places)
        with self._kernel.database.writing() as session:
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

    def _told(self, version: ModelVersionInfo, places: list[int]) -> None:
        """Keep where held-out texts lie beside the version's profile, which drift looks at."""
        from tools.evaluation.drift_types import PLACES_OF, Whereabouts
        from tools.evaluation.reports import ReportStore

        told = Whereabouts(places=places)
        reports, key = ReportStore(self._kernel), version.content_hash
        reports.add(PLACES_OF, key, version.tenant, version.model, version.version, told)

    def _is_unaltered(self, sha256: str) -> bool:
        """True if every file of a whole bundle is what its manifest says; reads all of it."""
        folder = self.folder(sha256)
        files: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())["files"]
        return all(sha256_of(folder / n) == f["sha256"] for n, f in files.items())

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
