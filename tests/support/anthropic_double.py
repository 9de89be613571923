"""A protocol double of Anthropic's Messages API: its wire format, no model behind it.

Written after the public documentation of `POST /v1/messages`, versions 2023-06-01 and 2026-10-21:
the request's required headers and fields are checked (the newer one refuses sampling parameters),
answers come whole or as the documented server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from tests.support.openai_server import CallTools, Say, Script, Spoken, Turn, scripted_server

_NEWEST = "2026-10-21"
_SAMPLING = {"temperature", "top_p", "top_k"}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def anthropic_double(*turns: Turn) -> AbstractContextManager[Script]:
    """Serve the Messages API on a free loopback port; the last turn repeats."""
    return scripted_server(turns, _spoken, _failed)


def _failed(status: int) -> Spoken:
    error = {"type": _ERRORS.get(status, "api_error"), "message": "no"}
    told = {"type": "error", "error": error, "request_id": "req_1"}
    return status, "application/json", json.dumps(told).encode()


def _spoken(
    path: str, headers: dict[str, str], body: dict[str, Any], turn: Say | CallTools
) -> Spoken:
    if path != "/v1/messages":
        return _failed(404)
    if "x-api-key" not in headers and not headers.get("authorization", "").startswith("Bearer "):
        return _failed(401)
    version = headers.get("anthropic-version")
    sampled = version == _NEWEST and not _SAMPLING.isdisjoint(body)
    if version not in ("2023-06-01", _NEWEST) or sampled or not _valid(body):
        return _failed(400)
    if not body.get("stream"):
        return 200, "application/json", json.dumps(_message(body, turn)).encode()
    events = (f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in _events(body, turn))
    return 200, "text/event-stream", "".join(events).encode()


def _valid(body: dict[str, Any]) -> bool:
    roles = [m["role"] for m in body["messages"]]
    tools = body.get("tools", [])
    choice = body.get("tool_choice", {"type": "auto"})
    return (
        isinstance(body.get("max_tokens"), int)
        and isinstance(body.get("model"), str)
        and roles[0] == "user"
        and set(roles) <= {"user", "assistant"}
        and all(t["input_schema"]["type"] == "object" and t["name"] for t in tools)
        and (choice["type"] != "tool" or choice["name"] in {t["name"] for t in tools})
    )


def _blocks(turn: Say | CallTools) -> list[dict[str, Any]]:
    if isinstance(turn, Say):
        return [{"type": "text", "text": turn.text}]
    return [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": given}
        for n, (name, given) in enumerate(turn.calls)
    ]


def _message(body: dict[str, Any], turn: Say | CallTools) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": _blocks(turn),
        "stop_reason": "end_turn" if isinstance(turn, Say) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 7},
    }


def _events(body: dict[str, Any], turn: Say | CallTools) -> Iterator[dict[str, Any]]:
    whole = _message(body, turn)
    begun = {**whole, "content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": 100, "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        yield from _block(index, block)
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": whole["usage"]}  # cumulative
    yield {"type": "message_stop"}


def _block(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        empty, kind, field = {"type": "text", "text": ""}, "text_delta", "text"
        parts = [word + " " for word in block["text"].split(" ")]
    else:
        empty, kind, field = {**block, "input": {}}, "input_json_delta", "partial_json"
        written = json.dumps(block["input"])
        parts = ["", written[: len(written) // 2], written[len(written) // 2 :]]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for part in parts:
        delta = {"type": kind, field: part}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
