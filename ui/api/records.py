"""`/api/v1/receipts` and `/api/v1/audit`: what was done, and that the record of it is whole."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from tools.kernel.audit import AuditRecord, AuditVerdict
from tools.kernel.receipts import Receipt
from ui.api.door import PREFIX, Caller, TheDoor
from ui.api.paging import BIGGEST, PAGED, Page

router = APIRouter(prefix=PREFIX)
Reference = Annotated[str, Path(max_length=64)]


@router.get("/receipts", tags=["receipts"], responses=PAGED)
def list_receipts(
    context: Caller,
    door: TheDoor,
    page: Page,
    conversation: Annotated[str | None, Query(max_length=64)] = None,
    operation: Annotated[str | None, Query(max_length=128)] = None,
    principal: Annotated[str | None, Query(max_length=128)] = None,
    job: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
    effects: Annotated[
        str, Query(max_length=64, description="Comma-separated: read, write, dangerous.")
    ] = "",
) -> list[Receipt]:
    """Receipts, newest first."""
    tenant = door.kernel.gate.admit("platform.receipts", context).tenant
    found = door.kernel.receipts.list(
        tenant,
        conversation=conversation,
        operation=operation,
        principal=principal,
        job=job,
        effects=tuple(filter(None, effects.split(","))),
        before=page.after,
        limit=page.limit + 1,
    )
    return page.numbered(found, lambda r: r.number)


@router.get("/receipts/{reference}", tags=["receipts"])
def show_receipt(reference: Reference, context: Caller, door: TheDoor) -> Receipt:
    """One receipt, by `R12`, `12` or its id."""
    tenant = door.kernel.gate.admit("platform.receipts", context).tenant
    return door.kernel.receipts.get(reference, tenant)


@router.get("/audit", tags=["audit"], responses=PAGED)
def list_audit(context: Caller, door: TheDoor, page: Page) -> list[AuditRecord]:
    """Audit records, newest first."""
    tenant = door.kernel.gate.admit("platform.audit", context).tenant
    found = door.kernel.audit.tail(tenant, page.limit + 1, before=page.after)
    return page.numbered(list(reversed(found)), lambda r: r.sequence)


@router.get("/audit/verify", tags=["audit"])
def verify(context: Caller, door: TheDoor) -> AuditVerdict:
    """Walk the whole chain: how many records, and the first thing that is wrong."""
    door.kernel.gate.admit("platform.audit", context)
    return door.kernel.audit.verify()
