"""Asking the person behind a client (elicitation), where the client offers it.

It is a convenience and never the only way. A form asks for missing arguments; its answer is worth
no more than the arguments of the call, because the client program gives it. An approval is never
asked for in a form: the person is led to the page where whoever is signed in decides it.
See docs/decisions/0005-elicitation-asks-and-never-approves.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import mcp.types as types
from mcp.server.session import ServerSession
from mcp.shared.exceptions import McpError

from mcp_servers.offer import Request
from mcp_servers.schemas import OfferedTool
from mcp_servers.waiting import Waiting
from tools.kernel.errors import NeedsApproval
from tools.kernel.identity import RequestContext

SECONDS = 45.0
"""How long a person is waited for: many clients give a call up after a minute."""
CHOICES = 50
_PLAIN = ("string", "integer", "number", "boolean")
_KEPT = ("type", "description", "enum", "minimum", "maximum", "minLength", "maxLength", "default")
Names = Callable[[str], Awaitable[list[str]]]

log = logging.getLogger(__name__)


async def complete(
    offer: OfferedTool, arguments: dict[str, Any], names: Names, request: Request
) -> dict[str, Any]:
    """The arguments, with those that are missing as the person gave them.

    They stay as they are if nothing is missing, the client offers no forms, or the person declines:
    the call then says itself what is missing.

    Args:
        offer: the tool.
        arguments: what the call came with.
        names: the names that the catalogue knows of a kind.
        request: the call.
    """
    missing = [n for n in offer.tool.inputSchema.get("required", []) if n not in arguments]
    if not missing or not _offers_forms(request.session):
        return arguments
    fields = {name: await _field(offer, name, names) for name in missing}
    if not all(fields.values()):
        return arguments
    schema = {"type": "object", "properties": fields, "required": missing}
    message = f"{offer.tool.title}: {' '.join(_question(offer, name) for name in missing)}"
    answer = await _answered(
        request.session.elicit_form(message, schema, related_request_id=request.request_id)
    )
    if answer is None or answer.action != "accept" or not answer.content:
        return arguments
    return {**arguments, **{n: v for n, v in answer.content.items() if n in missing}}


async def approved(
    error: NeedsApproval, waiting: Waiting, context: RequestContext, request: Request
) -> bool:
    """Lead the person to the page of a pending approval; True once it is granted there.

    False where the client opens no pages, the person declines, or nothing is decided in time.
    """
    approval = str(error.approval.get("id", ""))
    if not approval or not _opens_pages(request.session):
        return False
    answer = await _answered(
        request.session.elicit_url(
            f"{error.message} Decide it there, signed in as who may.",
            waiting.page(approval, request),
            approval,
            related_request_id=request.request_id,
        )
    )
    if answer is None or answer.action != "accept":
        return False
    granted = await waiting.granted(approval, context, SECONDS)
    if granted:
        await request.session.send_elicit_complete(approval, request.request_id)
    return granted


async def _answered(asked: Awaitable[types.ElicitResult]) -> types.ElicitResult | None:
    """The answer; None if the client refuses to ask, or the person takes too long."""
    try:
        async with asyncio.timeout(SECONDS):
            return await asked
    except (McpError, TimeoutError) as error:
        log.info("nobody answered: %s", error or "too late")
        return None


def _offers_forms(session: ServerSession) -> bool:
    offered = _elicitation(session)
    return offered is not None and (offered.form is not None or offered.url is None)


def _opens_pages(session: ServerSession) -> bool:
    offered = _elicitation(session)
    return offered is not None and offered.url is not None


def _elicitation(session: ServerSession) -> types.ElicitationCapability | None:
    return session.client_params.capabilities.elicitation if session.client_params else None


async def _field(offer: OfferedTool, name: str, names: Names) -> dict[str, Any] | None:
    """An argument as a form can hold it; None if a form cannot."""
    schema: dict[str, Any] = offer.tool.inputSchema["properties"][name]
    if schema.get("type") not in _PLAIN:
        return None
    field = {key: schema[key] for key in _KEPT if key in schema}
    slot = offer.operation.slots.get(name)
    if slot is None or slot.kind is None or not slot.closed or schema["type"] != "string":
        return field
    known = await names(slot.kind.value)
    return {**field, "enum": known[:CHOICES]} if 0 < len(known) <= CHOICES else field


def _question(offer: OfferedTool, name: str) -> str:
    slot = offer.operation.slots.get(name)
    return slot.question if slot is not None and slot.question else f"{name}?"
