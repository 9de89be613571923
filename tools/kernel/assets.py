"""Model assets: pinned by SHA-256 in `assets.json`, fetched once, shared by every home.

Owns the manifest and the assets folder; `tools.kernel.fetching` fills it. What is done with a model
belongs to whoever loads it (`tools.kernel.embedding`, `tools.training`, ...).

`python -m tools.kernel.assets fetch` is what `scripts/bootstrap.sh` runs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from tools.kernel.asset_sources import Frozen, Source
from tools.kernel.errors import NotFound, Unavailable

FETCH_HINT = "Run `pilothouse models fetch` and try again."


class AssetMissing(Unavailable):
    """A model asset is not on this machine; the hint says how to get it."""

    code = "asset_missing"


class AssetFile(Frozen):
    """One file of an asset: where it goes, what it must be, where it may come from."""

    path: str
    sha256: str
    size: int
    sources: tuple[Source, ...]


class Asset(Frozen):
    """One asset of the manifest; optional ones are fetched only by name."""

    title: str
    license: str
    optional: bool = False
    files: tuple[AssetFile, ...]


class Manifest(Frozen):
    """Everything that may be fetched."""

    version: Literal[1]
    assets: dict[str, Asset]


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
    return user_cache()


def asset_path(name: str, file: str | None = None) -> Path:
    """The folder of an asset, or one `file` in it; checked for presence and size, not hashed.

    Raises:
        NotFound: the manifest has no such asset or file.
        AssetMissing: it has not been fetched on this machine, or a file of it is incomplete.
    """
    asset = asset_named(name)
    folder = assets_dir() / name
    if file is not None and all(entry.path != file for entry in asset.files):
        raise NotFound(
            f"Asset {name} has no file {file}.", suggestions=[entry.path for entry in asset.files]
        )
    for entry in asset.files:
        if not has_size(folder / entry.path, entry.size):
            hint = FETCH_HINT.replace("fetch", f"fetch {name}") if asset.optional else FETCH_HINT
            raise AssetMissing(f"The model asset {name} is not in {folder.parent}.", hint=hint)
    return folder if file is None else folder / file


def verify(names: Iterable[str] | None = None) -> list[str]:
    """Hash every file of the named (or all present) assets again; one line for each that is wrong.

    An asset that was never fetched is reported only when it is named or not optional.
    """
    problems: list[str] = []
    for name in names if names is not None else manifest().assets:
        asset, folder = asset_named(name), assets_dir() / name
        if names is None and asset.optional and not folder.is_dir():
            continue
        for entry in asset.files:
            path = folder / entry.path
            if not path.is_file():
                problems.append(f"{name}: {entry.path} is missing")
            elif path.stat().st_size != entry.size or sha256_of(path) != entry.sha256:
                problems.append(f"{name}: {entry.path} is not what the manifest pins")
    return problems


def asset_named(name: str) -> Asset:
    """One asset of the manifest.

    Raises:
        NotFound: there is none of that name.
    """
    known = manifest().assets
    if name not in known:
        raise NotFound(f"There is no model asset {name}.", suggestions=sorted(known))
    return known[name]


def user_cache() -> Path:
    """The folder of assets that all checkouts of a user share."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pilothouse" / "assets"


def has_size(path: Path, size: int) -> bool:
    """True if there is a file of so many bytes."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
            from tools.kernel.fetching import fetch

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
