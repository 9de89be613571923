"""The platform about itself, through the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.kernel.errors import Conflict, InvalidInput, NeedsApproval, NotFound, PolicyDenied
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.tables import JobRow
from tools.platform.account_types import UserAdded

Calling = Callable[..., Outcome]


def _result(outcome: Outcome) -> Any:
    return outcome.result


def _job(kernel: Kernel, status: str, operation: str = "training.start") -> int:
    row = JobRow(
        operation=operation,
        arguments={},
        context={"principal": "owner"},
        status=status,
        metrics={},
        error={"message": "out of memory"} if status == "failed" else None,
    )
    with kernel.database.session() as session:
        session.add(row)
    kernel.catalogue.changed()
    return row.id


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Something to ingest: an act with an inverse."""
    path = tmp_path / "leave.md"
    path.write_text("# Leave\n\nThere are 25 days of leave.\n")
    return path


def test_help_shows_every_domain_in_the_words_of_its_operations(
    kernel: Kernel, call: Calling
) -> None:
    result = _result(call("platform.help"))
    assert {t.domain for t in result.topics} == {o.domain for o in kernel.operations}
    for topic in result.topics:
        for entry in topic.entries:
            operation = kernel.operations.get(entry.operation)
            assert not operation.hidden
            assert set(entry.examples) <= set(operation.examples)


@pytest.mark.parametrize(
    ("topic", "operation"),
    [
        ("training", "training.start"),
        ("training.start", "training.start"),
        ("train a model", "training.start"),
        ("deployments", "deployment.start"),
        ("rolling back", "deployment.rollback"),
        ("undo", "platform.undo"),
        ("devices", "devices.list"),
        ("reports", "reporting.summary"),
        ("questions", "knowledge.ask"),
    ],
)
def test_help_on_a_topic(call: Calling, topic: str, operation: str) -> None:
    result = _result(call("platform.help", topic=topic))
    assert result.found
    assert operation in {e.operation for t in result.topics for e in t.entries}


def test_help_on_nothing_known_says_so_and_gives_the_overview(call: Calling) -> None:
    result = _result(call("platform.help", topic="basket weaving"))
    assert not result.found
    assert "basket weaving" in result.text
    assert len(result.topics) > 5


def test_whoami_tells_roles_and_what_they_allow(kernel: Kernel, call: Calling) -> None:
    owner = _result(call("platform.whoami"))
    assert owner.local and "platform:dangerous" in owner.scopes
    token = kernel.principals.add("vera", frozenset(_roles("viewer")))
    vera = RequestContext(kernel.principals.by_token(token))
    seen = _result(kernel.gate.call("platform.whoami", {}, vera))
    assert not seen.local
    assert {s.partition(":")[2] for s in seen.scopes} == {"read"}


@pytest.fixture
def manage(kernel: Kernel, context: RequestContext) -> Calling:
    """Call `platform.add_user` and its like as the owner, who approves it."""

    def run(operation: str, arguments: dict[str, Any]) -> Outcome:
        try:
            return kernel.gate.call(operation, arguments, context)
        except NeedsApproval as needed:
            approval = needed.approval
        kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
        return kernel.gate.call(operation, arguments, context, approval=approval["id"])

    return run


def _roles(*names: str) -> list[Any]:
    from tools.kernel.identity import Role

    return [Role(n) for n in names]


def test_approvals_are_listed_by_status(call: Calling, document: Path) -> None:
    call("knowledge.ingest", path=str(document))
    with pytest.raises(NeedsApproval):
        call("knowledge.forget", source="leave.md")
    pending = _result(call("platform.approvals", status="pending")).approvals
    assert [a.operation for a in pending] == ["knowledge.forget"]
    assert pending[0].arguments == {"source": "leave.md"}
    assert pending[0].id in pending[0].how
    assert _result(call("platform.approvals", status="denied")).approvals == []


def test_what_was_approved_is_listed_with_who_did_it_after_it_was_used_too(
    call: Calling, manage: Calling
) -> None:
    manage("platform.add_user", {"name": "sofia", "role": "operator"})
    outcome = call("platform.approvals", status="granted")
    (approved,) = _result(outcome).approvals
    assert (approved.status, approved.decided_by) == ("used", "owner")
    assert "by owner" in (outcome.receipt.says or "")


def test_audit_shows_what_was_done_and_verifies(call: Calling, document: Path) -> None:
    call("knowledge.ingest", path=str(document))
    view = _result(call("platform.audit", limit=10))
    assert view.intact is True and view.records >= len(view.entries)
    assert any(e.operation == "knowledge.ingest" for e in view.entries)
    assert _result(call("platform.audit", verify=False)).intact is None


