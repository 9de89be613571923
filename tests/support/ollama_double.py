"""A protocol double of Ollama's chat API: its wire format, no model behind it.

Written after the public documentation of `POST /api/chat`: answers are one JSON object, or lines of
them; `format` takes a JSON schema; the last line tells the tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from tests.support.openai_server import CallTools, Say, Script, Spoken, Turn, scripted_server


def ollama_double(*turns: Turn) -> AbstractContextManager[Script]:
    """Serve the chat API on a free loopback port; the last turn repeats."""
    return scripted_server(turns, _spoken, _failed)


def _failed(status: int) -> Spoken:
    return status, "application/json", json.dumps({"error": "no"}).encode()


def _spoken(
    path: str, headers: dict[str, str], body: dict[str, Any], turn: Say | CallTools
) -> Spoken:
    if path != "/api/chat":
        return _failed(404)
    wanted = body.get("format") or ""
    if not isinstance(wanted, dict) and wanted not in ("", "json"):
        return _failed(400)
    if body.get("stream", True):
        lines = "".join(json.dumps(line) + "\n" for line in _lines(body, turn))
        return 200, "application/x-ndjson", lines.encode()
    last = _end(body)
    last["message"] = _message(turn)
    return 200, "application/json", json.dumps(last).encode()


def _message(turn: Say | CallTools) -> dict[str, Any]:
    if isinstance(turn, Say):
        return {"role": "assistant", "content": turn.text}
    calls = [{"function": {"name": name, "arguments": given}} for name, given in turn.calls]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def _lines(body: dict[str, Any], turn: Say | CallTools) -> Iterator[dict[str, Any]]:
    parts = [_message(turn)]
    if isinstance(turn, Say):
        parts = [{"role": "assistant", "content": w + " "} for w in turn.text.split(" ")]
    for part in parts:
        yield {**_head(body), "message": part, "done": False}
    yield _end(body)


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "created_at": "2026-01-01T00:00:00.000000Z"}


def _end(body: dict[str, Any]) -> dict[str, Any]:
    return {
        **_head(body),
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "total_duration": 5_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 100,
        "prompt_eval_duration": 2_000_000,
        "eval_count": 7,
        "eval_duration": 2_000_000,
    }
