"""Undo: only when the world still is as the receipt left it, and through the gate like any act."""

from __future__ import annotations

import threading

from tools.kernel.canonical import canonical
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.operations import Call, Evidence, Inverse
from tools.kernel.receipts import Receipt

_one_at_a_time = threading.RLock()  # two people who undo the same thing must not both act


def last_undoable(kernel: Kernel, context: RequestContext) -> Receipt:
    """The newest act that can be undone: of this conversation, else of this principal.

    Raises:
        NotFound: if there is none.
    """
    acts = ("write", "dangerous")
    of_conversation = {"conversation": context.conversation}
    of_principal = {"principal": context.principal.name}
    for scope in (of_conversation, of_principal) if context.conversation else (of_principal,):
        found = kernel.receipts.list(
            context.tenant,
            conversation=scope.get("conversation"),
            principal=scope.get("principal"),
            effects=acts,
        )
        for receipt in found:
            if receipt.undo is not None and receipt.undone_by is None:
                return receipt
    raise NotFound("There is nothing to undo.", hint="`pilothouse receipts` lists what was done.")


def check_undoable(kernel: Kernel, receipt: Receipt, context: RequestContext) -> Inverse:
    """Compare what the receipt's evidence says with what is there now; returns the inverse.

    Raises:
        Conflict: if it has no inverse, was undone already, or the world has moved on: says what.
    """
    if receipt.undone_by is not None:
        by = kernel.receipts.get(receipt.undone_by, context.tenant)
        raise Conflict(f"{receipt.name} was undone already, by {by.name}.")
    if receipt.undo is None:
        raise Conflict(f"{receipt.name} ({receipt.operation}) cannot be undone: it has no inverse.")
    moved = _moved(receipt.evidence, _read_again(kernel, receipt, context))
    if moved:
        raise Conflict(
            f"{receipt.name} is not undone, because the world has moved on since: "
            + "; ".join(moved)
            + ".",
            hint="Decide anew on what stands now.",
        )
    return receipt.undo


def undo(kernel: Kernel, receipt: Receipt, context: RequestContext) -> Outcome:
    """Carry out the receipt's inverse through the gate, which asks for approval if it is dangerous.

    Raises:
        Conflict: see `check_undoable`.
        NeedsApproval: if the inverse is dangerous and nobody has granted it yet.
    """
    with _one_at_a_time:
        receipt = kernel.receipts.get(receipt.id, context.tenant)
        inverse = check_undoable(kernel, receipt, context)
        outcome = kernel.gate.call(inverse.operation, inverse.arguments, context)
        kernel.receipts.mark_undone(receipt.id, outcome.receipt.id)
    return outcome


def _read_again(kernel: Kernel, receipt: Receipt, context: RequestContext) -> list[Evidence]:
    operation = kernel.operations.get(receipt.operation)
    hook = operation.hooks.get("read_back")
    if hook is None:
        return []
    args = operation.input.model_validate(receipt.arguments)
    result = operation.output.model_validate(receipt.result)
    try:
        return hook(args, result, Call(kernel, context, operation))
    except NotFound as error:
        return [Evidence(fact="what it acted on", value=str(error), source="catalogue")]


def _moved(before: list[Evidence], after: list[Evidence]) -> list[str]:
    found = {e.fact: e.value for e in after}
    return [
        f"{e.fact} was {e.value!r} and is {found.get(e.fact, 'gone')!r}"
        for e in before
        if e.guard and canonical(found.get(e.fact, "gone")) != canonical(e.value)
    ]
