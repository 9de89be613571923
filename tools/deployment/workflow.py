"""The durable rollout: plan, bundle, order, confirm, bake, and put back when something breaks.

Runs as a job. Every step is durable and may be run again from its start after a crash: what a
device is meant to serve is written only if it differs, and only while the rollout stands as the
step expects, in one transaction with the rollout's own record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.deployment.bundles import Bundles
from tools.deployment.observe import Observer, Verdict
from tools.deployment.orders import dump_models, new_model, target_of, wanted_of, waves_of
from tools.deployment.plan import Planner
from tools.deployment.rollouts import AB_TEST, OPEN, Rollouts, closing
from tools.deployment.tables import RolloutRow
from tools.deployment.types import RolloutState, StartAbTest, StartRollout, Strategy
from tools.devices.fleet import Desired, Fleet, load_models
from tools.devices.types import ServedModel
from tools.kernel.errors import Cancelled, OperationFailed

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel

BAKE_SECONDS = 3.0
_LIVE = (RolloutState.RUNNING, RolloutState.CANARY, RolloutState.TESTING, RolloutState.DONE)


class Workflow:
    """Carries rollouts and rollbacks out, step by step.

    Attributes:
        bake_seconds: for how long devices are watched after they confirmed.
    """

    bake_seconds = BAKE_SECONDS

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._observer = Observer(kernel)

    def roll_out(self, tenant: str, args: StartRollout | StartAbTest, job: JobContext) -> int:
        """Carry out a rollout or an A/B test to its end; returns its number.

        Raises:
            OperationFailed: a device failed or fell silent; the touched devices were put back.
            Cancelled: it was ended by a rollback or by cancelling its job.
        """
        rollout: int = job.step("plan", self._begin, tenant, args, job.id)
        try:
            job.progress(0.05, "building the bundle")
            job.step("bundle", self._build, tenant, rollout, job)
            for wave in waves_of(self._rollouts.get(tenant, rollout).strategy):
                self._carry(tenant, rollout, wave, job)
            job.progress(0.95, "judged good")
            self._unless_stopped(rollout, job.step("finish", self._finish, tenant, rollout))
        except Exception as error:  # whatever broke it, no group is left half-way
            self._abandon(tenant, rollout, error)
            raise
        return rollout

    def roll_back(self, tenant: str, rollout: int, job: JobContext) -> None:
        """Put a rollout's devices back and wait for their reports.

        Raises:
            OperationFailed: naming the devices that have not confirmed.
        """
        job.step("put back", self._put_back, tenant, rollout, "rolled back by request", _LIVE)
        job.progress(0.5, "waiting for the devices' own reports")
        missing = job.step("confirm", self._restored, tenant, rollout, job)
        job.step("settle", self._settle, tenant, rollout, missing)
        if missing:
            told = "; ".join(f"{name}: {why}" for name, why in missing.items())
            raise OperationFailed(
                f"Rollout {rollout} is rolled back, but not every device has confirmed: {told}.",
                hint="They get the former model as soon as they are back.",
            )

    def _begin(self, tenant: str, args: StartRollout | StartAbTest, job: int) -> int:
        if (known := self._rollouts.of_job(job)) is not None:
            return known.id
        planner = Planner(self._kernel)
        plan = (
            planner.rollout(tenant, args)
            if isinstance(args, StartRollout)
            else planner.ab_test(tenant, args)
        )
        row = RolloutRow(
            tenant=tenant,
            job=job,
            group=args.group,
            model=plan.version.model,
            version=plan.version.version,
            strategy=plan.strategy,
            percent=plan.percent,
            state=RolloutState.RUNNING.value,
            open_group=args.group,
            takes_over=plan.takes_over.id if plan.takes_over else None,
            baseline_before=dump_models(plan.baseline),
        )
        targets = [target_of(plan, device) for device in plan.devices]
        held = plan.takes_over.id if plan.takes_over else None
        return self._rollouts.create(row, targets, held).id

    def _abandon(self, tenant: str, rollout: int, error: Exception) -> None:
        """End a rollout that still runs but whose job cannot go on: put back what was touched."""
        reason = "its job was cancelled" if isinstance(error, Cancelled) else str(error)
        if not self._put_back(tenant, rollout, reason, (RolloutState.RUNNING,)):
            return  # it was ended by somebody else, or rolled back already
        names = self._touched(tenant, rollout)
        row = self._rollouts.get(tenant, rollout)
        if names:
            missing = self._observer.restored(row, names, lambda: None)
            self._settle(tenant, rollout, missing)
        else:
            self._rollouts.change(rollout, OPEN, **closing(RolloutState.FAILED))

    def _build(self, tenant: str, rollout: int, job: JobContext) -> str:
        from tools.registry.service import RegistryService

        row = self._rollouts.get(tenant, rollout)
        version = self._kernel.get(RegistryService).version(row.model, row.version, tenant)
        bundle = self._kernel.get(Bundles).ensure(version, job)
        self._rollouts.change(rollout, OPEN, bundle=bundle)
        return bundle

    def _carry(self, tenant: str, rollout: int, wave: str, job: JobContext) -> None:
        first = 0.3 if wave in ("stage", "deploy") else 0.5
        job.progress(first, f"{wave}: telling the devices")
        self._unless_stopped(
            rollout, job.step(f"{wave}: order", self._order, tenant, rollout, wave, job)
        )
        job.progress(first + 0.1, f"{wave}: waiting for the devices' own reports")
        self._judge(
            tenant, rollout, job, job.step(f"{wave}: confirm", self._confirm, tenant, rollout, job)
        )
        if wave != "stage":
            job.progress(0.8, "watching the devices")
            self._judge(tenant, rollout, job, job.step("bake", self._bake, tenant, rollout, job))

    def _order(self, tenant: str, rollout: int, wave: str, job: JobContext) -> bool:
        row = self._rollouts.get(tenant, rollout)
        now = {d.name: d.serve for d in self._fleet.devices(tenant, row.group)}
        wanted = {
            target.device: wanted_of(row, wave, now[target.device])
            for target in self._rollouts.targets(rollout)
            if target.chosen and target.device in now
        }
        while self._observer.wait_unpaused(row, job.check_cancelled):
            fence = self._rollouts.fence(rollout, touch=list(wanted))
            cause = f"rollout {rollout}"
            told = self._fleet.change_desired(tenant, row.group, wanted, cause, fence=fence)
            if told is not None:
                self._publish(row, f"rollout.{wave}", {"devices": sorted(wanted)})
                return True
        return False

    def _confirm(self, tenant: str, rollout: int, job: JobContext) -> dict[str, Any]:
        row = self._rollouts.get(tenant, rollout)
        return self._observer.confirmed(row, job.check_cancelled).as_data()

    def _bake(self, tenant: str, rollout: int, job: JobContext) -> dict[str, Any]:
        row = self._rollouts.get(tenant, rollout)
        return self._observer.baked(row, self.bake_seconds, job.check_cancelled).as_data()

    def _judge(self, tenant: str, rollout: int, job: JobContext, data: dict[str, Any]) -> None:
        verdict = Verdict(**data)
        self._unless_stopped(rollout, verdict.kind != "stopped")
        if verdict.kind == "good":
            return
        told = "; ".join(f"{name}: {why}" for name, why in sorted(verdict.reasons.items()))
        job.progress(0.9, f"rolling back: {told}")
        job.step("put back", self._put_back, tenant, rollout, told, (RolloutState.RUNNING,))
        missing = job.step("confirm put back", self._restored, tenant, rollout, job)
        job.step("settle", self._settle, tenant, rollout, missing)
        later = f" Not confirmed yet by {', '.join(sorted(missing))}." if missing else ""
        raise OperationFailed(
            f"Rollout {rollout} was rolled back by itself: {told}. "
            f"The touched devices are back on their former model.{later}",
            hint="`devices.describe` shows what a device reports.",
        )

    def _finish(self, tenant: str, rollout: int) -> bool:
        row = self._rollouts.get(tenant, rollout)
        become: dict[str, Any] = {
            Strategy.CANARY.value: {"state": RolloutState.CANARY.value},
            AB_TEST: {"state": RolloutState.TESTING.value},
        }.get(row.strategy, closing(RolloutState.DONE))
        whole = row.strategy not in (Strategy.CANARY.value, AB_TEST)
        done = self._fleet.change_desired(
            tenant,
            row.group,
            {},
            f"rollout {rollout}",
            fence=self._rollouts.fence(rollout, become=become, paused=None),
            baseline=[new_model(row)] if whole else None,
        )
        ended = done is not None or self._rollouts.get(tenant, rollout).state in (
            RolloutState.CANARY,
            RolloutState.TESTING,
            RolloutState.DONE,
        )
        self._publish(row, "rollout.finished", {"state": become["state"]})
        return ended

    def _put_back(
        self, tenant: str, rollout: int, reason: str, states: Sequence[RolloutState]
    ) -> bool:
        """Give every touched device its former desired state; doing it twice changes nothing."""
        row = self._rollouts.get(tenant, rollout)
        baseline = load_models(row.baseline_before)
        former = self._joined_since(row, baseline) | {
            t.device: Desired(load_models(t.before))
            for t in self._rollouts.targets(rollout)
            if t.touched or row.takes_over
        }
        become = {
            "state": RolloutState.ROLLING_BACK.value,
            "open_group": row.group,
            "reason": reason,
            "paused": False,
        }
        told = self._fleet.change_desired(
            tenant,
            row.group,
            former,
            f"rollback of rollout {rollout}",
            fence=self._rollouts.fence(rollout, become=become, states=states, paused=None),
            baseline=baseline,
        )
        if told is not None:
            self._publish(row, "rollout.rolling_back", {"devices": told, "reason": reason})
        return told is not None

    def _restored(self, tenant: str, rollout: int, job: JobContext) -> dict[str, str]:
        row = self._rollouts.get(tenant, rollout)
        return self._observer.restored(row, self._touched(tenant, rollout), job.check_cancelled)

    def _touched(self, tenant: str, rollout: int) -> list[str]:
        row = self._rollouts.get(tenant, rollout)
        return [t.device for t in self._rollouts.targets(rollout) if t.touched or row.takes_over]

    def _joined_since(
        self, row: RolloutRow, baseline: tuple[ServedModel, ...]
    ) -> dict[str, Desired]:
        """Devices that joined the group after the rollout and took its model from the group."""
        known = {t.device for t in self._rollouts.targets(row.id)}
        new = (new_model(row),) if row.bundle else ()
        return {
            d.name: Desired(baseline)
            for d in self._fleet.devices(row.tenant, row.group)
            if d.name not in known and new and d.serve == new
        }

    def _settle(self, tenant: str, rollout: int, missing: dict[str, str] | None = None) -> None:
        row = self._rollouts.get(tenant, rollout)
        reason = row.reason
        if missing:
            reason = f"{reason}; not confirmed by {', '.join(sorted(missing))}"
        become = closing(RolloutState.ROLLED_BACK, reason=reason)
        if self._rollouts.change(rollout, (RolloutState.ROLLING_BACK,), **become):
            self._publish(row, "rollout.rolled_back", {"missing": sorted(missing or {})})

    def _unless_stopped(self, rollout: int, going: bool) -> None:
        if not going:
            raise Cancelled(f"Rollout {rollout} was ended while it ran; it changes nothing more.")

    def _publish(self, row: RolloutRow, kind: str, data: dict[str, Any]) -> None:
        facts = {"rollout": row.id, "group": row.group, "model": row.model, "version": row.version}
        for topic in (f"rollout:{row.id}", "deployment"):
            self._kernel.events.publish(topic, kind, {**facts, **data}, row.tenant)
