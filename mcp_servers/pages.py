"""The rest of a long answer: a reading tool is called again, with the cursor that the answer gave.

Reading twice does no harm, so the call is simply made again and the list goes on where it was cut.
The cursor holds for the same arguments only.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, get_origin

from mcp_servers import paging
from tools.kernel.errors import InvalidInput
from tools.kernel.operations import Effect, Operation

if TYPE_CHECKING:
    from mcp_servers.schemas import OfferedTool

CURSOR, NEXT = "cursor", "next"
ARGUMENT: dict[str, Any] = {
    "type": "string",
    "description": "Where a cut answer to the same arguments goes on: its `next`.",
}


def paged_field(operation: Operation[Any, Any]) -> str | None:
    """The list in a reading operation's result that can be read on; None if there is none."""
    if (
        operation.effect is not Effect.READ
        or operation.job
        or CURSOR in operation.input.model_fields
    ):
        return None
    fields = operation.output.model_fields.items()
    return next((name for name, field in fields if get_origin(field.annotation) is list), None)


def begin(offer: OfferedTool, arguments: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The operation's own arguments, and how many entries were read before.

    Raises:
        InvalidInput: if the cursor is none of ours, or of other arguments.
    """
    if offer.paged is None or CURSOR not in arguments:
        return arguments, 0
    own = {name: value for name, value in arguments.items() if name != CURSOR}
    before, of = paging.read(str(arguments[CURSOR]))
    if of != _mark(offer, own):
        raise InvalidInput("The cursor belongs to other arguments.", hint="Begin without it.")
    return own, before


def go_on(offer: OfferedTool, result: dict[str, Any], before: int) -> dict[str, Any]:
    """The result without the entries that were read before."""
    if not before or offer.paged is None:
        return result
    return {**result, offer.paged: result[offer.paged][before:]}


def rest(
    offer: OfferedTool,
    arguments: dict[str, Any],
    whole: dict[str, Any],
    shown: dict[str, Any],
    before: int,
) -> str | None:
    """The cursor of what was cut from a result; None if the list was shown to its end."""
    if offer.paged is None or len(shown[offer.paged]) == len(whole[offer.paged]):
        return None
    return paging.write(before + len(shown[offer.paged]), _mark(offer, arguments))


def _mark(offer: OfferedTool, arguments: dict[str, Any]) -> str:
    told = json.dumps([offer.operation.name, arguments], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
