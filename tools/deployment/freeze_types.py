"""What the operations on change freezes take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tools.devices.types import GroupName
from tools.kernel.operations import Args, Result, Slot


class DeclareFreeze(Args):
    """What nothing is to be rolled out to, why, and until when."""

    group: GroupName | None = Field(None, description="Only this group; all without one.")
    reason: Annotated[str, Slot(None, "Why?")] = Field(
        "a change freeze was declared",
        description="Why, as those read it who are refused.",
        min_length=1,
        max_length=500,
    )
    until: Annotated[str | None, Slot(None, "Until when?")] = Field(
        None,
        description="When it ends by itself: monday, tomorrow 9:00, 18:30, 3 days, or an ISO "
        "date, in UTC; until it is lifted without one.",
        max_length=64,
    )


class LiftFreeze(Args):
    """What may be changed again."""

    group: GroupName | None = Field(
        None, description="The freeze of this group; that of all groups without one."
    )


class FreezeState(Result):
    """Whether a freeze stands.

    Attributes:
        group: the group; none for all.
        frozen: True while it stands.
        lifted: how many freezes were lifted.
    """

    group: str | None
    frozen: bool
    reason: str | None = None
    until: datetime | None = None
    declared_by: str | None = None
    lifted: int = 0
