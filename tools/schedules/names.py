"""Short names by which people call their schedules: `nightly-training`, `training-after-job-7`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from tools.schedules.timing import Timing
from tools.schedules.types import CreateArgs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_NOUNS = {
    "start": "", "run": "", "tune": "tuning", "list": "", "summary": "report",
    "status": "status", "register": "registration", "compare": "comparison",
    "rollback": "rollback", "health": "health", "promote": "promotion",
}  # fmt: skip
_NIGHT = range(0, 6)


def free_name(session: Session, args: CreateArgs, tenant: str) -> str:
    """A name for a new schedule that no other of the tenant has or had."""
    from sqlalchemy import select

    from tools.schedules.tables import ScheduleRow

    wanted = made_name(args.timing, args.steps[0].operation)
    query = select(ScheduleRow.name).where(ScheduleRow.tenant == tenant)
    taken = set(session.scalars(query.where(ScheduleRow.name.startswith(wanted))))
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def made_name(timing: Timing, operation: str) -> str:
    """When and what, in two words or so."""
    domain, _, verb = operation.partition(".")
    noun = _NOUNS.get(verb, verb.replace("_", "-")) or domain
    if timing.after_job is not None:
        return f"{noun}-after-job-{timing.after_job}"
    if timing.at is not None:
        return f"{noun}-{datetime.fromisoformat(timing.at):%d-%b-%H%M}".lower()
    often = _often(timing.every or "")
    return f"{'fortnightly' if timing.weeks == _FORTNIGHT else often}-{noun}"


_FORTNIGHT = 2


def _often(cron: str) -> str:
    minute, hour, day, _, weekday = cron.split()
    if not re.fullmatch(r"\d+", hour):
        return "hourly" if hour == "*" and minute.isdigit() else "frequent"
    if day != "*":
        return "monthly"
    if weekday == "1-5":
        return "weekday"
    if weekday != "*":
        return "weekly"
    return "nightly" if int(hour) in _NIGHT else "daily"
