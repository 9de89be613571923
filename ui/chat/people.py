"""Who is in the chat: one login serves pages and chat, and is looked at anew with each message."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Scope

from tools.kernel.identity import Channel, Principal, RequestContext
from ui.api.door import caller, door_of

ASKED_BY = "pilothouse.asked_by"
"""Where the connection's own scope is kept for the messages that come through it."""

asking: ContextVar[RequestContext] = ContextVar("asking")
"""Who makes the request that is being answered."""


def identify(scope: Scope) -> RequestContext:
    """Who a connection belongs to, as of now.

    Raises:
        Unauthenticated: if nobody is logged in, or no longer.
    """
    connection = HTTPConnection(scope)
    token = connection.cookies.get("pilothouse_token")
    if token:
        return RequestContext(door_of(connection).principal(token), Channel.CHAT)
    return replace(caller(connection), channel=Channel.CHAT)


def identifier(principal: Principal) -> str:
    """How the chat names a principal; unique over all tenants."""
    return f"{principal.tenant}/{principal.name}"


def owner(user: str) -> RequestContext:
    """The context in which a person's own conversations are read; it holds no role."""
    tenant, _, name = user.partition("/")
    return RequestContext(Principal(name, frozenset(), tenant), Channel.CHAT)


def of_session(session: Any) -> RequestContext:
    """Who speaks through a chat session, in which conversation.

    Raises:
        Unauthenticated: if they have logged out or lost their access since they connected.
    """
    scope = session.environ["asgi.scope"][ASKED_BY]
    return replace(identify(scope), conversation=session.thread_id)
