"""What proves an act: the facts read back after it, its receipt, and the audit record of both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from tools.kernel.errors import PilothouseError
from tools.kernel.operations import Args, Call, Evidence, Inverse, Operation
from tools.kernel.receipts import Receipt
from tools.kernel.secrets import masked

if TYPE_CHECKING:
    from tools.kernel.audit import Ledger
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
T = TypeVar("T")


def prove(
    operation: Operation[Any, Any], args: Args, result: BaseModel, call: Call, receipt: Receipt
) -> Receipt:
    """The receipt with what the operation's hooks read back, say, and offer as undo.

    The act is done already, so a hook that fails cannot undo it: that nothing could be read back
    then stands as the evidence, for a person to see and for undo to refuse on.
    """
    read_back, inverse = operation.hooks.get("read_back"), operation.hooks.get("inverse")
    says = operation.hooks.get("says")
    unread: list[Evidence] = []
    evidence: list[Evidence] | None = None
    if read_back is not None:
        evidence = _tried(operation, "read_back", lambda: read_back(args, result, call), unread)
    undo: Inverse | None = None
    if inverse is not None:
        undo = _tried(operation, "inverse", lambda: inverse(args, result, call), unread)
    told: str | None = operation.summary
    if says is not None:
        told = _tried(operation, "says", lambda: says(args, result), unread)
    return receipt.model_copy(
        update={
            "result": masked(result),
            "evidence": [*(evidence or []), *unread],
            "undo": undo,
            "says": told or operation.summary,
        }
    )


def _tried(
    operation: Operation[Any, Any], hook: str, run: Callable[[], T], unread: list[Evidence]
) -> T | None:
    try:
        return run()
    except Exception as error:
        log.exception("the %s of %s failed after the act", hook, operation.name)
        why = str(error) if isinstance(error, PilothouseError) else type(error).__name__
        if hook != "says":
            fact = f"{hook.replace('_', '-')} after the act"
            unread.append(Evidence(fact=fact, value=f"failed: {why}", source="gate"))
        return None


def file_receipt(kernel: Kernel, ledger: Ledger, receipt: Receipt) -> Receipt:
    """Store a receipt and its audit record, both or neither; returns it with its number."""
    sequence = ledger.append(
        receipt.tenant,
        {
            "event": f"call.{receipt.status}",
            "receipt": receipt.id,
            "operation": receipt.operation,
            "arguments": receipt.arguments,
            "principal": receipt.principal,
            "channel": receipt.channel,
            "conversation": receipt.conversation,
            "approval": receipt.approval,
            "job": receipt.job,
            "evidence": [e.model_dump(mode="json") for e in receipt.evidence],
        },
    )
    return kernel.receipts.add(receipt.model_copy(update={"audit": sequence}), ledger.session)
