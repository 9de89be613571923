"""Whose call it is: outsiders are known by their door, agents of this process by a pass.

An agent acts with the context of the person it acts for. Its request carries a token in MCP's
`_meta` that stands for a `Pass` kept here: 256 random bits, good for one request. Servers that
outsiders reach never look at `_meta`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mcp.server.lowlevel.server import request_ctx

from tools.kernel.errors import Unauthenticated
from tools.kernel.identity import RequestContext

META = "pilothouse/pass"
OUTSIDERS_LIMIT = 40_000


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to make one call as somebody.

    Attributes:
        context: who it is, and in which plan and step.
        approval: an approval's id, when the call continues a granted step.
        idempotency_key: see the gate.
        reveal: True if secrets in the result may travel back (never where a model reads it).
        limit: longest result as JSON, in characters; None means whole.
    """

    context: RequestContext
    approval: str | None = None
    idempotency_key: str | None = None
    reveal: bool = False
    limit: int | None = OUTSIDERS_LIMIT


Door = Callable[[], RequestContext | Pass]
"""Says who makes the request that is being handled; called once for each request."""


class Passes:
    """The passes that are out; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: dict[str, Pass] = {}

    def issue(self, given: Pass) -> str:
        """A token for one request."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._out[token] = given
        return token

    def drop(self, token: str) -> None:
        """Make a token worthless, used or not."""
        with self._lock:
            self._out.pop(token, None)

    def take(self, token: str | None) -> Pass:
        """The pass of a token, which is used up.

        Raises:
            Unauthenticated: if the token is not out.
        """
        with self._lock:
            found = self._out.pop(token, None) if token else None
        if found is None:
            raise Unauthenticated("The call carries no valid pass.")
        return found

    def door(self) -> Pass:
        """The pass of the MCP request that is being handled: the door of in-memory servers."""
        meta = request_ctx.get().meta
        token = (meta.model_extra or {}).get(META) if meta else None
        return self.take(token if isinstance(token, str) else None)


def admit(door: Door) -> Pass:
    """Ask a door who is there; a bare context is an outsider's."""
    found = door()
    return found if isinstance(found, Pass) else Pass(found)
