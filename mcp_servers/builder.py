"""The one builder of every server: an offer in, an MCP server out; it decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import mcp.types as types
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.lowlevel.server import request_ctx
from mcp.shared.exceptions import McpError

from mcp_servers.caller import Caller
from mcp_servers.domain import DomainOffer
from mcp_servers.offer import Offer
from mcp_servers.paging import page
from mcp_servers.passes import Door, Pass, admit
from mcp_servers.waiting import Waiting
from tools.kernel.errors import NotFound, PilothouseError
from tools.kernel.operations import OperationSet

RESOURCE_NOT_FOUND = -32002
_COMPLETIONS = 100

log = logging.getLogger(__name__)


def build_server(
    name: str,
    operations: OperationSet,
    caller: Caller,
    door: Door,
    *,
    waiting: Waiting | None = None,
    version: str = "0.1.0",
) -> Server[Any, Any]:
    """The MCP server of a domain.

    Args:
        name: a key of `SERVERS`, or `all`.
        operations: all operations; the server offers those of its domains that are not hidden.
        caller: how calls reach the gate.
        door: who makes the request that is being handled; asked once for each request.
        waiting: waits for jobs and people, where the door knows how.
        version: the platform's version.

    Raises:
        NotFound: if there is no such server.
    """
    return build(DomainOffer(name, operations, caller, waiting), door, version=version)


def build(offer: Offer, door: Door, *, version: str = "0.1.0") -> Server[Any, Any]:
    """The MCP server of an offer.

    Args:
        offer: what it offers.
        door: who makes the request that is being handled; asked once for each request.
        version: the offer's version.
    """
    server = _Declaring(offer.name, version=version, instructions=offer.instructions)
    for request, handler in (_Handlers(offer, door).all() | dict(offer.more())).items():
        server.request_handlers[request] = _guarded(handler)
    return server


class _Declaring(Server[Any, Any]):
    """Declares subscriptions where they are handled; the SDK's server never does."""

    def get_capabilities(
        self,
        notification_options: NotificationOptions,
        experimental_capabilities: dict[str, dict[str, Any]],
    ) -> types.ServerCapabilities:
        found = super().get_capabilities(notification_options, experimental_capabilities)
        if found.resources is not None:
            found.resources.subscribe = types.SubscribeRequest in self.request_handlers
        return found


class _Handlers:
    """An offer as MCP's requests; without state of its own."""

    def __init__(self, offer: Offer, door: Door) -> None:
        self._offer = offer
        self._door = door

    def all(self) -> dict[type, Callable[[Any], Awaitable[Any]]]:
        """The handlers by what they handle."""
        return {
            types.ListToolsRequest: self._list_tools,
            types.CallToolRequest: self._call_tool,
            types.ListResourcesRequest: self._list_resources,
            types.ListResourceTemplatesRequest: self._list_templates,
            types.ReadResourceRequest: self._read_resource,
            types.ListPromptsRequest: self._list_prompts,
            types.GetPromptRequest: self._get_prompt,
            types.CompleteRequest: self._complete,
        }

    def _admit(self) -> Pass:
        return admit(self._door)

    async def _list_tools(self, request: types.ListToolsRequest | None) -> types.ListToolsResult:
        tools = await self._offer.tools(self._admit())
        found, more = page(tools, _cursor(request), lambda t: t.name)
        return types.ListToolsResult(tools=found, nextCursor=more)

    async def _call_tool(self, request: types.CallToolRequest) -> types.CallToolResult:
        name, arguments = request.params.name, request.params.arguments or {}
        return await self._offer.call(name, arguments, self._admit(), request_ctx.get())

    async def _list_resources(
        self, request: types.ListResourcesRequest
    ) -> types.ListResourcesResult:
        resources = await self._offer.resources(self._admit())
        found, more = page(resources, _cursor(request), lambda r: str(r.uri))
        return types.ListResourcesResult(resources=found, nextCursor=more)

    async def _list_templates(
        self, request: types.ListResourceTemplatesRequest
    ) -> types.ListResourceTemplatesResult:
        self._admit()
        found, more = page(self._offer.templates(), _cursor(request), lambda t: t.uriTemplate)
        return types.ListResourceTemplatesResult(resourceTemplates=found, nextCursor=more)

    async def _read_resource(self, request: types.ReadResourceRequest) -> types.ReadResourceResult:
        contents = await self._offer.read(str(request.params.uri), self._admit())
        return types.ReadResourceResult(contents=list(contents))

    async def _list_prompts(self, request: types.ListPromptsRequest) -> types.ListPromptsResult:
        self._admit()
        found, more = page(self._offer.prompts(), _cursor(request), lambda p: p.name)
        return types.ListPromptsResult(prompts=found, nextCursor=more)

    async def _get_prompt(self, request: types.GetPromptRequest) -> types.GetPromptResult:
        self._admit()
        return self._offer.prompt(request.params.name, request.params.arguments or {})

    async def _complete(self, request: types.CompleteRequest) -> types.CompleteResult:
        params = request.params
        told = (params.context.arguments if params.context else None) or {}
        known = await self._offer.names(params.ref, params.argument.name, told, self._admit())
        return _completion(known, params.argument.value)


def _cursor(request: types.PaginatedRequest[Any] | None) -> str | None:
    return request.params.cursor if request is not None and request.params else None


def _completion(known: list[str], typed: str) -> types.CompleteResult:
    folded = typed.strip().casefold()
    fitting = [n for n in known if n.casefold().startswith(folded)]
    fitting += [n for n in known if folded in n.casefold() and n not in fitting]
    return types.CompleteResult(
        completion=types.Completion(
            values=fitting[:_COMPLETIONS],
            total=len(fitting),
            hasMore=len(fitting) > _COMPLETIONS,
        )
    )


def _protocol_error(message: str, code: int = types.INVALID_PARAMS, data: Any = None) -> McpError:
    return McpError(types.ErrorData(code=code, message=message, data=data))


def _guarded(handler: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """The handler with every failure as a protocol error that tells no internals."""

    async def handle(request: Any) -> types.ServerResult:
        try:
            return types.ServerResult(await handler(request))
        except McpError:
            raise
        except NotFound as error:
            code = (
                RESOURCE_NOT_FOUND
                if isinstance(request, types.ReadResourceRequest)
                else types.INVALID_PARAMS
            )
            raise _protocol_error(str(error), code, error.as_dict()) from error
        except PilothouseError as error:
            raise _protocol_error(str(error), data=error.as_dict()) from error
        except Exception as error:
            log.exception("%s failed", type(request).__name__)
            raise _protocol_error("Something went wrong inside.", types.INTERNAL_ERROR) from error

    return handle
