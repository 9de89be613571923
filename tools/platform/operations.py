"""The operations on the platform itself; those on its users are in `user_operations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation
from tools.platform.token_operations import create_token, revoke_token, tokens
from tools.platform.types import (
    ApprovalList,
    ApprovalsArgs,
    AuditArgs,
    AuditView,
    CancelJobArgs,
    HelpArgs,
    HelpText,
    Identity,
    JobCancelled,
    JobList,
    JobsArgs,
    NoArgs,
    ReceiptList,
    ReceiptsArgs,
    UndoArgs,
    UndoResult,
)
from tools.platform.user_operations import (
    add_user,
    remove_tenant_user,
    remove_user,
    reset_password,
    set_role,
    unlock_user,
    users,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.platform.accounts import Accounts
    from tools.platform.service import PlatformService


__all__ = [
    "add_user",
    "approvals",
    "audit",
    "cancel_job",
    "create_token",
    "help_",
    "jobs",
    "receipts",
    "remove_tenant_user",
    "remove_user",
    "reset_password",
    "revoke_token",
    "set_role",
    "tokens",
    "undo",
    "unlock_user",
    "users",
    "whoami",
]


def _service(kernel: Kernel) -> PlatformService:
    from tools.platform.service import PlatformService

    return kernel.get(PlatformService)


def _accounts(kernel: Kernel) -> Accounts:
    from tools.platform.accounts import Accounts

    return kernel.get(Accounts)


@entity_source(EntityKind.JOB)
def job_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every job by its number."""
    return _service(kernel).job_names(tenant)


@entity_source(EntityKind.RECEIPT)
def receipt_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every receipt as `R12`, and also by its bare number and its id."""
    return _service(kernel).receipt_names(tenant)


@entity_source(EntityKind.APPROVAL)
def approval_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every approval by its id."""
    return _service(kernel).approval_names(tenant)


