"""The durable rollout: plan, bundle, order, confirm, bake, and put back when something breaks.

Runs as a job. Every step is durable and may be run again from its start after a crash: what a
device is meant to serve is written only if it differs, and only while the rollout stands as the
step expects, in one transaction with the rollout's own record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tools.deployment.bundles import Bundles
from tools.deployment.experiment_types import StartAbTest
from tools.deployment.forms import Forms, kept
from tools.deployment.holding import Holding
from tools.deployment.observe import Observer, Verdict
from tools.deployment.orders import (
    dump_models,
    offers_built,
    offers_of,
    target_of,
    wanted_of,
    waves_of,
)
from tools.deployment.plan import Planner
from tools.deployment.rollouts import AB_TEST, HOLDING, OPEN, Rollouts, closing
from tools.deployment.tables import RolloutRow
from tools.deployment.types import RolloutState, StartRollout, Strategy
from tools.devices.fleet import Desired, Fleet, load_models
from tools.devices.joining import Offer, joined, load_offers
from tools.devices.views import few
from tools.kernel.errors import Cancelled, Conflict, OperationFailed

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel

BAKE_SECONDS = 3.0
BATCHES_A_MINUTE = 6
WHOLE = 100
_LIVE = (RolloutState.RUNNING, *HOLDING, RolloutState.DONE)


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
            job.progress(0.05, "building what the devices get")
            job.step("bundle", self._build, tenant, rollout, job)
            for wave in waves_of(self._rollouts.get(tenant, rollout).strategy):
                self._in_steps(tenant, rollout, wave, job)
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
            raise OperationFailed(
                f"Rollout {rollout} is rolled back, but not every device has confirmed: "
                f"{reasons_told(missing)}.",
                hint="They get the former model as soon as they are back.",
            )

    def put_some_back(
        self, tenant: str, rollout: int, names: Sequence[str], meant: str, job: JobContext
    ) -> None:
        """Put some of a rollout's devices back; it goes on with the others.

        Raises:
            OperationFailed: naming the devices that have not confirmed.
        """
        job.step("put some back", self._put_some_back, tenant, rollout, names, meant)
        job.progress(0.5, "waiting for the devices' own reports")
        row = self._rollouts.get(tenant, rollout)
        missing: dict[str, str] = job.step(
            "confirm", self._observer.restored, row, names, job.check_cancelled
        )
        if missing:
            raise OperationFailed(
                f"{few(names)} are put back, but not every one has confirmed: "
                f"{reasons_told(missing)}.",
                hint="They get the former model as soon as they are back.",
            )

    def _put_some_back(self, tenant: str, rollout: int, names: Sequence[str], meant: str) -> None:
        row, some = self._rollouts.get(tenant, rollout), frozenset(names)
        former = {
            t.device: Desired(load_models(t.before))
            for t in self._rollouts.targets(rollout)
            if t.device in some
        }
        fence = self._rollouts.fence(rollout, exclude=names, states=_LIVE, paused=None)
        cause = f"partial rollback of rollout {rollout}"
        told = self._fleet.change_desired(tenant, row.group, former, cause, fence=fence)
        if told is None:
            raise Conflict(f"Rollout {rollout} has just ended; nothing was changed.")
        self._publish(row, "rollout.partly_rolled_back", {"devices": told, "meant": meant})

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
            plan=plan.options,
        )
        targets = [target_of(plan, device) for device in plan.devices]
        held = plan.takes_over.id if plan.takes_over else None
        made = self._rollouts.create(row, targets, held).id
        self._kernel.catalogue.changed()  # now "the rollout" means this one
        return made

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
        """Build every form that a device gets, and the version's own for those that join later."""
        from tools.registry.service import RegistryService

        row = self._rollouts.get(tenant, rollout)
        version = self._kernel.get(RegistryService).version(row.model, row.version, tenant)
        planned: dict[str, int] = row.plan.get("forms", {})
        forms = kept(self._kernel.get(Forms).of(version), planned)
        own = next(iter(forms))
        wanted = {t.form for t in self._rollouts.targets(rollout) if t.chosen}
        needed = [name for name in forms if name == own or name in wanted]
        bundles = {n: self._kernel.get(Bundles).ensure(forms[n].source, job) for n in needed}
        built = self._kernel.get(Forms).of(version)  # their sizes are known now
        plan = row.plan | {"offers": offers_built(row, bundles, built)}
        self._rollouts.change(rollout, OPEN, bundle=bundles[own], bundles=bundles, plan=plan)
        return bundles[own]

    def _in_steps(self, tenant: str, rollout: int, wave: str, job: JobContext) -> None:
        row = self._rollouts.get(tenant, rollout)
        reached = {t.wave for t in self._rollouts.targets(rollout) if t.chosen}
        for number, percent in enumerate(row.plan.get("steps", [100])):
            if number in reached:
                name = wave if len(reached) == 1 else f"{wave} {percent} %"
                share = (number + 1) / (len(row.plan.get("steps", [100])) + 1)
                at = 0.1 + 0.8 * share
                job.progress(at, f"{name}: telling the devices")
                self._carry(tenant, rollout, wave, number, name, job, at)

    def _carry(
        self,
        tenant: str,
        rollout: int,
        wave: str,
        number: int,
        name: str,
        job: JobContext,
        at: float = 0.1,
    ) -> None:
        told = job.step(f"{name}: order", self._order, tenant, rollout, wave, number, job)
        self._unless_stopped(rollout, told)
        job.progress(at, f"{name}: judged by the devices' own reports")
        tell = Holding(job, at, name)
        watched = job.step(f"{name}: judge", self._watch, tenant, rollout, wave, number, job, tell)
        self._judge(tenant, rollout, job, watched)

    def _order(self, tenant: str, rollout: int, wave: str, number: int, job: JobContext) -> bool:
        """Tell the devices of a step, some at a time if so many a minute were allowed."""
        row = self._rollouts.get(tenant, rollout)
        self._rollouts.change(rollout, (RolloutState.RUNNING,), step=number)
        cause, per_minute = f"rollout {rollout}", row.plan.get("per_minute")
        at_once = max(1, per_minute // BATCHES_A_MINUTE) if per_minute else None
        while self._observer.wait_ready(row, job.check_cancelled):
            row = self._rollouts.get(tenant, rollout)
            wanted = self._left(row, wave, number, at_once)
            if not wanted:
                self._publish(row, f"rollout.{wave}", self._told(row, number))
                return True
            fence = self._rollouts.fence(rollout, touch=list(wanted), seen=row.touches)
            told = self._fleet.change_desired(tenant, row.group, wanted, cause, fence=fence)
            if told is not None and per_minute:
                self._observer.wait(60 * len(wanted) / per_minute, job.check_cancelled)
        return False

    def _left(
        self, row: RolloutRow, wave: str, number: int, at_once: int | None
    ) -> dict[str, Desired]:
        """What devices of this step, and of those before, are still to be told."""
        stands = {d.name: d for d in self._fleet.devices(row.tenant, row.group)}
        left: dict[str, Desired] = {}
        for target in self._rollouts.targets(row.id):
            device = stands.get(target.device)
            if device is None or target.excluded or not target.chosen or target.wave > number:
                continue
            wanted = wanted_of(row, wave, target)
            if not target.touched or Desired(device.serve, device.stage) != wanted:
                left[target.device] = wanted
            if len(left) == at_once:
                break
        return left

    def _told(self, row: RolloutRow, number: int) -> dict[str, Any]:
        names = [t.device for t in self._rollouts.targets(row.id) if t.touched and not t.excluded]
        return {"devices": names, "step": number + 1}

    def _watch(
        self, tenant: str, rollout: int, wave: str, number: int, job: JobContext, tell: Holding
    ) -> dict[str, Any]:
        row = self._rollouts.get(tenant, rollout)
        seconds: float | None = row.plan.get("seconds")
        if wave == "stage":
            seconds = 0.0
        elif seconds is None:
            seconds = self.bake_seconds
        watch = self._observer.judged
        return watch(row, number, wave, seconds, job.check_cancelled, tell).as_data()

    def _judge(self, tenant: str, rollout: int, job: JobContext, data: dict[str, Any]) -> None:
        verdict = Verdict(**data)
        self._unless_stopped(rollout, verdict.kind != "stopped")
        if verdict.kind == "good":
            return
        told = reasons_told(verdict.reasons)
        job.progress(0.9, f"rolling back: {told}")
        job.step("put back", self._put_back, tenant, rollout, told, (RolloutState.RUNNING,))
        missing = job.step("confirm put back", self._restored, tenant, rollout, job)
        job.step("settle", self._settle, tenant, rollout, missing)
        later = f" Not confirmed yet by {few(sorted(missing))}." if missing else ""
        raise OperationFailed(
            f"Rollout {rollout} was rolled back by itself: {told}. "
            f"The touched devices are back on their former model.{later}",
            hint="`devices.describe` shows what a device reports.",
        )

    def _finish(self, tenant: str, rollout: int) -> bool:
        row = self._rollouts.get(tenant, rollout)
        holding = _holds_as(row)
        ending = {"state": holding.value} if holding else closing(RolloutState.DONE)
        become: dict[str, Any] = {**ending, "hold": None}
        whole = holding is None and not row.plan.get("meant")
        done = self._fleet.change_desired(
            tenant,
            row.group,
            {},
            f"rollout {rollout}",
            fence=self._rollouts.fence(rollout, become=become, paused=None),
            baseline=offers_of(row) if whole else None,
        )
        ended = done is not None or self._rollouts.get(tenant, rollout).state in (
            *HOLDING,
            RolloutState.DONE,
        )
        self._publish(row, "rollout.finished", {"state": become["state"]})
        return ended

    def _put_back(
        self, tenant: str, rollout: int, reason: str, states: Sequence[RolloutState]
    ) -> bool:
        """Give every touched device its former desired state; doing it twice changes nothing."""
        row = self._rollouts.get(tenant, rollout)
        baseline = load_offers(row.baseline_before)
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
            "hold": None,
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

    def _joined_since(self, row: RolloutRow, baseline: tuple[Offer, ...]) -> dict[str, Desired]:
        """Devices that joined the group after the rollout and took its model from the group."""
        known = {t.device for t in self._rollouts.targets(row.id)}
        new = [(offer.served,) for offer in offers_of(row)]
        return {
            d.name: Desired(joined(d, baseline))
            for d in self._fleet.devices(row.tenant, row.group)
            if d.name not in known and d.serve in new
        }

    def _settle(self, tenant: str, rollout: int, missing: dict[str, str] | None = None) -> None:
        row = self._rollouts.get(tenant, rollout)
        reason = row.reason
        if missing:
            reason = f"{reason}; not confirmed by {few(sorted(missing))}"
        become = closing(RolloutState.ROLLED_BACK, reason=reason)
        if self._rollouts.change(rollout, (RolloutState.ROLLING_BACK,), **become):
            self._publish(row, "rollout.rolled_back", {"missing": sorted(missing or {})})

    def _unless_stopped(self, rollout: int, going: bool) -> None:
        if not going:
            raise Cancelled(f"Rollout {rollout} was ended while it ran; it changes nothing more.")

    def _publish(self, row: RolloutRow, kind: str, data: dict[str, Any]) -> None:
        """Tell the audit and who listens of a transition."""
        facts = {"rollout": row.id, "group": row.group, "model": row.model, "version": row.version}
        self._kernel.audit.append(row.tenant, {"event": kind, "job": row.job, **facts, **data})
        for topic in (f"rollout:{row.id}", "deployment"):
            self._kernel.events.publish(topic, kind, {**facts, **data}, row.tenant)


def reasons_told(reasons: Mapping[str, str]) -> str:
    """Why a step is a breach, for a person; of many devices the first few are named."""
    return few([f"{name}: {why}" for name, why in sorted(reasons.items())], joint="; ")


def _holds_as(row: RolloutRow) -> RolloutState | None:
    """The state in which a rollout stays that has reached its last step; None if it is done."""
    if row.strategy == AB_TEST:
        return RolloutState.TESTING
    if row.strategy == Strategy.SHADOW:
        return RolloutState.SHADOW
    return RolloutState.CANARY if row.percent < WHOLE else None
