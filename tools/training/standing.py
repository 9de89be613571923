"""How jobs stand as people see it: one that is held is paused, and does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.jobs import OPEN
from tools.training.pausing import PAUSED, is_paused

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.periods import Span
    from tools.kernel.settings import Settings
    from tools.kernel.tables import JobRow

_MOST_OPEN = 1000


def standing(settings: Settings, row: JobRow) -> str:
    """A job's status, `paused` of one that is open and held."""
    held = row.status in OPEN and is_paused(settings.home / "work" / "jobs" / str(row.id))
    return PAUSED if held else row.status


def jobs_in(
    kernel: Kernel,
    tenant: str,
    status: str | None,
    *,
    operation: str | None = None,
    span: Span | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[JobRow]:
    """Jobs, newest first, as `Jobs.list` has them; `paused` is a status, too.

    Those asked for as running hold the paused ones: they are what somebody looks for there.
    """
    held = status == PAUSED
    found = [
        row
        for kept in (OPEN if held else (status,))
        for row in kernel.jobs.list(
            tenant,
            operation=operation,
            status=kept,
            span=span,
            before=before,
            limit=_MOST_OPEN if held else limit,
        )
        if not held or standing(kernel.settings, row) == PAUSED
    ]
    return sorted(found, key=lambda row: row.id, reverse=True)[:limit]
