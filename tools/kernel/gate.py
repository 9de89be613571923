"""The gate: the only caller of operations, from whichever door. It fails closed.

identity → policy → idempotency → input checked against the live catalogue → preview → approval
grant → budget → run → read-back → receipt and audit.

What lets an act happen (the grant's use, the audit record, a job's row) is one transaction, and so
is what proves it (receipt, audit record, the key's settling): a crash leaves both or neither.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from tools.kernel.approvals import Approval, call_digest
from tools.kernel.arguments import read_arguments
from tools.kernel.attempt import Admitted, Attempt, new_receipt, plain, unexpected
from tools.kernel.audit import Ledger
from tools.kernel.errors import (
    Cancelled,
    InvalidInput,
    NeedsApproval,
    OperationFailed,
    PilothouseError,
    Unauthenticated,
)
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Call, Effect, JobHandle, Operation, Preview
from tools.kernel.policy import authorise
from tools.kernel.proof import file_receipt, prove
from tools.kernel.receipts import Receipt
from tools.kernel.secrets import masked
from tools.kernel.telemetry import span

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
Observer = Callable[[str, str, float], None]
"""Told of every call that ended: the operation's name, `done` or the error's code, and seconds."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call gave: the live result (secrets readable), its receipt, and its job if any."""

    result: BaseModel
    receipt: Receipt
    job: int | None = None


