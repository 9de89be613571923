"""A home with a history: jobs, receipts, approvals, an evaluation, rollouts and devices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tools.deployment.tables import RolloutRow, TargetRow
from tools.devices.tables import DeviceRow, GroupRow
from tools.evaluation.tables import EvaluationRow
from tools.kernel.kernel import Kernel
from tools.kernel.operations import Inverse
from tools.kernel.receipts import Receipt
from tools.kernel.storage import now
from tools.kernel.tables import ApprovalRow, JobRow
from tools.registry.service import RegistryService
from tools.registry.types import ModelList, ModelSummary, ModelVersionDetails

EVALUATION = {
    "accuracy": 0.8739,
    "accuracy_low": 0.8012,
    "accuracy_high": 0.9311,
    "baseline_majority": 0.1402,
    "baseline_untrained": 0.2288,
    "macro_f1": 0.8617,
    "ece": 0.0423,
    "p95_ms": 11.73,
    "rows": 97,
}


class OneModelRegistry:
    """Stands in for the registry: `ticket-router` v1 is champion, v2 challenger."""

    def list(self, tenant: str) -> ModelList:
        summary = ModelSummary(
            model="ticket-router",
            versions=2,
            latest=2,
            aliases={"champion": 1, "challenger": 2},
            updated=now(),
        )
        return ModelList(models=[summary])

    def describe(self, model: str, version: int | None, tenant: str) -> Any:
        versions = [
            ModelVersionDetails(
                model=model,
                version=number,
                aliases=[alias],
                job=number,
                run_id=f"run{number}",
                dataset="tickets@1",
                content_hash="c" * 64,
                created=now(),
            )
            for number, alias in ((2, "challenger"), (1, "champion"))
        ]
        return type("Description", (), {"versions": versions})()


def _jobs() -> list[JobRow]:
    made = now() - timedelta(hours=2)
    return [
        JobRow(
            operation=operation,
            arguments={},
            context={"principal": "owner"},
            status=status,
            metrics={},
            created=made,
            started=made,
            ended=made + timedelta(seconds=seconds) if seconds else None,
            result=result,
            error=error,
        )
        for operation, status, seconds, result, error in (
            (
                "training.start",
                "done",
                431.5,
                {
                    "run_id": "3f2a9c01aa",
                    "validation_accuracy": 0.8561,
                    "initial_loss": 2.0812,
                    "final_loss": 0.4417,
                    "seconds": 402.25,
                },
                None,
            ),
            ("training.start", "done", 120.0, {"run_id": "77aa"}, None),
            ("evaluation.run", "done", 33.0, {}, None),
            ("training.start", "failed", 61.0, None, {"message": "the disk is full"}),
            ("deployment.start", "running", None, None, None),
        )
    ]


def _receipts(kernel: Kernel) -> None:
    shared: dict[str, Any] = {
        "arguments": {},
        "principal": "owner",
        "tenant": "default",
        "channel": "cli",
    }
    inverse = Inverse(operation="registry.clear_alias", arguments={})
    for operation, effect, more in (
        ("training.start", "write", {"job": 1}),
        ("registry.promote", "write", {"undo": inverse}),
        ("deployment.start", "dangerous", {"self_approved": True}),
        ("knowledge.forget", "dangerous", {"principal": "sofia"}),
        ("registry.clear_alias", "write", {}),
    ):
        body = {"operation": operation, "effect": effect, "says": "done", **shared, **more}
        made = Receipt.model_validate(body)
        with kernel.database.session() as session:
            kernel.receipts.add(made, session)
    promoted = kernel.receipts.get("R2", "default")
    undoing = kernel.receipts.get("R5", "default")
    kernel.receipts.mark_undone(promoted.id, undoing.id)


def _rest() -> list[Any]:
    hour = timedelta(hours=1)
    approvals = [
        ApprovalRow(
            id=f"A{number}",
            operation="deployment.start",
            arguments={},
            digest=f"{number}",
            proposer="owner",
            channel="cli",
            preview={"summary": "Roll out."},
            status=status,
            expires=now() + hour,
        )
        for number, status in enumerate(("used", "denied", "pending"))
    ]
    evaluation = EvaluationRow(
        measured_by=3,
        model="ticket-router",
        version=1,
        training_job=1,
        run_id="3f2a9c01aa",
        dataset="tickets@1",
        split="test",
        accuracy=EVALUATION["accuracy"],
        body=EVALUATION,
    )
    rollouts = [
        RolloutRow(
            job=5 + number,
            group="thinkpads",
            model="ticket-router",
            version=1,
            strategy="canary",
            percent=34,
            state=state,
            reason=reason,
        )
        for number, (state, reason) in enumerate(
            (("rolled_back", "error rate over 5 {percent}"), ("canary", None))
        )
    ]
    devices = [
        DeviceRow(name=f"tp-{n}", group="thinkpads", profile="laptop", enrolled=now() - hour)
        for n in range(3)
    ]
    return [*approvals, evaluation, *rollouts, GroupRow(name="thinkpads"), *devices]


@pytest.fixture
def history(kernel: Kernel) -> Kernel:
    """The kernel, with a history written straight into its tables."""
    kernel._services[RegistryService] = OneModelRegistry()
    for row in [*_jobs(), *_rest()]:  # one by one: their numbers follow their order
        with kernel.database.session() as session:
            session.add(row)
    _receipts(kernel)
    with kernel.database.session() as session:
        session.add_all(
            TargetRow(rollout=1, device=f"tp-{n}", touched=n < 2, before=[]) for n in range(3)
        )
    return kernel
