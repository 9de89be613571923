"""A local server that speaks OpenAI's chat protocol and answers from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """Answer with words, streamed one at a time; `cut` where the limit of tokens was reached."""

    text: str
    cut: bool = False


@dataclass(frozen=True)
class CallTools:
    """Answer with tool calls: name and arguments (a dict, or raw text that may be broken JSON)."""

    calls: Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Fill:
    """Answer in the schema that is asked for: as JSON, or as the arguments of the offered tool."""

    content: dict[str, Any]

    def shaped(self, body: dict[str, Any]) -> Say | CallTools:
        """The answer in the form that a request wants."""
        tools = body.get("tools")
        if "response_format" in body or not tools:
            return Say(json.dumps(self.content))
        return CallTools([(tools[0].get("function", tools[0])["name"], self.content)])


@dataclass(frozen=True)
class Fail:
    """Answer with an HTTP status."""

    status: int


@dataclass(frozen=True)
class Drop:
    """Close the connection in the middle of the answer."""


@dataclass(frozen=True)
class Hang:
    """Answer nothing until the server closes."""


Turn = Say | CallTools | Fill | Fail | Hang | Drop


@dataclass
class Script:
    """What the server will answer, and what it was asked."""

    url: str
    turns: list[Turn]
    only_streams: bool = False
    no_schemas: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)

    def refuses(self, body: dict[str, Any]) -> bool:
        """True for a request of a kind that this server does not know."""
        unstreamed = self.only_streams and not body.get("stream")
        return unstreamed or (self.no_schemas and "response_format" in body)


Spoken = tuple[int, str, bytes]
"""A status, a content type and a body."""

Speaks = Callable[[str, dict[str, str], dict[str, Any], "Say | CallTools"], Spoken]
"""How a protocol says a turn: path, headers and body of the request, and what to say."""

Fails = Callable[[int], Spoken]
"""How a protocol tells of an error."""


@contextmanager
def scripted_server(turns: Sequence[Turn], speaks: Speaks, fails: Fails) -> Iterator[Script]:
    """Serve one protocol on a free loopback port; the last turn repeats."""
    closing = threading.Event()
    script = Script("", list(turns))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append(body)
            script.keys.append(headers.get("x-api-key") or headers.get("authorization", ""))
            turn = script.turns.pop(0) if len(script.turns) > 1 else script.turns[0]
            turn = turn.shaped(body) if isinstance(turn, Fill) else turn
            script.asked.set()
            if isinstance(turn, Drop):
                self._cut()
            elif isinstance(turn, Hang):
                closing.wait(30)
            elif isinstance(turn, Fail):
                self._send(*fails(turn.status))
            elif (script.only_streams and not body.get("stream")) or (
                script.no_schemas and "response_format" in body
            ):
                self._send(*fails(400))
            else:
                self._send(*speaks(self.path, headers, body, turn))

        def _cut(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'data: {"id": "c1", ')
            self.close_connection = True

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def openai_server(*turns: Turn) -> Iterator[Script]:
    """Serve OpenAI's chat completions."""
    with scripted_server(turns, _spoken, _failed) as script:
        script.url += "/v1"
        yield script


def _spoken(
    path: str, headers: dict[str, str], body: dict[str, Any], turn: Say | CallTools
) -> Spoken:
    if not body.get("stream"):
        return 200, "application/json", json.dumps(_whole(turn)).encode()
    events = "".join(f"data: {json.dumps(e)}\n\n" for e in _chunks(turn, body))
    return 200, "text/event-stream", f"{events}data: [DONE]\n\n".encode()


def _failed(status: int) -> Spoken:
    return status, "application/json", b'{"error": {"message": "no"}}'


_USAGE = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
_BASE = {"id": "c1", "created": 1, "model": "scripted"}


def _calls(turn: CallTools) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(given),
            },
        }
        for index, (name, given) in enumerate(turn.calls)
    ]


def _whole(turn: Say | CallTools) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(turn, Say):
        message["content"] = turn.text
    else:
        message["tool_calls"] = _calls(turn)
    reason = "tool_calls" if isinstance(turn, CallTools) else "length" if turn.cut else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _chunks(turn: Say | CallTools, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {**_BASE, "object": "chat.completion.chunk", "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    if isinstance(turn, Say):
        for word in turn.text.split(" "):
            yield chunk({"content": word + " "})
        yield chunk({}, "stop")
    else:
        for call in _calls(turn):
            text = call["function"]["arguments"]
            head = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
            yield chunk({"tool_calls": [head]})
            for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield chunk(
                    {"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]}
                )
        yield chunk({}, "tool_calls")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**_BASE, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}
