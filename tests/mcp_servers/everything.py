"""A server with one of everything that the protocol knows, for the official conformance suite.

Test-only: no authentication, no gate. It goes through the same builder and transport as the real
servers, so what the suite proves of it holds for what they share.

    python -m tests.mcp_servers.everything        prints its address and serves until ended
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import mcp.types as types
import uvicorn
from mcp.server.lowlevel.server import request_ctx
from mcp.server.session import ServerSession
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.routing import Mount

from mcp_servers.builder import build
from mcp_servers.offer import Contents, Handler, Reference, Request
from mcp_servers.passes import Pass
from mcp_servers.streaming import StreamingServers, door_of_request
from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.identity import Channel, Principal, RequestContext, Role

ANYBODY = RequestContext(Principal("anybody", frozenset({Role.VIEWER})), Channel.MCP)
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
WATCHED = "test://watched-resource"
Tool = Callable[[dict[str, Any], Request], Awaitable[list[types.ContentBlock]]]


class Everybody:
    """A gatehouse that lets everybody in."""

    def identify(self, headers: Mapping[str, str], resource: str) -> RequestContext:
        return ANYBODY

    def require_scope(self, context: RequestContext, server: str, tool: str) -> None:
        return None

    def standing(self, context: RequestContext) -> bool:
        return True


class Everything:
    """The offer (`mcp_servers.offer.Offer`)."""

    name = "everything"
    instructions = "For tests."

    def __init__(self) -> None:
        self._levels: WeakKeyDictionary[ServerSession, str] = WeakKeyDictionary()
        self._watched: WeakKeyDictionary[ServerSession, set[str]] = WeakKeyDictionary()
        self._tools: dict[str, tuple[types.Tool, Tool]] = {}
        for name, (schema, function) in self._declared().items():
            tool = types.Tool(
                name=name, description=f"Answers for {name}.", inputSchema=schema or _schema()
            )
            self._tools[name] = (tool, function)

    def _declared(self) -> dict[str, tuple[dict[str, Any] | None, Tool]]:
        image = types.ImageContent(type="image", data=PNG, mimeType="image/png")
        audio = types.AudioContent(type="audio", data=WAV, mimeType="audio/wav")
        simple = "This is a simple text response for testing."
        embedded = _embedded(
            "test://embedded-resource", "text/plain", "This is an embedded resource content."
        )
        mixed = _embedded(
            "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
        )
        several: list[types.ContentBlock] = [_text("Multiple content types test:"), image, mixed]
        return {
            "test_simple_text": (None, _always([_text(simple)])),
            "test_image_content": (None, _always([image])),
            "test_audio_content": (None, _always([audio])),
            "test_embedded_resource": (None, _always([embedded])),
            "test_multiple_content_types": (None, _always(several)),
            "test_tool_with_logging": (None, self._logging),
            "test_tool_with_progress": (None, _progress),
            "test_error_handling": (None, _failing),
            "test_sampling": (_schema(prompt="string"), _sampling),
            "test_elicitation": (_schema(message="string"), _eliciting),
            "test_elicitation_sep1034_defaults": (None, _asks(DEFAULTS)),
            "test_elicitation_sep1330_enums": (None, _asks(ENUMS)),
            "test_reconnection": (None, _reconnecting),
            "json_schema_2020_12_tool": (MODERN, _always([_text("ok")])),
        }

    async def tools(self, given: Pass) -> list[types.Tool]:
        return [tool for tool, _ in self._tools.values()]

    async def call(
        self, name: str, arguments: dict[str, Any], given: Pass, request: Request
    ) -> types.CallToolResult:
        if name not in self._tools:
            raise NotFound(f"Unknown tool: {name}.")
        try:
            return types.CallToolResult(content=await self._tools[name][1](arguments, request))
        except Exception as error:  # the suite wants every failure as a result
            return types.CallToolResult(content=[_text(str(error))], isError=True)

    async def resources(self, given: Pass) -> list[types.Resource]:
        listed = [
            ("test://static-text", "text/plain"),
            ("test://static-binary", "image/png"),
            (WATCHED, "text/plain"),
        ]
        return [
            types.Resource(uri=AnyUrl(u), name=u, description=f"What is at {u}.", mimeType=m)
            for u, m in listed
        ]

    def templates(self) -> list[types.ResourceTemplate]:
        return [
            types.ResourceTemplate(
                name="template",
                uriTemplate="test://template/{id}/data",
                description="Anything by its id.",
                mimeType="application/json",
            )
        ]

    async def read(self, uri: str, given: Pass) -> list[Contents]:
        at = AnyUrl(uri)
        if uri == "test://static-binary":
            return [types.BlobResourceContents(uri=at, mimeType="image/png", blob=PNG)]
        if uri in ("test://static-text", WATCHED):
            text, kind = "This is the content of the static text resource.", "text/plain"
        elif uri.startswith("test://template/") and uri.endswith("/data"):
            key = uri.split("/")[3]
            told = {"id": key, "templateTest": True, "data": f"Data for ID: {key}"}
            text, kind = json.dumps(told), "application/json"
        else:
            raise NotFound(f"There is nothing at {uri}.")
        return [types.TextResourceContents(uri=at, mimeType=kind, text=text)]

    def prompts(self) -> list[types.Prompt]:
        wanted = {
            "test_simple_prompt": [],
            "test_prompt_with_arguments": ["arg1", "arg2"],
            "test_prompt_with_embedded_resource": ["resourceUri"],
            "test_prompt_with_image": [],
        }
        return [
            types.Prompt(
                name=name,
                description=f"Answers for {name}.",
                arguments=[
                    types.PromptArgument(name=a, description=f"The {a}.", required=True)
                    for a in arguments
                ],
            )
            for name, arguments in wanted.items()
        ]

    def prompt(self, name: str, arguments: dict[str, str]) -> types.GetPromptResult:
        image = types.ImageContent(type="image", data=PNG, mimeType="image/png")
        try:
            contents: dict[str, Callable[[], list[types.ContentBlock]]] = {
                "test_simple_prompt": lambda: [_text("This is a simple prompt for testing.")],
                "test_prompt_with_arguments": lambda: [
                    _text(
                        f"Prompt with arguments: arg1='{arguments['arg1']}', "
                        f"arg2='{arguments['arg2']}'"
                    )
                ],
                "test_prompt_with_embedded_resource": lambda: [
                    _embedded(
                        arguments["resourceUri"],
                        "text/plain",
                        "Embedded resource content for testing.",
                    ),
                    _text("Please process the embedded resource above."),
                ],
                "test_prompt_with_image": lambda: [
                    image,
                    _text("Please analyze the image above."),
                ],
            }
            if name not in contents:
                raise NotFound(f"There is no prompt {name!r}.")
            messages = [types.PromptMessage(role="user", content=c) for c in contents[name]()]
        except KeyError as missing:
            raise InvalidInput(f"{missing} is missing.") from None
        return types.GetPromptResult(messages=messages)

    async def names(
        self, ref: Reference, argument: str, told: dict[str, str], given: Pass
    ) -> list[str]:
        return ["paris", "park", "party"]

    def more(self) -> Mapping[type, Handler]:
        return {
            types.SetLevelRequest: self._set_level,
            types.SubscribeRequest: self._subscribe,
            types.UnsubscribeRequest: self._unsubscribe,
        }

    async def _set_level(self, request: types.SetLevelRequest) -> types.EmptyResult:
        self._levels[request_ctx.get().session] = request.params.level
        return types.EmptyResult()

    async def _subscribe(self, request: types.SubscribeRequest) -> types.EmptyResult:
        session = request_ctx.get().session
        self._watched.setdefault(session, set()).add(str(request.params.uri))
        return types.EmptyResult()

    async def _unsubscribe(self, request: types.UnsubscribeRequest) -> types.EmptyResult:
        self._watched.get(request_ctx.get().session, set()).discard(str(request.params.uri))
        return types.EmptyResult()

    async def _logging(
        self, arguments: dict[str, Any], request: Request
    ) -> list[types.ContentBlock]:
        least = self._levels.get(request.session, "debug")
        for text in (
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ):
            if LEVELS.index("info") >= LEVELS.index(least):
                await request.session.send_log_message(
                    "info", text, related_request_id=request.request_id
                )
            await asyncio.sleep(0.05)
        return [_text("Logged.")]


async def _progress(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
    token = request.meta.progressToken if request.meta else None
    for done in (0, 50, 100):
        if token is not None:
            await request.session.send_progress_notification(
                token, done, 100, related_request_id=str(request.request_id)
            )
        await asyncio.sleep(0.05)
    return [_text("Done.")]


async def _failing(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
    raise RuntimeError("This tool intentionally returns an error for testing")


async def _sampling(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
    message = types.SamplingMessage(role="user", content=_text(arguments["prompt"]))
    answer = await request.session.create_message(
        [message], max_tokens=100, related_request_id=request.request_id
    )
    said = getattr(answer.content, "text", "")
    return [_text(f"LLM response: {said}")]


async def _eliciting(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
    schema = _schema(username="string", email="string")
    schema["properties"]["username"]["description"] = "User's response"
    schema["properties"]["email"]["description"] = "User's email address"
    answer = await request.session.elicit_form(
        arguments["message"], schema, related_request_id=request.request_id
    )
    return [_text(f"User response: action={answer.action}, content={json.dumps(answer.content)}")]


async def _reconnecting(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
    """Leave the client's stream; it comes back for the answer."""
    if request.close_sse_stream is not None:
        await request.close_sse_stream()
    await asyncio.sleep(0.1)
    return [_text("Reconnected.")]


