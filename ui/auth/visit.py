"""What is known of one request on its way through the shield to whoever asks who it is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import Scope

from tools.kernel.identity import Principal

if TYPE_CHECKING:
    from ui.auth.gatekeeper import Gatekeeper

KEY = "pilothouse.visit"


@dataclass
class Visit:
    """One request or WebSocket.

    Attributes:
        gatekeeper: who says whom it is from.
        proven: True if the browser says that one of our own pages sent it, or that nobody else's
            page did; only then a cookie alone lets it change things.
        secret: what the session's cookie becomes with the answer: None if it stays, empty if it
            goes.
        principal: who it is, once somebody asked.
        csrf: what forms of that session send back.
    """

    gatekeeper: Gatekeeper
    proven: bool = False
    secret: str | None = None
    principal: Principal | None = None
    csrf: str = ""


def visit_of(scope: Scope) -> Visit:
    """The visit that the shield began for this scope."""
    return scope[KEY]