def test_audit_and_receipts_show_what_one_user_did(
    kernel: Kernel, call: Calling, document: Path
) -> None:
    call("knowledge.ingest", path=str(document))
    token = kernel.principals.add("nadia", frozenset(_roles("viewer")))
    nadia = RequestContext(kernel.principals.by_token(token))
    kernel.gate.call("platform.whoami", {}, nadia)
    kernel.gate.call("platform.jobs", {}, nadia)

    told = call("platform.audit", user="nadia")
    assert [(e.principal, e.operation) for e in _result(told).entries] == [
        ("nadia", "platform.whoami"),
        ("nadia", "platform.jobs"),
    ]
    assert told.receipt.says.endswith("Shown: 2 of nadia.")
    with pytest.raises(NotFound, match="nadia"):
        call("platform.audit", user="nadi")
    found = _result(call("platform.receipts", user="nadia", reads=True)).receipts
    assert {r.operation for r in found} == {"platform.whoami", "platform.jobs"}
    assert _result(call("platform.receipts", user="nadia")).receipts == []
    with pytest.raises(NotFound, match="nadia"):
        call("platform.receipts", user="nadi")


def test_audit_finds_a_changed_record(kernel: Kernel, call: Calling) -> None:
    from sqlalchemy import text

    call("platform.whoami")
    call("platform.whoami")
    with kernel.database.session() as session:
        session.execute(text("UPDATE ph_audit SET body = '{}' WHERE sequence = 1"))
    outcome = call("platform.audit")
    assert _result(outcome).intact is False
    assert "NOT intact" in outcome.receipt.says


def test_undo_takes_back_the_newest_act_after_an_approval(
    kernel: Kernel, call: Calling, context: RequestContext, document: Path
) -> None:
    done = call("knowledge.ingest", path=str(document))
    with pytest.raises(NeedsApproval) as needed:
        call("platform.undo")
    approval = needed.value.approval
    assert approval["operation"] == "knowledge.forget"
    kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
    undone = call("platform.undo")
    assert _result(undone).receipt == done.receipt.name
    assert "leave.md" not in [s.name for s in _result(call("knowledge.sources")).sources]
    assert kernel.receipts.get(done.receipt.id, "default").undone_by is not None
    with pytest.raises(Conflict, match="undone already"):
        call("platform.undo", receipt=done.receipt.name)


def test_undo_refuses_when_the_world_has_moved_on(call: Calling, document: Path) -> None:
    first = call("knowledge.ingest", path=str(document))
    document.write_text("# Leave\n\nThere are 30 days of leave now.\n")
    call("knowledge.ingest", path=str(document))
    with pytest.raises(Conflict, match="moved on"):
        call("platform.undo", receipt=first.receipt.name)


def test_undo_of_nothing_is_said(call: Calling) -> None:
    with pytest.raises(NotFound):
        call("platform.undo")
    with pytest.raises(NotFound):
        call("platform.undo", receipt="R999")


def test_undo_is_previewed_without_doing_it(
    kernel: Kernel, call: Calling, context: RequestContext, document: Path
) -> None:
    done = call("knowledge.ingest", path=str(document))
    preview = kernel.gate.preview("platform.undo", {}, context)
    assert done.receipt.name in preview.summary and "leave.md" in preview.summary
    assert any("approval" in w for w in preview.warnings)
    assert "leave.md" in [s.name for s in _result(call("knowledge.sources")).sources]


def test_jobs_are_listed_with_their_errors(kernel: Kernel, call: Calling) -> None:
    _job(kernel, "done")
    failed = _job(kernel, "failed")
    listed = _result(call("platform.jobs", status="failed")).jobs
    assert [(j.job, j.error) for j in listed] == [(failed, "out of memory")]
    assert len(_result(call("platform.jobs")).jobs) == 2


def test_cancelling_names_the_job_or_asks_which(kernel: Kernel, call: Calling) -> None:
    with pytest.raises(NotFound):
        call("platform.cancel_job")
    ended = _job(kernel, "done")
    with pytest.raises(Conflict, match="done already"):
        call("platform.cancel_job", job=ended)
    _job(kernel, "running")
    _job(kernel, "queued")
    with pytest.raises(Conflict, match="2 jobs are open"):
        call("platform.cancel_job")
    with pytest.raises(NotFound):
        call("platform.cancel_job", job=99)


def test_receipts_are_listed_and_say_what_can_be_undone(call: Calling, document: Path) -> None:
    call("knowledge.ingest", path=str(document))
    call("platform.whoami")
    acts = _result(call("platform.receipts")).receipts
    assert [(r.operation, r.undoable) for r in acts] == [("knowledge.ingest", True)]
    everything = _result(call("platform.receipts", reads=True)).receipts
    assert "platform.whoami" in {r.operation for r in everything}
    only = _result(call("platform.receipts", operation="platform.whoami")).receipts
    assert {r.operation for r in only} == {"platform.whoami"}