@entity_source(EntityKind.USER)
def user_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every user by name."""
    return _accounts(kernel).user_names(tenant)


@operation(
    "platform.help",
    effect=Effect.READ,
    examples=(
        "help",
        "what can you do?",
        "what can I say here",
        "how do I train a model?",
        "show me some examples",
        "help with deployments",
        "which commands are there?",
        "how does rolling out work in pilothouse",
        "I'm new here, where do I start?",
        "what can I ask about devices",
        "help on training.start",
        "list your capabilities",
        "how do I undo something?",
    ),
)
def help_(args: HelpArgs, call: Call) -> HelpText:
    """Say what can be asked for, by domain, with example sentences."""
    return _service(call.kernel).help(args.topic)


@help_.says
def _(args: HelpArgs, result: HelpText) -> str:
    return result.text


@operation(
    "platform.whoami",
    effect=Effect.READ,
    examples=(
        "who am I?",
        "whoami",
        "which roles do I have",
        "what am I allowed to do?",
        "am I an approver?",
        "show my permissions",
        "as whom am I logged in",
        "which user is this",
        "can I approve rollouts?",
        "what are my rights here",
    ),
)
def whoami(args: NoArgs, call: Call) -> Identity:
    """Say who is asking, with which roles, and what these allow."""
    return _service(call.kernel).whoami(call.context)


@whoami.says
def _(args: NoArgs, result: Identity) -> str:
    return f"You are {result.name} with the roles {', '.join(result.roles)}."


@operation(
    "platform.approvals",
    effect=Effect.READ,
    examples=(
        "which approvals are pending?",
        "show approvals",
        "is anything waiting for my decision?",
        "what needs approving",
        "list denied approvals",
        "did anyone approve the rollout yet",
        "show me the approvals that expired",
        "what approvals were granted",
        "who approved what lately?",
        "open approval requests please",
        "is there something I have to sign off?",
    ),
)
def approvals(args: ApprovalsArgs, call: Call) -> ApprovalList:
    """List approvals with what they are for, who asked and who decided."""
    return _service(call.kernel).approvals(call.tenant, args.status, args.limit)


@approvals.says
def _(args: ApprovalsArgs, result: ApprovalList) -> str:
    if not result.approvals:
        return f"There is no {args.status + ' ' if args.status else ''}approval."
    told = "; ".join(
        f"{a.id[:8]} {a.summary} ({a.status}{f', by {a.decided_by}' if a.decided_by else ''})"
        for a in result.approvals[:5]
    )
    return f"{len(result.approvals)} approval(s): {told}"


@operation(
    "platform.audit",
    effect=Effect.READ,
    examples=(
        "show the audit log",
        "what happened in the last hour according to the audit?",
        "is the audit chain intact?",
        "verify the audit",
        "who did what recently",
        "audit trail please, last 50 entries",
        "has anyone tampered with the log?",
        "check the integrity of the audit records",
        "list the latest audit records",
        "show me the last five things in the audit trail",
        "who changed something today",
    ),
)
def audit(args: AuditArgs, call: Call) -> AuditView:
    """Show the newest audit records and verify that none was altered or removed."""
    return _service(call.kernel).audit(call.tenant, args)


@audit.says
def _(args: AuditArgs, result: AuditView) -> str:
    whose = f" of {args.user}" if args.user else ""
    if not result.verified:
        return f"The newest {len(result.entries)} audit records{whose}."
    if not result.intact:
        return f"The audit is NOT intact: {result.problem}."
    shown = f" Shown: {len(result.entries)}{whose}." if whose else ""
    return f"The audit is intact: {result.records} records verified.{shown}"


@operation(
    "platform.undo",
    effect=Effect.WRITE,
    examples=(
        "undo that",
        "undo R12",
        "take back the last thing you did",
        "undo receipt 7",
        "revert the promotion",
        "please undo what you just did",
        "reverse R31",
        "that was a mistake, take it back",
        "undo the last change",
        "cancel out receipt R5",
        "oops, undo",
    ),
)
def undo(args: UndoArgs, call: Call) -> UndoResult:
    """Undo an act by its receipt, if the world still is as the act left it.

    Undoing is a call of its own with a receipt of its own, and needs an approval where it is
    dangerous.

    Raises:
        Conflict: what the receipt's evidence names has changed since; the message says what.
        NotFound: there is no such receipt, or nothing that can be undone.
    """
    return _service(call.kernel).undo(args.receipt, call.context)


@undo.normalise
def _(args: UndoArgs, call: Call) -> UndoArgs:
    return UndoArgs(receipt=_service(call.kernel).receipt_to_undo(args.receipt, call.context))


@undo.preview
def _(args: UndoArgs, call: Call) -> Preview:
    return _service(call.kernel).preview_undo(args.receipt, call.context)


@undo.read_back
def _(args: UndoArgs, result: UndoResult, call: Call) -> list[Evidence]:
    return _service(call.kernel).undo_evidence(result, call.tenant)


@undo.says
def _(args: UndoArgs, result: UndoResult) -> str:
    return f"Undid {result.receipt}: {result.says}"


@operation(
    "platform.jobs",
    effect=Effect.READ,
    examples=(
        "list jobs",
        "what is running right now?",
        "which jobs failed",
        "show me the job queue",
        "is anything still in progress?",
        "jobs?",
        "are my jobs done yet",
        "show finished jobs",
        "what are you working on?",
        "which background tasks are there",
        "show cancelled jobs",
    ),
)
def jobs(args: JobsArgs, call: Call) -> JobList:
    """List jobs with status and progress, newest first."""
    return _service(call.kernel).jobs(call.tenant, args)


@jobs.says
def _(args: JobsArgs, result: JobList) -> str:
    if not result.jobs:
        when = f" of {args.period}" if args.period else ""
        return f"There is no {args.status + ' ' if args.status else ''}job{when}."
    told = "; ".join(f"job {j.job} {j.operation} {j.status}" for j in result.jobs[:5])
    return f"{len(result.jobs)} job(s): {told}."


@operation(
    "platform.cancel_job",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "cancel job 7",
        "stop the running job",
        "kill job 12",
        "abort the current job",
        "please stop job number 3",
        "cancel what is running",
        "halt job 21 now",
        "I don't need job 9 any more, stop it",
        "terminate the job that is in progress",
        "abort job 15",
    ),
)
def cancel_job(args: CancelJobArgs, call: Call) -> JobCancelled:
    """Stop a job that is queued or runs; what it had finished stays.

    Raises:
        Conflict: the job has ended already, or it is not clear which one is meant.
    """
    return _service(call.kernel).cancel_job(call.tenant, args.job)


@cancel_job.normalise
def _(args: CancelJobArgs, call: Call) -> CancelJobArgs:
    return CancelJobArgs(job=_service(call.kernel).job_to_cancel(call.tenant, args.job))


@cancel_job.preview
def _(args: CancelJobArgs, call: Call) -> Preview:
    return _service(call.kernel).preview_cancel(call.tenant, args.job)


@cancel_job.read_back
def _(args: CancelJobArgs, result: JobCancelled, call: Call) -> list[Evidence]:
    return _service(call.kernel).job_evidence(call.tenant, result.job)


@cancel_job.says
def _(args: CancelJobArgs, result: JobCancelled) -> str:
    return f"Job {result.job} ({result.operation}) is {result.status}; {result.done}."


@operation(
    "platform.receipts",
    effect=Effect.READ,
    examples=(
        "show my receipts",
        "list receipts",
        "what did you do today?",
        "what have you done so far",
        "show the receipts of trainings",
        "which receipts can be undone?",
        "give me proof of what was done",
        "the last ten receipts please",
        "receipt history",
        "show everything that was carried out lately",
    ),
)
def receipts(args: ReceiptsArgs, call: Call) -> ReceiptList:
    """List receipts, newest first: what was done, by whom, and whether it can be undone."""
    return _service(call.kernel).receipts(call.tenant, args)


@receipts.says
def _(args: ReceiptsArgs, result: ReceiptList) -> str:
    if not result.receipts:
        kept = any((args.status, args.period, args.operation, args.user))
        return "There is no such receipt." if kept else "There is no receipt yet."
    told = "; ".join(f"{r.number} {r.operation} {r.status}" for r in result.receipts[:5])
    return f"{len(result.receipts)} receipt(s): {told}."
