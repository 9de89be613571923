"""What a tool call answers: result and receipt, or an error that says what to do next."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import mcp.types as types

from mcp_servers import pages
from mcp_servers.caller import CallOutcome
from mcp_servers.passes import Pass
from mcp_servers.schemas import OfferedTool, at_the_terminal, secret_fields
from tools.kernel.errors import NeedsApproval, PilothouseError

REVEALED = "pilothouse/revealed"
_SIZES = (
    (1000, 20_000),
    (500, 10_000),
    (200, 4_000),
    (100, 2_000),
    (50, 1_000),
    (20, 600),
    (10, 400),
    (5, 300),
    (2, 200),
)

log = logging.getLogger(__name__)


def answer(
    offered: OfferedTool,
    outcome: CallOutcome,
    given: Pass,
    arguments: dict[str, Any],
    before: int = 0,
) -> types.CallToolResult:
    """The tool result of a call that went through.

    Args:
        offered: the tool.
        outcome: what the call gave.
        given: whose call it was.
        arguments: the operation's arguments.
        before: entries of the result's list that were read with earlier calls.
    """
    whole = pages.go_on(offered, outcome.result, before)
    result, note = bounded(whole, given.limit, offered)
    more = pages.rest(offered, arguments, whole, result, before)
    if outcome.revealed and not given.reveal:
        fields = ", ".join(secret_fields(offered.operation)) or "secrets"
        hidden = f"MCP does not show {fields}: use {at_the_terminal(offered.operation)}."
        note = f"{note} {hidden}" if note else hidden
    receipt = outcome.receipt
    if given.limit is not None:
        receipt, _ = bounded(slim(receipt), given.limit, None)
    structured: dict[str, Any] = {"result": result, "receipt": receipt}
    if note:
        structured["note"] = note
    if more:
        structured[pages.NEXT] = more
    problem = next(offered.check.iter_errors(structured), None)
    if problem is not None:
        return _undeclared(offered, outcome, problem.message)
    meta = {REVEALED: outcome.revealed} if given.reveal and outcome.revealed else None
    goes_on = [f"The rest: the same call with {pages.CURSOR}={more}"] if more else []
    lines = [_says(outcome), *([note] if note else []), _compact(result), *goes_on]
    return types.CallToolResult(
        content=[types.TextContent(type="text", text="\n".join(lines))],
        structuredContent=structured,
        _meta=meta,
    )


def failure(error: PilothouseError, page: str | None = None) -> types.CallToolResult:
    """The tool result of an expected error; a pending approval says who grants it, and how.

    Args:
        error: what was wrong.
        page: where a person decides the approval that is needed, if the door knows.
    """
    told = error.as_dict()
    text = str(error)
    if isinstance(error, NeedsApproval):
        told |= approval_ways(error, page)
        text = (
            f"{text} To approve: {told['command']} or {told['link']}. "
            "Then make the same call again. No tool can approve it."
        )
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structuredContent={"error": told},
        isError=True,
    )


def unexpected(request_id: str) -> types.CallToolResult:
    """The tool result of a defect: no detail leaves the log."""
    told = {
        "code": "internal",
        "message": f"Something went wrong inside (request {request_id}).",
        "hint": "The platform's log holds the details under that request.",
        "suggestions": [],
    }
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=f"{told['message']} {told['hint']}")],
        structuredContent={"error": told},
        isError=True,
    )


def approval_ways(error: NeedsApproval, page: str | None = None) -> dict[str, str]:
    """Where a person decides a pending approval."""
    approval = str(error.approval.get("id", ""))
    return {
        "command": f"pilothouse approvals grant {approval}",
        "link": page or f"pilothouse://approvals/{approval}",
    }


def slim(receipt: dict[str, Any]) -> dict[str, Any]:
    """The receipt without the result that stands beside it already."""
    return {key: value for key, value in receipt.items() if key != "result"}


def bounded(
    result: dict[str, Any], limit: int | None, offered: OfferedTool | None
) -> tuple[dict[str, Any], str | None]:
    """Shorten lists and texts, step by step, until the JSON fits.

    Args:
        result: plain data.
        limit: characters; None leaves it whole.
        offered: the tool, whose paging arguments the note names.

    Returns:
        The data, and what was left out, or None.
    """
    if limit is None or len(_compact(result)) <= limit:
        return result, None
    cut, notes = result, dict[str, str]()
    for items, text in _SIZES:
        notes = {}
        cut = cast("dict[str, Any]", _shortened(result, items, text, "result", notes))
        if len(_compact(cut)) <= limit:
            break
    return cut, _note(notes, offered)


def _shortened(value: Any, items: int, text: int, path: str, notes: dict[str, str]) -> Any:
    """A copy with no list longer than `items` and no text longer than `text`; notes what it cut."""
    if isinstance(value, dict):
        return {k: _shortened(v, items, text, f"{path}.{k}", notes) for k, v in value.items()}
    if isinstance(value, list):
        if len(value) > items:
            notes[path] = f"{items} of {len(value)}"
        return [_shortened(v, items, text, f"{path}[]", notes) for v in value[:items]]
    if isinstance(value, str) and len(value) > text:
        notes[path] = f"the first {text} characters"
        return value[:text] + "…"
    return value


def _note(notes: dict[str, str], offered: OfferedTool | None) -> str:
    shown = "; ".join(f"{path}: {what}" for path, what in list(notes.items())[:5])
    fields = list(offered.operation.input.model_fields) if offered else []
    paging = [name for name in ("limit", "offset", "after", "cursor") if name in fields]
    narrower = [name for name in fields if name not in paging]
    if paging:
        ask = f"Page with {' and '.join(paging)}."
    else:
        ask = f"Narrow it with {', '.join(narrower)}." if narrower else ""
    return f"Cut to fit ({shown}). {ask}".strip()


def _says(outcome: CallOutcome) -> str:
    number = outcome.receipt.get("number")
    name = f"R{number}" if number else outcome.receipt.get("id", "")
    return f"{outcome.receipt.get('says', '')} (receipt {name})".strip()


def _undeclared(offered: OfferedTool, outcome: CallOutcome, problem: str) -> types.CallToolResult:
    log.error("%s answered outside its schema: %s", offered.operation.name, problem)
    told = {
        "code": "undeclared_result",
        "message": f"{_says(outcome)}. It was carried out, but its result is not as declared.",
        "hint": "Read the receipt; do not call it again.",
    }
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=f"{told['message']} {told['hint']}")],
        structuredContent={"error": told, "receipt": slim(outcome.receipt)},
        isError=True,
    )


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
