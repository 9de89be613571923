"""What the platform's own operations take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.kernel.periods import Period

ApprovalStatus = Literal["pending", "granted", "used", "denied", "revoked", "expired"]
ReceiptStatus = Literal["done", "started", "failed", "cancelled"]
JobStatus = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Whose = Annotated[
    str | None,
    Slot(EntityKind.USER, "Of which user?", closed=False),  # those removed since, too
    Field(description="Only what this user did; everybody's when left out.", max_length=128),
]
Limit = Annotated[int, Field(ge=1, le=500, description="At most this many, newest first.")]


class HelpArgs(Args):
    """What help is wanted on."""

    topic: Annotated[str | None, Slot(None, "What do you want help with?")] = Field(
        None,
        description="A domain (`training`), an operation (`training.start`) or words; an overview "
        "of everything when left out.",
        max_length=200,
    )


class NoArgs(Args):
    """No arguments."""


class ApprovalsArgs(Args):
    """Which approvals to list."""

    status: Annotated[ApprovalStatus | None, Slot(None, "With which status?")] = Field(
        None, description="Only approvals with this status; all when left out."
    )
    limit: Limit = 50


class AuditArgs(Args):
    """How much of the audit to show."""

    user: Whose = None
    period: Period = None
    limit: Limit = 20
    verify: bool = Field(True, description="Also walk the whole chain and say if it is intact.")


class UndoArgs(Args):
    """What to undo."""

    receipt: Annotated[str | None, Slot(EntityKind.RECEIPT, "Which receipt should I undo?")] = (
        Field(
            None,
            description="The receipt's number (`R12`) or id; your newest act that can be undone "
            "when left out.",
            max_length=64,
        )
    )


class JobsArgs(Args):
    """Which jobs to list."""

    status: Annotated[JobStatus | None, Slot(None, "With which status?")] = Field(
        None, description="Only jobs with this status; all when left out."
    )
    period: Period = None
    limit: Limit = 20


class CancelJobArgs(Args):
    """Which job to stop."""

    job: Annotated[int | None, Slot(EntityKind.JOB, "Which job should I cancel?")] = Field(
        None, ge=1, description="The job's number; the one that runs when not given."
    )


class ReceiptsArgs(Args):
    """Which receipts to list."""

    operation: str | None = Field(
        None, description="Only of this operation, such as `training.start`.", max_length=128
    )
    status: ReceiptStatus | None = Field(
        None, description="Only receipts of what ended so; all when left out."
    )
    user: Whose = None
    period: Period = None
    reads: bool = Field(False, description="Also those of calls that only read.")
    limit: Limit = 20


class HelpEntry(Result):
    """One thing that can be asked for."""

    operation: str
    effect: str
    summary: str
    examples: list[str]
    arguments: list[str] = Field(default_factory=list)


class HelpTopic(Result):
    """What can be asked for in one domain."""

    domain: str
    entries: list[HelpEntry]


class HelpText(Result):
    """What can be said.

    Attributes:
        topic: what help was asked on; None for the overview.
        found: False if nothing fits the topic; the overview is given then.
        topics: by domain.
        text: the same as text, for a person.
    """

    topic: str | None
    found: bool
    topics: list[HelpTopic]
    text: str


class Identity(Result):
    """Who is asking, and what that allows.

    Attributes:
        scopes: what the roles grant, such as `training:write`.
        local: True for the owner, who has the home folder.
    """

    name: str
    tenant: str
    roles: list[str]
    scopes: list[str]
    channel: str
    local: bool


class ApprovalInfo(Result):
    """One approval."""

    id: str
    operation: str
    summary: str
    arguments: dict[str, JsonValue]
    status: str
    proposer: str
    second_person: bool
    how: str
    created: datetime
    expires: datetime
    decided_by: str | None = None
    self_approved: bool = False
    reason: str | None = None


class ApprovalList(Result):
    """Approvals, newest first."""

    approvals: list[ApprovalInfo]


class AuditEntry(Result):
    """One record of the audit."""

    sequence: int
    at: str
    event: str
    operation: str | None = None
    principal: str | None = None
    detail: str = ""
    hash: str


class AuditView(Result):
    """The newest records of the audit, oldest first, and whether the chain holds.

    Attributes:
        verified: True if the chain was walked.
        intact: True if it holds; None if it was not walked.
        problem: the first thing that is wrong with it.
        records: how many records were verified.
    """

    entries: list[AuditEntry]
    verified: bool
    intact: bool | None = None
    problem: str | None = None
    records: int | None = None


class UndoResult(Result):
    """What was undone.

    Attributes:
        receipt: the receipt whose act was undone.
        operation: the call that undid it.
        by: the receipt of that call.
        says: what it did.
    """

    receipt: str
    operation: str
    by: str
    says: str
    job: int | None = None


class JobInfo(Result):
    """One job."""

    job: int
    operation: str
    status: str
    progress: float
    message: str
    principal: str | None = None
    error: str | None = None
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None


class JobList(Result):
    """Jobs, newest first."""

    jobs: list[JobInfo]


class JobCancelled(Result):
    """What was stopped.

    Attributes:
        before: the job's status before.
        status: its status now.
        done: how far it had come.
    """

    job: int
    operation: str
    before: str
    status: str
    done: str


class ReceiptInfo(Result):
    """One receipt."""

    number: str
    id: str
    operation: str
    effect: str
    status: str
    principal: str
    says: str
    evidence: int
    undoable: bool
    job: int | None = None
    created: datetime


class ReceiptList(Result):
    """Receipts, newest first."""

    receipts: list[ReceiptInfo]
