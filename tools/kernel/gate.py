"""The gate: the only caller of operations, from whichever door. It fails closed.

identity → policy → input checked against the live catalogue → approval grant → budget →
idempotency → run → read-back → receipt and audit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tools.kernel.approvals import Approval, call_digest
from tools.kernel.arguments import read_arguments
from tools.kernel.errors import (
    Cancelled,
    NeedsApproval,
    OperationFailed,
    PilothouseError,
    Unauthenticated,
)
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Args, Call, Effect, JobHandle, Operation, Preview
from tools.kernel.policy import authorise
from tools.kernel.receipts import Receipt, ReceiptStatus
from tools.kernel.secrets import masked
from tools.kernel.telemetry import span

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: the live result (secrets readable), its receipt, and its job if any."""

    result: BaseModel
    receipt: Receipt
    job: int | None = None


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


class Gate:
    """Every call of every operation goes through `call`; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def preview(self, name: str, arguments: Mapping[str, Any], context: RequestContext) -> Preview:
        """What a call would do, and whether it could be done; changes nothing.

        Raises:
            PilothouseError: for whatever would stop the call before approval.
        """
        return self._admit(name, arguments, context).preview

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
    ) -> Outcome:
        """Carry out one operation.

        Args:
            name: `domain.verb`.
            arguments: by name, as a caller wrote them.
            context: who asks, through which door.
            approval: an approval's id; a fitting grant is also found without it.
            idempotency_key: a second call with the same key gets the first one's receipt.

        Raises:
            NeedsApproval: a person has to approve first; nothing was done.
            PilothouseError: anything else that is expected; unexpected failures are logged and
                become `OperationFailed`.
        """
        try:
            admitted = self._admit(name, arguments, context)
            return self._once(admitted, approval, idempotency_key)
        except PilothouseError as error:
            self._refused(name, arguments, context, error)
            raise

    def _admit(self, name: str, arguments: Mapping[str, Any], context: RequestContext) -> Admitted:
        if not context.principal.name or not context.principal.roles:
            raise Unauthenticated("Nobody is known behind this call.")
        kernel = self._kernel
        operation = kernel.operations.get(name)
        authorise(context.principal, name, operation.scope)
        args = read_arguments(operation, arguments, kernel.catalogue, context.tenant)
        call = Call(kernel, context, operation)
        normalise = operation.hooks.get("normalise")
        args = normalise(args, call) if normalise else args
        effect = operation.effect_for(args)
        authorise(context.principal, name, f"{operation.domain}:{effect.value}")
        hook = operation.hooks.get("preview")
        preview = hook(args, call) if hook else Preview(summary=operation.summary)
        return Admitted(operation, args, effect, preview, call)

    def _once(
        self, admitted: Admitted, approval: str | None, idempotency_key: str | None
    ) -> Outcome:
        if idempotency_key is None:
            return self._approved(admitted, approval)
        context, idempotency = admitted.call.context, self._kernel.idempotency
        digest = call_digest(admitted.operation.name, admitted.arguments, context)
        known = idempotency.claim(idempotency_key, digest, context)
        if known is not None:
            return self._replayed(admitted, known)
        try:
            outcome = self._approved(admitted, approval)
        except BaseException:
            idempotency.release(idempotency_key, context)
            raise
        idempotency.settle(idempotency_key, outcome.receipt.id, context)
        return outcome

    def _replayed(self, admitted: Admitted, receipt_id: str) -> Outcome:
        receipt = self._kernel.receipts.get(receipt_id, admitted.call.tenant)
        shape = JobHandle if receipt.status == "started" else admitted.operation.output
        return Outcome(shape.model_validate(receipt.result), receipt, receipt.job)

    def _approved(self, admitted: Admitted, approval: str | None) -> Outcome:
        grant = self._granted(admitted, approval)
        self._kernel.budget.check_money(admitted.call.context.principal, admitted.preview.cost)
        if grant is not None:
            self._kernel.approvals.consume(grant)
        if admitted.effect is not Effect.READ:
            self._record(admitted, "allowed", approval=grant.id if grant else None)
        with span(
            admitted.operation.name,
            effect=admitted.effect.value,
            channel=admitted.call.context.channel.value,
        ):
            return (
                self._start(admitted, grant)
                if admitted.operation.job
                else self._run(admitted, grant)
            )

    def _granted(self, admitted: Admitted, approval: str | None) -> Approval | None:
        if admitted.effect is not Effect.DANGEROUS:
            return None
        name, arguments, context = (
            admitted.operation.name,
            admitted.arguments,
            admitted.call.context,
        )
        grant = self._kernel.approvals.find_grant(approval, name, arguments, context)
        if grant is not None:
            return grant
        wanted = self._kernel.approvals.request(name, arguments, admitted.preview, context)
        raise NeedsApproval(
            f"{admitted.preview.summary} This needs an approval ({wanted.id}); nothing was done.",
            approval=wanted.model_dump(mode="json"),
            hint=f"Who may: {wanted.how}.",
        )

    def _start(self, admitted: Admitted, grant: Approval | None) -> Outcome:
        receipt = self._new_receipt(admitted, grant, "started", 0.0)
        job = self._kernel.jobs.create(
            admitted.operation.name, admitted.arguments, admitted.call.context, receipt.id
        )
        handle = JobHandle(job=job, operation=admitted.operation.name)
        says = f"Job {job} started: {admitted.preview.summary}"
        receipt = receipt.model_copy(update={"job": job, "result": masked(handle), "says": says})
        stored = self._store(receipt)
        self._kernel.jobs.enqueue(job)
        return Outcome(handle, stored, job)

    def _run(self, admitted: Admitted, grant: Approval | None) -> Outcome:
        began = time.perf_counter()
        try:
            result = admitted.operation.function(admitted.args, admitted.call)
        except PilothouseError:
            raise
        except Exception as error:
            log.exception("%s failed", admitted.operation.name)
            raise OperationFailed(
                f"{admitted.operation.name} failed unexpectedly ({type(error).__name__}).",
                hint=f"The log has the details under request {admitted.call.context.request_id}.",
            ) from error
        seconds = time.perf_counter() - began
        receipt = self._new_receipt(admitted, grant, "done", seconds)
        stored = self._store(
            prove(admitted.operation, admitted.args, result, admitted.call, receipt)
        )
        if admitted.effect is not Effect.READ:
            self._kernel.catalogue.changed()
        return Outcome(result, stored, None)

    def _new_receipt(
        self, admitted: Admitted, grant: Approval | None, status: ReceiptStatus, seconds: float
    ) -> Receipt:
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

    def _store(self, receipt: Receipt) -> Receipt:
        sequence = self._kernel.audit.append(
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
                "evidence": [e.model_dump(mode="json") for e in receipt.evidence],
            },
        )
        return self._kernel.receipts.add(receipt.model_copy(update={"audit": sequence}))

    def store(self, receipt: Receipt) -> Receipt:
        """Write a receipt and its audit record; for the job engine, which completes jobs."""
        return self._store(receipt)

    def _record(self, admitted: Admitted, decision: str, **more: Any) -> None:
        context = admitted.call.context
        self._kernel.audit.append(
            context.tenant,
            {
                "event": f"call.{decision}",
                "operation": admitted.operation.name,
                "arguments": admitted.arguments,
                "principal": context.principal.name,
                "channel": context.channel.value,
                "request": context.request_id,
                **more,
            },
        )

    def _refused(
        self,
        name: str,
        arguments: Mapping[str, Any],
        context: RequestContext,
        error: PilothouseError,
    ) -> None:
        if isinstance(error, Cancelled):
            return
        body = {
            "event": "call.refused",
            "operation": name[:128],
            "arguments": sorted(str(key)[:64] for key in arguments),
            "principal": context.principal.name,
            "channel": context.channel.value,
            "request": context.request_id,
            "error": error.code,
        }
        try:
            self._kernel.audit.append(context.tenant, body)
        except PilothouseError:
            log.error("a refusal (%s of %s) could not be audited", error.code, name)


def prove(
    operation: Operation[Any, Any], args: Args, result: BaseModel, call: Call, receipt: Receipt
) -> Receipt:
    """The receipt with what the operation's hooks read back, say, and offer as undo."""
    read_back, inverse = operation.hooks.get("read_back"), operation.hooks.get("inverse")
    says = operation.hooks.get("says")
    return receipt.model_copy(
        update={
            "result": masked(result),
            "evidence": read_back(args, result, call) if read_back else [],
            "undo": inverse(args, result, call) if inverse else None,
            "says": says(args, result) if says else operation.summary,
        }
    )


__all__ = ["Gate", "Outcome", "prove"]