class Gate:
    """Every call of every operation goes through `call`; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.observers: list[Observer] = []

    def preview(self, name: str, arguments: Mapping[str, Any], context: RequestContext) -> Preview:
        """What a call would do, and whether it could be done; changes nothing.

        Raises:
            PilothouseError: for whatever would stop the call before approval.
        """
        attempt = Attempt(name, arguments, context)
        try:
            return self._admit(attempt, self._known(attempt)).preview
        except PilothouseError:
            raise
        except Exception as error:
            raise unexpected(attempt) from error

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
        attempt = Attempt(name, arguments, context, approval, idempotency_key)
        began = time.perf_counter()
        try:
            outcome = self._once(attempt, self._known(attempt))
        except PilothouseError as error:
            self._refused(attempt, error)
            self._observed(attempt, error.code, began)
            raise
        except Exception as error:
            failure = unexpected(attempt)
            self._refused(attempt, failure)
            self._observed(attempt, failure.code, began)
            raise failure from error
        self._observed(attempt, "done", began)
        return outcome

    def read(self, name: str, arguments: Mapping[str, Any], context: RequestContext) -> BaseModel:
        """What a reading operation finds, for lists and pages that are shown again and again.

        Identity, policy, input and budget are checked as for a call; only refusals are audited,
        and no receipt is kept.

        Raises:
            InvalidInput: if the operation does more than read.
            PilothouseError: as `call` does.
        """
        attempt = Attempt(name, arguments, context)
        try:
            admitted = self._admit(attempt, self._known(attempt))
            if admitted.effect is not Effect.READ or admitted.operation.job:
                raise InvalidInput(f"{name} does more than read; it has to be called.")
            self._kernel.budget.check_money(attempt.context.principal, admitted.preview.cost)
            return admitted.operation.function(admitted.args, admitted.call)
        except PilothouseError as error:
            self._refused(attempt, error)
            raise
        except Exception as error:
            raise unexpected(attempt) from error

    def admit(self, name: str, context: RequestContext) -> RequestContext:
        """Let pass who may make calls of this operation, for what is read of the kernel itself.

        Returns:
            the context with the principal as it stands now.

        Raises:
            Unauthenticated, PolicyDenied: if the caller is unknown, or may not.
            NotFound: if there is no such operation.
        """
        attempt = Attempt(name, {}, context)
        try:
            self._known(attempt)
        except PilothouseError as error:
            self._refused(attempt, error)
            raise
        return attempt.context

    def _observed(self, attempt: Attempt, outcome: str, began: float) -> None:
        known = any(attempt.name == o.name for o in self._kernel.operations)
        for observer in self.observers:
            observer(attempt.name if known else UNKNOWN, outcome, time.perf_counter() - began)

    def _known(self, attempt: Attempt) -> Operation[Any, Any]:
        """The operation, if its caller is known and may make calls of its declared effect."""
        context = attempt.context
        if not context.principal.name or not context.principal.roles:
            raise Unauthenticated("Nobody is known behind this call.")
        current = self._kernel.principals.current(context.principal)
        attempt.context = replace(context, principal=current)
        given = cast("Any", attempt.arguments)
        if not isinstance(given, Mapping) or not all(
            isinstance(k, str) for k in cast("Any", given)
        ):
            attempt.arguments = {}
            raise InvalidInput(f"{plain(attempt.name, 128)}: arguments are given by name.")
        operation = self._kernel.operations.get(str(attempt.name))
        authorise(current, operation.name, operation.scope, channel=context.channel)
        return operation

    def _once(self, attempt: Attempt, operation: Operation[Any, Any]) -> Outcome:
        if attempt.key is None:
            return self._act(attempt, operation)
        context, idempotency = attempt.context, self._kernel.idempotency
        asked = call_digest(operation.name, dict(attempt.arguments), context)
        known = idempotency.claim(attempt.key, asked, context, repeatable=operation.idempotent)
        if known is not None:
            return self._replayed(operation, known, context)
        try:
            return self._act(attempt, operation)
        except BaseException:
            if not attempt.acted:
                self._release(attempt.key, context)
            raise

    def _replayed(
        self, operation: Operation[Any, Any], receipt_id: str, context: RequestContext
    ) -> Outcome:
        receipt = self._kernel.receipts.get(receipt_id, context.tenant)
        shape = JobHandle if receipt.status == "started" else operation.output
        return Outcome(shape.model_validate(receipt.result), receipt, receipt.job)

    def _release(self, key: str, context: RequestContext) -> None:
        try:
            self._kernel.idempotency.release(key, context)
        except PilothouseError:
            log.error("the idempotency key of a refused call could not be given back")

    def _act(self, attempt: Attempt, operation: Operation[Any, Any]) -> Outcome:
        admitted = self._admit(attempt, operation)
        grant = self._granted(admitted, attempt.approval)
        channel = attempt.context.channel.value
        with span(operation.name, effect=admitted.effect.value, channel=channel):
            if operation.job:
                return self._start(attempt, admitted, grant)
            return self._run(attempt, admitted, grant)

    def _admit(self, attempt: Attempt, operation: Operation[Any, Any]) -> Admitted:
        kernel, context = self._kernel, attempt.context
        args = read_arguments(operation, attempt.arguments, kernel.catalogue, context.tenant)
        call = Call(kernel, context, operation)
        normalise = operation.hooks.get("normalise")
        args = normalise(args, call) if normalise else args
        effect = operation.effect_for(args)
        authorise(context.principal, operation.name, f"{operation.domain}:{effect.value}")
        hook = operation.hooks.get("preview")
        preview = hook(args, call) if hook else Preview(summary=operation.summary)
        return Admitted(operation, args, effect, preview, call)

    def _granted(self, admitted: Admitted, approval: str | None) -> Approval | None:
        if admitted.effect is not Effect.DANGEROUS:
            return None
        name, arguments = admitted.operation.name, admitted.arguments
        preview, context = admitted.preview, admitted.call.context
        grant = self._kernel.approvals.find_grant(
            approval,
            name,
            arguments,
            context,
            second_person=preview.second_person,
            approvers=preview.approvers,
        )
        if grant is not None:
            return grant
        wanted = self._kernel.approvals.request(name, arguments, preview, context)
        raise NeedsApproval(
            f"{preview.summary} This needs an approval ({wanted.id}); nothing was done.",
            approval=wanted.model_dump(mode="json"),
            hint=f"Who may: {wanted.how}.",
        )

    def _allow(
        self, ledger: Ledger, attempt: Attempt, admitted: Admitted, grant: Approval | None
    ) -> None:
        """The last word before an act: money is left, the grant is used up, the audit knows."""
        kernel, context = self._kernel, admitted.call.context
        kernel.budget.check_money(context.principal, admitted.preview.cost, ledger.session)
        if grant is not None:
            kernel.approvals.consume(grant, ledger.session)
        if attempt.key is not None:
            kernel.idempotency.acting(attempt.key, context, ledger.session)
        ledger.append(
            context.tenant,
            {
                "event": "call.allowed",
                "operation": admitted.operation.name,
                "arguments": admitted.arguments,
                "principal": context.principal.name,
                "channel": context.channel.value,
                "request": context.request_id,
                "credential": context.credential,
                "approval": grant.id if grant else None,
            },
        )

    def _start(self, attempt: Attempt, admitted: Admitted, grant: Approval | None) -> Outcome:
        kernel, name, context = self._kernel, admitted.operation.name, admitted.call.context
        kernel.jobs.require_engine()
        receipt = new_receipt(admitted, grant, "started", 0.0)
        with kernel.audit.writing() as ledger:
            self._allow(ledger, attempt, admitted, grant)
            job = kernel.jobs.create(ledger.session, name, admitted.arguments, context, receipt.id)
            cost = admitted.preview.cost
            if cost:
                kernel.budget.reserve(ledger.session, context.principal, cost, f"job {job}")
            handle = JobHandle(job=job, operation=name)
            says = f"Job {job} started: {admitted.preview.summary}"
            told = {"job": job, "result": masked(handle), "says": says}
            stored = self._file(ledger, attempt, receipt.model_copy(update=told))
        attempt.allowed = attempt.acted = True
        kernel.catalogue.changed()
        kernel.jobs.enqueue(job)
        return Outcome(handle, stored, job)

    def _run(self, attempt: Attempt, admitted: Admitted, grant: Approval | None) -> Outcome:
        kernel, operation = self._kernel, admitted.operation
        if admitted.effect is Effect.READ:
            kernel.budget.check_money(attempt.context.principal, admitted.preview.cost)
        else:
            with kernel.audit.writing() as ledger:
                self._allow(ledger, attempt, admitted, grant)
            attempt.allowed = True
        began = time.perf_counter()
        try:
            result = operation.function(admitted.args, admitted.call)
            if not isinstance(result, operation.output):
                raise TypeError(f"{operation.name} answered {type(result).__name__}")
            attempt.acted = admitted.effect is not Effect.READ
            receipt = new_receipt(admitted, grant, "done", time.perf_counter() - began)
            proven = prove(operation, admitted.args, result, admitted.call, receipt)
            return Outcome(result, self._store(attempt, proven))
        finally:
            if admitted.effect is not Effect.READ:
                kernel.catalogue.changed()

    def _store(self, attempt: Attempt, receipt: Receipt) -> Receipt:
        try:
            with self._kernel.audit.writing() as ledger:
                return self._file(ledger, attempt, receipt)
        except PilothouseError as error:
            if not attempt.acted:
                raise
            raise OperationFailed(
                f"{receipt.operation} was done, but its receipt could not be kept: {error.message}",
                hint="See what stands now before asking for it again.",
            ) from error

    def _file(self, ledger: Ledger, attempt: Attempt, receipt: Receipt) -> Receipt:
        stored = file_receipt(self._kernel, ledger, receipt)
        if attempt.key is not None:
            self._kernel.idempotency.settle(attempt.key, stored.id, attempt.context, ledger.session)
        return stored

    def _refused(self, attempt: Attempt, error: PilothouseError) -> None:
        if isinstance(error, Cancelled):
            return
        body: dict[str, Any] = {
            "event": "call.failed" if attempt.allowed else "call.refused",
            "operation": plain(attempt.name, 128),
            "arguments": sorted(plain(key, 64) for key in attempt.arguments),
            "principal": attempt.context.principal.name,
            "channel": attempt.context.channel.value,
            "request": attempt.context.request_id,
            "error": error.code,
        }
        if isinstance(error, NeedsApproval):
            body["approval"] = error.approval.get("id")
        try:
            self._kernel.audit.append(attempt.context.tenant, body)
        except PilothouseError:
            log.error("a refusal (%s of %s) could not be audited", error.code, attempt.name)


__all__ = ["Gate", "Outcome"]