def _asks(schema: dict[str, Any]) -> Tool:
    async def ask(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
        answer = await request.session.elicit_form(
            "Please answer.", schema, related_request_id=request.request_id
        )
        told = json.dumps(answer.content)
        return [_text(f"Elicitation completed: action={answer.action}, content={told}")]

    return ask


def _always(content: list[types.ContentBlock]) -> Tool:
    async def answer(arguments: dict[str, Any], request: Request) -> list[types.ContentBlock]:
        return content

    return answer


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def _embedded(uri: str, kind: str, text: str) -> types.EmbeddedResource:
    resource = types.TextResourceContents(uri=AnyUrl(uri), mimeType=kind, text=text)
    return types.EmbeddedResource(type="resource", resource=resource)


def _schema(**fields: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in fields.items()},
        "required": list(fields),
    }


def _png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00\xff\x00\x00")
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def _wav() -> str:
    """Eight silent samples."""
    samples = bytes(16)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    data = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(data)) + data).decode()


PNG, WAV = _png(), _wav()
DEFAULTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {
            "type": "string",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "default": True},
    },
    "required": [],
}
_THREE = ["option1", "option2", "option3"]


def _titled(title: str) -> list[dict[str, str]]:
    words = ("First", "Second", "Third")
    return [{"const": f"value{n}", "title": f"{w} {title}"} for n, w in enumerate(words, 1)]


ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _THREE},
        "titledSingle": {"type": "string", "oneOf": _titled("Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _THREE}},
        "titledMulti": {"type": "array", "items": {"anyOf": _titled("Choice")}},
    },
    "required": [],
}
MODERN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
    "additionalProperties": False,
}


def application() -> Starlette:
    """The server at `/mcp/everything`."""
    names = ["127.0.0.1", "localhost", "[::1]"]
    security = TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{n}:*" for n in names)],
        allowed_origins=[f"http://{n}:*" for n in names],
    )
    streaming = StreamingServers(
        lambda name: build(Everything(), door_of_request), Everybody(), security
    )

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with streaming.run():
            yield

    return Starlette(routes=[Mount("/mcp", streaming)], lifespan=life)


def main() -> None:
    """Serve on a free port of 127.0.0.1."""
    logging.disable(logging.INFO)
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp/everything", flush=True)
    uvicorn.Server(uvicorn.Config(application(), log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