def test_a_user_is_added_with_approval_and_the_token_shown_once(
    kernel: Kernel, call: Calling, context: RequestContext, manage: Calling
) -> None:
    sofia = {"name": "sofia", "role": "operator"}
    with pytest.raises(NeedsApproval):
        kernel.gate.call("platform.add_user", sofia, context)
    outcome = manage("platform.add_user", sofia)
    assert isinstance(outcome.result, UserAdded)
    token = outcome.result.token.get_secret_value()
    assert kernel.principals.by_token(token).name == "sofia"
    stored = kernel.receipts.get(outcome.receipt.id, "default")
    assert token not in stored.model_dump_json()
    assert token not in str([r.body for r in kernel.audit.tail("default", 100)])
    assert {u.name: u.roles for u in _result(call("platform.users")).users}["sofia"] == [
        "operator",
        "viewer",
    ]


def test_adding_a_user_is_undone_by_removing_it(call: Calling, manage: Calling) -> None:
    outcome = manage("platform.add_user", {"name": "sofia", "role": "viewer"})
    assert outcome.receipt.undo is not None
    removed = manage(outcome.receipt.undo.operation, outcome.receipt.undo.arguments)
    assert removed.receipt.evidence[0].value == "none"
    assert [u.name for u in _result(call("platform.users")).users] == ["owner"]


def test_wrong_users_are_refused(manage: Calling) -> None:
    manage("platform.add_user", {"name": "sofia", "role": "viewer"})
    with pytest.raises(Conflict):
        manage("platform.add_user", {"name": "sofia", "role": "admin"})
    with pytest.raises(InvalidInput):
        manage("platform.add_user", {"name": "no spaces please", "role": "viewer"})
    with pytest.raises(InvalidInput):
        manage("platform.add_user", {"name": "tom", "role": "king"})
    with pytest.raises(Conflict, match="owner"):
        manage("platform.remove_user", {"name": "owner"})
    with pytest.raises(NotFound) as caught:
        manage("platform.remove_user", {"name": "sofa"})
    assert "sofia" in caught.value.suggestions


def test_tokens_of_nobody_are_refused_with_the_nearest_name(manage: Calling) -> None:
    manage("platform.add_user", {"name": "anna", "role": "operator"})
    assert _result(manage("platform.tokens", {"user": "anna"})).tokens
    with pytest.raises(NotFound, match="annna") as refused:
        manage("platform.tokens", {"user": "annna"})
    assert "anna" in refused.value.suggestions


def test_operators_may_not_manage_users(kernel: Kernel) -> None:
    token = kernel.principals.add("otto", frozenset(_roles("viewer", "operator")))
    otto = RequestContext(kernel.principals.by_token(token))
    with pytest.raises(PolicyDenied):
        kernel.gate.call("platform.add_user", {"name": "x", "role": "admin"}, otto)
    with pytest.raises(PolicyDenied):
        kernel.gate.call("platform.users", {}, otto)


def test_names_of_jobs_receipts_approvals_and_users_are_in_the_catalogue(
    kernel: Kernel, call: Calling, document: Path
) -> None:
    from tools.kernel.entities import EntityKind

    job = _job(kernel, "done")
    receipt = call("knowledge.ingest", path=str(document)).receipt
    with pytest.raises(NeedsApproval) as needed:
        call("knowledge.forget", source="leave.md")
    kernel.catalogue.changed()
    resolve = kernel.catalogue.resolve
    assert resolve(EntityKind.JOB, f"job {job}", "default") == str(job)
    assert resolve(EntityKind.RECEIPT, str(receipt.number), "default") == receipt.name
    wanted = needed.value.approval["id"]
    assert resolve(EntityKind.APPROVAL, wanted, "default") == wanted
    assert resolve(EntityKind.USER, "Owner", "default") == "owner"


def test_jobs_and_receipts_are_listed_by_how_they_ended_and_by_time(
    kernel: Kernel, call: Calling, document: Path
) -> None:
    call("knowledge.ingest", path=str(document))
    (today,) = _result(call("platform.receipts", period="today", status="done")).receipts
    assert today.operation == "knowledge.ingest"
    assert _result(call("platform.receipts", status="failed")).receipts == []
    assert _result(call("platform.receipts", period="yesterday")).receipts == []
    assert _result(call("platform.jobs", period="yesterday")).jobs == []
    assert _result(call("platform.audit", period="yesterday")).entries == []
    assert _result(call("platform.audit", period="today")).entries
    assert call("platform.receipts", status="failed").receipt.says == "There is no such receipt."


def test_a_period_that_nobody_understands_is_refused(call: Calling) -> None:
    with pytest.raises(InvalidInput):
        call("platform.jobs", period="the other day")
