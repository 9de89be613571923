"""`/api/v1/receipts` and `/api/v1/audit`: what was done, and that the record of it is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from tools.kernel.receipts import Receipt
from ui.api.door import Caller, TheDoor

router = APIRouter()


@router.get("/receipts")
def list_receipts(
    context: Caller,
    door: TheDoor,
    conversation: str | None = None,
    effects: str = "",
    limit: int = 20,
) -> list[Receipt]:
    """The newest receipts, newest first; `effects` is a comma-separated choice."""
    return door.kernel.receipts.list(
        context.tenant,
        conversation=conversation,
        effects=tuple(filter(None, effects.split(","))),
        limit=min(max(limit, 1), 1000),
    )


@router.get("/receipts/{reference}")
def show_receipt(reference: str, context: Caller, door: TheDoor) -> Receipt:
    """One receipt, by `R12`, `12` or its id."""
    return door.kernel.receipts.get(reference, context.tenant)


@router.get("/audit/verify")
def verify(context: Caller, door: TheDoor) -> dict[str, Any]:
    """Walk the whole chain: how many records, and the first thing that is wrong."""
    return asdict(door.kernel.audit.verify())


@router.get("/audit/tail")
def tail(context: Caller, door: TheDoor, limit: int = 20) -> list[dict[str, Any]]:
    """The newest records, oldest first."""
    limit = min(max(limit, 1), 1000)
    return [asdict(record) for record in door.kernel.audit.tail(context.tenant, limit)]
