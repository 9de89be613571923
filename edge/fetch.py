"""Downloading a bundle: resumable at any byte, checked before it counts as there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from edge.errors import Refused, Unreachable
from edge.files import sha256_of, sync_folder
from edge.verify import MANIFEST, SIGNATURE, BundleFile, Manifest, read_manifest
from edge.wire import Client

_CHUNK = 1 << 18
_SMALL = 1 << 20
_SPARE_BYTES = 16 << 20


class Fetcher:
    """Brings bundles into `incoming/<sha>`; what is there already is not fetched again.

    Args:
        client: the way to the server.
        incoming: the folder for unfinished downloads.
        platform_key: the pinned public key; a bundle that it did not sign is not downloaded.
    """

    def __init__(self, client: Client, incoming: Path, platform_key: str) -> None:
        self._client = client
        self._incoming = incoming
        self._platform_key = platform_key

    def fetch(
        self, bundle: str, go_on: Callable[[], None], memory_mb: int
    ) -> tuple[Path, Manifest]:
        """Download and check a bundle; calling it again goes on where it was cut off.

        Args:
            bundle: SHA-256 of the manifest.
            go_on: called between chunks; raises to stop the download.
            memory_mb: what a model may use on this device.

        Raises:
            Refused: altered, unsigned, or too big for the device; the download is thrown away.
            Unreachable: cut off; call again.
        """
        folder = self._incoming / bundle
        folder.mkdir(parents=True, exist_ok=True)
        try:
            manifest = self._manifest(folder, bundle)
            self._fits(manifest, folder, memory_mb)
            for name, file in manifest.files.items():
                self._file(folder, bundle, name, file, go_on)
        except Refused:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except OSError as error:
            raise Unreachable(f"the download could not be stored: {error}") from error
        return folder, manifest

    def clean(self, keep: set[str]) -> None:
        """Remove unfinished downloads of bundles that nobody wants any more."""
        if self._incoming.is_dir():
            for folder in self._incoming.iterdir():
                if folder.name not in keep:
                    shutil.rmtree(folder, ignore_errors=True)

    def _manifest(self, folder: Path, bundle: str) -> Manifest:
        for name in (SIGNATURE, MANIFEST):
            if not (folder / name).exists():
                with self._client.bundle_file(bundle, name, 0) as (_, answer):
                    (folder / f"{name}.part").write_bytes(answer.read(_SMALL))
                (folder / f"{name}.part").replace(folder / name)
        return read_manifest(folder, bundle, self._platform_key)

    def _fits(self, manifest: Manifest, folder: Path, memory_mb: int) -> None:
        if manifest.memory_mb > memory_mb:
            raise Refused(f"the model needs {manifest.memory_mb} MB, the device gives {memory_mb}")
        here = sum(path.stat().st_size for path in folder.iterdir())
        free = shutil.disk_usage(folder).free
        if free < manifest.size - here + _SPARE_BYTES:
            raise Refused(f"the disk has {free >> 20} MB free, {manifest.size >> 20} are needed")

    def _file(
        self, folder: Path, bundle: str, name: str, file: BundleFile, go_on: Callable[[], None]
    ) -> None:
        done, part = folder / name, folder / f"{name}.part"
        if done.exists() and done.stat().st_size == file.size and sha256_of(done) == file.sha256:
            return
        start = part.stat().st_size if part.exists() else 0
        if start < file.size:
            self._download(bundle, name, part, min(start, file.size), file.size, go_on)
        if part.stat().st_size != file.size or sha256_of(part) != file.sha256:
            raise Refused(f"{name} does not have the SHA-256 that the manifest says")
        part.replace(done)
        sync_folder(folder)

    def _download(
        self, bundle: str, name: str, part: Path, start: int, size: int, go_on: Callable[[], None]
    ) -> None:
        with (
            self._client.bundle_file(bundle, name, start) as (resumed, answer),
            part.open("ab" if resumed else "wb") as out,
        ):
            written = start if resumed else 0
            while written < size and (chunk := answer.read(min(_CHUNK, size - written))):
                go_on()
                out.write(chunk)
                written += len(chunk)
            out.flush()
            os.fsync(out.fileno())
        if written < size:
            raise Unreachable(f"{name} was cut off at byte {written} of {size}")
