"""Registering, promoting, archiving and undoing, as every door does it: through the gate."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from tests.registry.trained import LABELS, add_training, add_tuning, classifier_folder
from tools.kernel.entities import EntityKind
from tools.kernel.errors import Conflict, InvalidInput, NeedsApproval, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.receipts import Receipt
from tools.kernel.undo import undo
from tools.registry import usage
from tools.registry.service import RegistryService

Calls = Callable[..., Outcome]


@pytest.fixture
def two_versions(kernel: Kernel, call: Calls) -> tuple[int, int]:
    """Jobs whose models are ticket-router v1 and v2."""
    jobs = add_training(kernel), add_training(kernel)
    for job in jobs:
        call("registry.register", job=job)
    return jobs


def evidence(receipt: Receipt) -> dict[str, Any]:
    return {e.fact: e.value for e in receipt.evidence}


class TestRegister:
    def test_a_finished_training_becomes_a_version_with_its_lineage(self, kernel, call):
        job = add_training(kernel)
        outcome = call("registry.register", job=job)
        details = outcome.result.details
        assert (details.model, details.version, details.job) == ("ticket-router", 1, job)
        assert (details.dataset, details.base_model) == ("tickets@1", "minilm")
        assert details.labels == [*LABELS]
        assert details.metrics["validation_accuracy"] == 0.88
        assert details.registered_by == "owner"
        assert outcome.receipt.says == f"Registered job {job} as ticket-router v1."
        assert evidence(outcome.receipt)["content of ticket-router v1"] == details.content_hash
        artifact = kernel.get(RegistryService).artifact("ticket-router", 1, "default")
        assert artifact == classifier_folder(kernel, job)

    def test_the_same_job_twice_answers_with_the_same_version(self, kernel, call):
        job = add_training(kernel)
        call("registry.register", job=job)
        again = call("registry.register", job=job)
        assert (again.result.version, again.result.created) == (1, False)
        assert again.receipt.undo is None
        assert "already" in again.receipt.says

    def test_two_calls_at_once_make_one_version(self, kernel, call):
        job = add_training(kernel)
        barrier = Barrier(4)

        def race(_: int) -> Outcome:
            barrier.wait()
            return call("registry.register", job=job)

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(race, range(4)))
        assert [o.result.version for o in outcomes] == [1] * 4
        assert sum(o.result.created for o in outcomes) == 1

    def test_a_name_of_ones_own_is_made_fit_and_a_known_spelling_recognised(self, kernel, call):
        first, second = add_training(kernel), add_training(kernel)
        assert call("registry.register", job=first, model="Mail Sorter").result.model == (
            "mail-sorter"
        )
        assert call("registry.register", job=second, model="MailSorter").result.model == (
            "mail-sorter"
        )

    @pytest.mark.parametrize(
        ("status", "told"),
        [("running", "has not finished"), ("failed", "one class"), ("cancelled", "cancelled")],
    )
    def test_a_job_without_a_model_is_refused_before_anything(self, kernel, call, status, told):
        job = add_training(kernel, status=status)
        with pytest.raises(Conflict, match=told):
            call("registry.register", job=job)

    @pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
    def test_where_a_job_made_no_model_the_newest_one_that_did_is_offered(
        self, kernel, call, status
    ):
        finished = [add_training(kernel) for _ in range(2)][-1]
        job = add_training(kernel, status=status)
        with pytest.raises(Conflict) as refused:
            call("registry.register", job=job)
        assert f"newest training that has finished is job {finished}" in str(refused.value.hint)
        states = {n.name: n.state for n in kernel.catalogue.names(EntityKind.JOB, "default")}
        assert (states[str(finished)], states[str(job)]) == ("done", status)

    def test_only_the_trial_that_was_kept_is_registered(self, kernel, call):
        job, single = add_tuning(kernel), add_training(kernel)
        with pytest.raises(Conflict, match="model of trial 2, the best, was kept") as refused:
            call("registry.register", job=job, trial=1)
        assert refused.value.hint == "Train it again with its settings: rank 4."
        with pytest.raises(Conflict, match="that of trial 7 was not") as refused:
            call("registry.register", job=job, trial=7)
        assert refused.value.hint == "It has 2 trials."
        with pytest.raises(InvalidInput, match="has no trials"):
            call("registry.register", job=single, trial=1)
        assert call("registry.register", job=job, trial=2).result.version == 1

    def test_a_job_that_is_no_training_is_refused(self, kernel, call):
        from tools.kernel.tables import JobRow

        row = JobRow(operation="evaluation.run", arguments={}, context={}, status="done")
        with kernel.database.session() as session:
            session.add(row)
        kernel.catalogue.changed()
        with pytest.raises(InvalidInput, match="no training"):
            call("registry.register", job=row.id)

    def test_a_half_written_model_is_never_registered(self, kernel, call):
        job = add_training(kernel)
        weights = classifier_folder(kernel, job) / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4])
        with pytest.raises(Conflict, match="hash differs"):
            call("registry.register", job=job)
        weights.unlink()
        with pytest.raises(Conflict):
            call("registry.register", job=job)
        assert call("registry.list").result.models == []

    def test_an_unknown_job_is_refused(self, call):
        with pytest.raises(NotFound):
            call("registry.register", job=999)


class TestPromote:
    def test_challenger_and_staging_need_no_approval(self, call, two_versions):
        outcome = call("registry.promote", model="ticket-router", version=2, alias="challenger")
        assert evidence(outcome.receipt) == {"alias challenger of ticket-router": 2}
        assert outcome.receipt.says == "ticket-router v2 is now the challenger."

    def test_champion_asks_first_and_does_nothing_until_granted(self, kernel, call, two_versions):
        with pytest.raises(NeedsApproval) as needed:
            call("registry.promote", model="ticket-router", version=1, alias="champion")
        assert needed.value.approval["preview"]["confirm"] == "ticket-router"
        assert call("registry.describe", model="ticket-router").result.aliases == {}

    def test_references_are_understood_as_people_write_them(self, call, two_versions):
        call("registry.promote", model="Ticket Router v2", alias="challenger")
        call("registry.promote", model="ticket-router@challenger", alias="staging")
        described = call("registry.describe", model="ticket-router").result
        assert described.aliases == {"challenger": 2, "staging": 2}

    def test_undo_gives_the_alias_back_to_who_had_it(self, kernel, context, approved, two_versions):
        approved("registry.promote", model="ticket-router", version=1, alias="champion")
        moved = approved("registry.promote", model="ticket-router", version=2, alias="champion")
        assert moved.result.previous == 1
        grant(kernel, context, moved.receipt)
        assert champion(kernel) == 1

    def test_undo_of_a_first_promotion_clears_the_alias(self, kernel, context, call, two_versions):
        made = call("registry.promote", model="ticket-router", version=1, alias="staging")
        undo(kernel, made.receipt, context)
        assert call("registry.describe", model="ticket-router").result.aliases == {}

    def test_undo_refuses_when_somebody_moved_the_alias_since(
        self, kernel, context, call, two_versions
    ):
        made = call("registry.promote", model="ticket-router", version=1, alias="staging")
        call("registry.promote", model="ticket-router", version=2, alias="staging")
        with pytest.raises(Conflict, match="alias staging of ticket-router was 1 and is 2"):
            undo(kernel, made.receipt, context)

    def test_promoting_what_has_the_alias_already_changes_nothing(self, call, two_versions):
        call("registry.promote", model="ticket-router", version=1, alias="staging")
        again = call("registry.promote", model="ticket-router", version=1, alias="staging")
        assert again.receipt.undo is None
        assert "already" in again.receipt.says

    def test_the_preview_warns_that_nobody_evaluated_it(self, kernel, context, two_versions):
        arguments = {"model": "ticket-router", "version": 1, "alias": "champion"}
        preview = kernel.gate.preview("registry.promote", arguments, context)
        first, *rules = preview.warnings
        assert first == "No evaluation of ticket-router v1 is recorded."
        assert [rule.partition("” ")[2] for rule in rules] == [
            "was not checked: gain_over_majority was not measured.",
            "was not checked: worst_slice was not measured.",
            "was not checked: p95_ms was not measured.",
        ]

    def test_a_damaged_version_is_not_promoted(self, kernel, call, two_versions):
        (classifier_folder(kernel, two_versions[0]) / "config.json").write_text("{}")
        with pytest.raises(Conflict, match="hash differs"):
            call("registry.promote", model="ticket-router", version=1, alias="staging")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"model": "ticket-roter", "version": 1}, "ticket-router"),
            ({"model": "ticket-router", "version": 9}, "version"),
            ({"model": "ticket-router"}, "version"),
        ],
    )
    def test_what_is_not_there_is_refused_with_a_suggestion(
        self, call, two_versions, arguments, told
    ):
        with pytest.raises(InvalidInput) as refused:
            call("registry.promote", alias="staging", **arguments)
        assert told in str(refused.value)


class TestArchive:
    def test_an_archived_version_can_be_brought_back(self, kernel, context, approved, two_versions):
        made = approved("registry.archive", model="ticket-router", version=1)
        assert evidence(made.receipt) == {"state of ticket-router v1": "archived"}
        with pytest.raises(Conflict, match="archived"):
            approved("registry.promote", model="ticket-router", version=1, alias="staging")
        undo(kernel, made.receipt, context)
        approved("registry.promote", model="ticket-router", version=1, alias="staging")

    def test_archiving_asks_and_refuses_a_version_with_an_alias(self, call, two_versions):
        with pytest.raises(NeedsApproval):
            call("registry.archive", model="ticket-router", version=1)
        call("registry.promote", model="ticket-router", version=1, alias="staging")
        with pytest.raises(Conflict, match="staging"):
            call("registry.archive", model="ticket-router", version=1)

    def test_a_version_that_devices_serve_is_refused(self, call, two_versions, monkeypatch):
        def serving(kernel: Kernel, tenant: str, model: str, version: int) -> list[str]:
            return ["thinkpad-1 serves it"] if version == 1 else []

        monkeypatch.setattr(usage, "_SOURCES", [serving])
        with pytest.raises(Conflict, match="thinkpad-1 serves it"):
            call("registry.archive", model="ticket-router", version=1)
        with pytest.raises(NeedsApproval):
            call("registry.archive", model="ticket-router", version=2)

    def test_the_latest_version_is_the_newest_that_is_not_archived(
        self, kernel, approved, two_versions
    ):
        registry = kernel.get(RegistryService)
        assert registry.latest("ticket-router", "default").version == 2
        approved("registry.archive", model="ticket-router", version=2)
        assert registry.latest("ticket-router", "default").version == 1


class TestUnregister:
    def test_undo_of_a_registration_takes_the_version_out(self, kernel, context, call):
        job = add_training(kernel)
        made = call("registry.register", job=job)
        grant(kernel, context, made.receipt)
        assert call("registry.list").result.models == []
        assert call("registry.register", job=job).result.version == 2

    def test_undo_refuses_once_an_alias_points_at_it(self, kernel, context, call):
        made = call("registry.register", job=add_training(kernel))
        call("registry.promote", model="ticket-router", version=1, alias="staging")
        with pytest.raises(Conflict, match="aliases of ticket-router v1"):
            undo(kernel, made.receipt, context)


class TestReading:
    def test_an_empty_registry_says_so(self, call):
        assert call("registry.list").receipt.says == "No model is registered yet."

    def test_the_list_names_newest_versions_and_aliases(self, kernel, call, two_versions):
        call("registry.register", job=add_training(kernel, name="Mail Sorter"))
        call("registry.promote", model="ticket-router", version=1, alias="staging")
        says = call("registry.list").receipt.says
        assert says == "2 models: mail-sorter v1; ticket-router v2 (staging v1)."

    def test_describe_shows_all_versions_or_one(self, call, two_versions):
        every = call("registry.describe", model="ticket-router").result.versions
        assert [v.version for v in every] == [2, 1]
        one = call("registry.describe", model="ticket-router v1").result.versions
        assert [v.version for v in one] == [1]

    def test_a_variant_is_told_as_one_and_is_not_the_newest_version(
        self, kernel, call, two_versions
    ):
        variant = add_variant(kernel, "onnx-int8", of=1)
        says = call("registry.describe", model="ticket-router").receipt.says
        assert says.startswith("ticket-router v2 was trained from minilm on tickets@1 by job")
        assert f"3 versions in all; v{variant} was made from v1 as onnx-int8 by job 18" in says
        one = call("registry.describe", model="ticket-router", version=variant).receipt.says
        assert one.startswith(f"ticket-router v{variant} was made from v1 as onnx-int8 by job 18")
        assert call("registry.list").receipt.says == "1 model: ticket-router v2."

    def test_the_catalogue_knows_versions_by_number_and_alias(self, kernel, call, two_versions):
        call("registry.promote", model="ticket-router", version=2, alias="staging")
        for spelling in ("2", "v2", "staging"):
            found = kernel.catalogue.resolve(
                EntityKind.MODEL_VERSION, spelling, "default", of="ticket-router"
            )
            assert found == "2"

    def test_another_tenant_sees_and_changes_nothing(self, kernel, context, two_versions):
        other = RequestContext(replace(context.principal, tenant="acme"))
        assert kernel.gate.call("registry.list", {}, other).result.models == []
        with pytest.raises(NotFound):
            kernel.gate.call("registry.describe", {"model": "ticket-router"}, other)
        with pytest.raises(NotFound):
            kernel.gate.call("registry.register", {"job": two_versions[0]}, other)


def add_variant(kernel: Kernel, target: str, of: int) -> int:
    """Register a copy of a version as its variant, made by job 18; answers with its number."""
    registry = kernel.get(RegistryService)
    parent = registry.version("ticket-router", of, "default")
    lineage = replace(parent.lineage, job=18, variant=target, parent=of, trained_by=parent.job)
    made, _ = registry.backend.add("default", "ticket-router", parent.artifact, lineage)
    kernel.catalogue.changed()
    return made.version


def grant(kernel: Kernel, context: RequestContext, receipt: Receipt) -> None:
    """Undo something whose inverse is dangerous, as the owner."""
    with pytest.raises(NeedsApproval) as needed:
        undo(kernel, receipt, context)
    approval = needed.value.approval
    kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
    undo(kernel, receipt, context)


def champion(kernel: Kernel) -> int | None:
    return kernel.get(RegistryService).backend.alias("default", "ticket-router", "champion")
