"""The datasets that ship with the platform: entries of every home that cannot be removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bundled:
    """One of them.

    Attributes:
        name: its name in the catalogue.
        also: other names under which people know it.
        folder: its files.
    """

    name: str
    also: tuple[str, ...]
    folder: Path


_FOLDER = Path(__file__).parent / "bundled"
BUNDLED = (
    Bundled(
        "tickets",
        (
            "bundled tickets",
            "support tickets",
            "bundled support tickets",
            "ticket data",
            "ticket dataset",
            "tickets dataset",
            "bundled data",
        ),
        _FOLDER / "tickets",
    ),
)
