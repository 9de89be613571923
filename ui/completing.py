"""What the shell completes: names from the platform, if one runs; it is not started for that."""

from __future__ import annotations

from typing import Any

from tools.kernel.errors import PilothouseError


def operations(incomplete: str) -> list[tuple[str, str]]:
    """Operations with what they do."""
    return _fitting(_read("/api/v1/operations"), "name", "summary", incomplete)


def jobs(incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs."""
    return _fitting(_read("/api/v1/jobs"), "job", "operation", incomplete)


def approvals(incomplete: str) -> list[tuple[str, str]]:
    """The newest approvals."""
    return _fitting(_read("/api/v1/approvals"), "id", "status", incomplete)


def receipts(incomplete: str) -> list[tuple[str, str]]:
    """The newest receipts."""
    found = [{**r, "name": f"R{r['number']}"} for r in _read("/api/v1/receipts")]
    return _fitting(found, "name", "says", incomplete)


def threads(incomplete: str) -> list[tuple[str, str]]:
    """The conversations."""
    return _fitting(_read("/api/v1/conversations"), "thread", "title", incomplete)


def _fitting(
    found: list[dict[str, Any]], name: str, told: str, incomplete: str
) -> list[tuple[str, str]]:
    pairs = [(str(one[name]), str(one.get(told) or "")) for one in found]
    return [pair for pair in pairs if pair[0].lower().startswith(incomplete.lower())]


def _read(path: str) -> list[dict[str, Any]]:
    from ui.client import connect

    try:
        return connect(start=False).get(path)
    except PilothouseError:
        return []  # nothing is completed, and nothing is said in the middle of a command line
