"""Bringing a bundle: only what is not here yet, resumable at any byte, all of it checked."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge.errors import EdgeError, NotNow, Refused, Superseded, Unreachable
from edge.files import sha256_of, sync_folder
from edge.pieces import Local, is_piece, missing, ranges, write_at
from edge.throttle import Throttle
from edge.trust import Trust
from edge.verify import MANIFEST, SIGNATURE, BundleFile, Chunk, Manifest, read_manifest
from edge.wire import Client

PARALLEL = 4
_BLOCK = 1 << 18
_SMALL = 8 << 20
_LINKED_BYTES = 8 << 20
_SPARE_BYTES = 16 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Fetcher:
    """Brings bundles into `incoming/<sha>`; what the device has already is not fetched again.

    Args:
        client: the way to the server.
        incoming: the folder for unfinished downloads.
        trust: the keys; a bundle that none of them signed is not downloaded.
        throttle: bounds the rate.
    """

    def __init__(
        self, client: Client, incoming: Path, trust: Trust, throttle: Throttle | None = None
    ) -> None:
        self._client = client
        self._incoming = incoming
        self._trust = trust
        self._throttle = throttle or Throttle()

    def fetch(
        self,
        bundle: str,
        go_on: Callable[[], None],
        memory_mb: int,
        slots: Sequence[Path] = (),
    ) -> tuple[Path, Manifest]:
        """Bring a bundle and check it; calling it again goes on where it was cut off.

        Args:
            bundle: SHA-256 of the manifest.
            go_on: called between blocks; raises to stop the download.
            memory_mb: what a model may use on this device.
            slots: folders of bundles that are on the device, from which equal pieces are taken.

        Raises:
            Refused: unfit for the device; the download is thrown away.
            NotNow: altered, unsigned, or more than the disk holds now; good pieces are kept.
            Unreachable: cut off; call again.
        """
        folder = self._incoming / bundle
        try:
            folder.mkdir(parents=True, exist_ok=True)
            manifest = self._manifest(folder, bundle)
            local = Local(slots)
            self._fits(manifest, folder, memory_mb, local)
            for name, file in manifest.files.items():
                self._file(folder, bundle, name, file, go_on, local)
        except NotNow:
            raise
        except Refused:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except OSError as error:
            if error.errno in _FULL:
                shutil.rmtree(folder, ignore_errors=True)
                raise NotNow("the disk is full; the download was thrown away") from error
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
        try:
            return read_manifest(folder, bundle, self._trust, held=False)
        except Refused as error:
            for name in (SIGNATURE, MANIFEST):
                (folder / name).unlink(missing_ok=True)
            raise NotNow(str(error)) from error

    def _fits(self, manifest: Manifest, folder: Path, memory_mb: int, local: Local) -> None:
        if manifest.memory_mb > memory_mb:
            raise Refused(f"the model needs {manifest.memory_mb} MB, the device gives {memory_mb}")
        here = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
        linked = sum(f.size for f in manifest.files.values() if _linkable(f) and local.file(f))
        free = shutil.disk_usage(folder).free
        needed = manifest.size - here - linked
        if free < needed + _SPARE_BYTES:
            raise NotNow(f"the disk has {free >> 20} MB free, {needed >> 20} and 16 are needed")

    def _file(
        self,
        folder: Path,
        bundle: str,
        name: str,
        file: BundleFile,
        go_on: Callable[[], None],
        local: Local,
    ) -> None:
        done, part = folder / name, folder / f"{name}.part"
        if done.exists() and done.stat().st_size == file.size and sha256_of(done) == file.sha256:
            return
        if not self._linked(part, file, local):
            if file.chunks:
                self._pieces(bundle, name, part, file, go_on, local)
            else:
                self._whole(bundle, name, part, file, go_on)
        if part.stat().st_size != file.size or sha256_of(part) != file.sha256:
            raise Refused(f"{name} does not have the SHA-256 that the manifest says")
        part.replace(done)
        sync_folder(folder)

    def _linked(self, part: Path, file: BundleFile, local: Local) -> bool:
        """Share a big file that a slot has already, such as the base of an adapter."""
        found = local.file(file) if _linkable(file) else None
        if found is None or sha256_of(found) != file.sha256:
            return False
        part.unlink(missing_ok=True)
        os.link(found, part)
        return True

    def _pieces(
        self,
        bundle: str,
        name: str,
        part: Path,
        file: BundleFile,
        go_on: Callable[[], None],
        local: Local,
    ) -> None:
        wanted = missing(part, file.chunks)
        handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, file.size)
            wanted = list(_not_here(wanted, handle, local))
            self._bring(bundle, name, handle, list(ranges(wanted)), go_on)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _bring(
        self,
        bundle: str,
        name: str,
        handle: int,
        runs: list[list[Chunk]],
        go_on: Callable[[], None],
    ) -> None:
        """Download runs of pieces side by side; the first failure stops all."""
        failed = threading.Event()

        def one(run: list[Chunk]) -> None:
            if failed.is_set():
                return
            try:
                self._run(bundle, name, handle, run, go_on, failed)
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(min(PARALLEL, max(1, len(runs)))) as pool:
            futures = [pool.submit(one, run) for run in runs]
        errors = [e for f in futures if (e := f.exception()) is not None]
        for kind in (Superseded, Refused, EdgeError, OSError):
            if found := next((e for e in errors if isinstance(e, kind)), None):
                raise found
        if errors:
            raise errors[0]

    def _run(
        self,
        bundle: str,
        name: str,
        handle: int,
        run: list[Chunk],
        go_on: Callable[[], None],
        failed: threading.Event,
    ) -> None:
        first, last = run[0], run[-1]
        end = last.start + last.size
        with self._client.bundle_file(bundle, name, first.start, end) as (ranged, answer):
            if not ranged and first.start:
                raise Unreachable("the server sends no parts of files")
            for chunk in run:
                data = b""
                while len(data) < chunk.size:
                    go_on()
                    block = answer.read(min(_BLOCK, chunk.size - len(data)))
                    if not block or failed.is_set():
                        raise Unreachable(f"{name} was cut off at byte {chunk.start + len(data)}")
                    self._throttle.take(len(block))
                    data += block
                if not is_piece(data, chunk):
                    raise NotNow(f"{name} was altered on its way (SHA-256 of a piece differs)")
                write_at(handle, data, chunk.start)

    def _whole(
        self, bundle: str, name: str, part: Path, file: BundleFile, go_on: Callable[[], None]
    ) -> None:
        """Download a file that has no pieces, from the byte where it was cut off."""
        start = min(part.stat().st_size, file.size) if part.exists() else 0
        if start == file.size:
            return
        with (
            self._client.bundle_file(bundle, name, start) as (resumed, answer),
            part.open("ab" if resumed else "wb") as out,
        ):
            written = start if resumed else 0
            while written < file.size and (block := answer.read(min(_BLOCK, file.size - written))):
                go_on()
                self._throttle.take(len(block))
                out.write(block)
                written += len(block)
            out.flush()
            os.fsync(out.fileno())
        if written < file.size:
            raise Unreachable(f"{name} was cut off at byte {written} of {file.size}")


def _linkable(file: BundleFile) -> bool:
    return file.size >= _LINKED_BYTES


def _not_here(wanted: Sequence[Chunk], handle: int, local: Local) -> Iterator[Chunk]:
    """Write the pieces that a slot has; what is left has to be brought."""
    for chunk in wanted:
        data = local.piece(chunk)
        if data is None:
            yield chunk
        else:
            write_at(handle, data, chunk.start)
