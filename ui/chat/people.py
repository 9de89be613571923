"""Who is in the chat: one login serves pages and chat, and is looked at anew with each message."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.kernel.identity import Channel, Principal, RequestContext

if TYPE_CHECKING:
    from ui.auth import Gatekeeper

ASKED_BY = "pilothouse.asked_by"
"""Where a connection's context is kept for the messages that come through it."""
asking: ContextVar[RequestContext] = ContextVar("asking")
"""Who makes the request that is being answered."""


def identifier(principal: Principal) -> str:
    """How the chat names a principal; unique over all tenants."""
    return f"{principal.tenant}/{principal.name}"


def owner(user: str) -> RequestContext:
    """The context in which a person's own conversations are read; it holds no role."""
    tenant, _, name = user.partition("/")
    return RequestContext(Principal(name, frozenset(), tenant), Channel.CHAT)


def of_session(session: Any, gatekeeper: Gatekeeper) -> RequestContext:
    """Who speaks through a chat session, in which conversation, with the roles held now.

    Raises:
        Unauthenticated: if they have logged out or lost their access since they connected.
    """
    context: RequestContext = session.environ["asgi.scope"][ASKED_BY]
    gatekeeper.require_standing(context)
    return replace(
        context,
        principal=gatekeeper.kernel.principals.current(context.principal),
        conversation=session.thread_id,
        request_id=uuid4().hex,
    )
