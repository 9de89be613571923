"""`variant.json`: what a variant's folder holds; the format is told in the package's text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tools.kernel.errors import InvalidInput

FILE = "variant.json"
FORMAT = 1


@dataclass(slots=True)
class Manifest:
    """The fields of `variant.json`."""

    variant: str
    kind: str
    runtime: str
    entry: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    labels: list[str]
    max_length: int
    parent: dict[str, Any]
    size_bytes: int = 0
    memory_mb: float = 0.0
    metric: dict[str, Any] = field(default_factory=dict[str, Any])
    files: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    format: int = FORMAT


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest over the files that now lie in the folder."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    manifest.files = {name: _described(folder / name) for name in names if name != FILE}
    staged = folder / f".{FILE}.new"
    staged.write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False))
    staged.replace(folder / FILE)


def read(folder: Path) -> Manifest:
    """The manifest of a variant's folder.

    Raises:
        InvalidInput: if it is missing, damaged, of an unknown format, or a file is not all there.
    """
    try:
        raw: dict[str, Any] = json.loads((folder / FILE).read_text())
        found = Manifest(**{f.name: raw[f.name] for f in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(f"{folder} is no whole variant of a model.") from None
    if found.format != FORMAT:
        raise InvalidInput(f"{folder} has format {found.format}, known is {FORMAT}.")
    for name, told in found.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != told["size"]:
            raise InvalidInput(f"{name} of the variant in {folder} is missing or cut off.")
    return found


def is_variant(folder: Path) -> bool:
    """True if the folder holds a variant rather than what a training wrote."""
    return (folder / FILE).is_file()


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
            "size": path.stat().st_size,
        }
