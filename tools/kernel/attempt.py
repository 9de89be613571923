"""A call on its way through the gate: what was asked, what was let in, what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.kernel.approvals import Approval
from tools.kernel.errors import OperationFailed
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Args, Call, Effect, Operation, Preview
from tools.kernel.receipts import Receipt, ReceiptStatus
from tools.kernel.secrets import masked

log = logging.getLogger("tools.kernel.gate")


@dataclass(slots=True)
class Attempt:
    """A call on its way through the gate: what was asked, and how far it came."""

    name: str
    arguments: Mapping[str, Any]
    context: RequestContext
    approval: str | None = None
    key: str | None = None
    allowed: bool = False
    acted: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that policy and catalogue let in."""

    operation: Operation[Any, Any]
    args: Args
    effect: Effect
    preview: Preview
    call: Call

    @property
    def arguments(self) -> dict[str, Any]:
        """The canonical arguments: what is hashed, stored and shown."""
        return masked(self.args)


def new_receipt(
    admitted: Admitted, grant: Approval | None, status: ReceiptStatus, seconds: float
) -> Receipt:
    """The receipt of an admitted call, before anything is read back."""
    context = admitted.call.context
    return Receipt(
        operation=admitted.operation.name,
        effect=admitted.effect.value,
        arguments=admitted.arguments,
        principal=context.principal.name,
        tenant=context.tenant,
        channel=context.channel.value,
        conversation=context.conversation,
        plan=context.plan,
        step=context.step,
        status=status,
        seconds=round(seconds, 3),
        approval=grant.id if grant else None,
        self_approved=grant.self_approved if grant else False,
    )


def unexpected(attempt: Attempt) -> OperationFailed:
    """For the caller: that it failed. What and where is for the log alone."""
    request = attempt.context.request_id
    log.exception("%s failed (request %s)", plain(attempt.name, 128), request)
    return OperationFailed(
        f"{plain(attempt.name, 128)} failed unexpectedly.",
        hint=f"The platform's log has the details under request {request}.",
    )


def plain(value: object, longest: int) -> str:
    """Foreign text, cut and without what cannot be stored."""
    return str(value)[:longest].encode(errors="replace").decode()
