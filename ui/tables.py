"""What any result holds that people look at rather than read: tables, and pictures on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
TABLES_SHOWN = 3
_PICTURES = (".png", ".svg", ".html", ".pdf")


@dataclass(frozen=True, slots=True)
class Records:
    """A list of records of a result.

    Attributes:
        name: the field.
        columns: those worth showing: flat, not empty in every row, no hashes.
        rows: the records.
    """

    name: str
    columns: list[str]
    rows: list[Json]


def tables(result: Json, columns: int) -> list[Records]:
    """The lists of records in a result, the first three at most.

    Args:
        result: an operation's result.
        columns: the most columns to show of each.
    """
    found: list[Records] = []
    for name, items in result.items():
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
            shown = _columns(items)[:columns]
            if shown:
                found.append(Records(name, shown, items))
    return found[:TABLES_SHOWN]


def pictures(result: Json) -> list[tuple[str, str]]:
    """The drawn files that a result names: the field and the path."""
    return [
        (name.replace("_", " "), value)
        for name, value in result.items()
        if "plot" in name and isinstance(value, str) and value.endswith(_PICTURES)
    ]


def rollout_devices(result: Json) -> Json:
    """The devices of a rollout's groups, flat: what each shall serve, and what it says it serves.

    Args:
        result: `groups` of `deployment.status`.
    """
    groups = result.get("groups") or []
    return {str(g["group"]): [_device(d) for d in g.get("devices") or []] for g in groups}


def _device(device: Json) -> Json:
    return {
        "device": device["device"],
        "state": device["state"],
        "step": device.get("step"),
        "shall_serve": _models(device.get("desired")),
        "serves": _models(device.get("reported")),
        "form": device.get("form"),
        "last_report": device.get("reported_at"),
        "error": device.get("error"),
    }


def _models(served: list[Json] | None) -> str:
    shares = [m["weight"] for m in served or []]
    return ", ".join(
        f"{m['model']} v{m['version']}" + (f" ({m['weight']} %)" if len(shares) > 1 else "")
        for m in served or []
    )


def text_table(result: Json) -> str | None:
    """A table that an operation has set as text itself."""
    drawn = result.get("table")
    return drawn if isinstance(drawn, str) and drawn.strip() else None


def _columns(rows: list[Json]) -> list[str]:
    named = [c for c in rows[0] if not any(isinstance(r.get(c), dict | list) for r in rows)]
    named = [c for c in named if any(r.get(c) not in (None, "") for r in rows)]
    named = [c for c in named if not c.endswith(("sha256", "hash"))]
    return [c for c in named if c != "id" or "number" not in named]
