"""What the operations on rollouts do: previews, the durable jobs, pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from tools.deployment.experiment_types import StartAbTest
from tools.deployment.plan import Plan, Planner, described
from tools.deployment.previews import TYPICAL_SECONDS, risk_of, takes
from tools.deployment.rollouts import AB_TEST, HOLDING, OPEN, Rollouts
from tools.deployment.select import narrows, told
from tools.deployment.status import StatusReader
from tools.deployment.steering import Steering
from tools.deployment.steering_types import RolloutPaused
from tools.deployment.tables import RolloutRow
from tools.deployment.types import (
    DeploymentStatus,
    ListRollouts,
    RollBack,
    RolloutList,
    RolloutReport,
    RolloutState,
    StartRollout,
    Strategy,
)
from tools.deployment.workflow import Workflow
from tools.devices.fleet import Fleet, load_models
from tools.devices.views import changes_of, few
from tools.kernel.entities import EntityName
from tools.kernel.errors import Conflict
from tools.kernel.operations import Call, Change, Evidence, Inverse, Preview

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

_PAUSABLE = (RolloutState.RUNNING, *HOLDING)


def _form_told(plan: Plan, device: str) -> str:
    """How a person reads the form that a device gets; nothing where all get the version's own."""
    own = next(iter(plan.options["forms"]))
    variant = plan.fit.variant_of(device)
    return "" if variant is None or variant.name == own else f" as {variant.name}"


class DeploymentService:
    """Rollouts of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._planner = kernel.get(Planner)
        self._reader = kernel.get(StatusReader)
        self._workflow = kernel.get(Workflow)
        self._steering = kernel.get(Steering)

    def names(self, tenant: str) -> list[EntityName]:
        """The rollouts by number; one that is still open belongs to its group."""
        return [
            EntityName(str(row.id), (f"rollout {row.id}", f"#{row.id}"), row.open_group)
            for row in self._rollouts.recent(tenant)
        ]

    def rollouts(self, wanted: ListRollouts, tenant: str) -> RolloutList:
        """The rollouts that match, newest first, each with its devices as they report now."""
        rows = self._rollouts.matching(tenant, wanted)
        return RolloutList(rollouts=[self._reader.report(tenant, row.id) for row in rows])

    def preview_rollout(self, args: StartRollout, call: Call) -> Preview:
        """What a rollout would do; raises what would stop it."""
        plan = self._planner.rollout(call.tenant, args)
        share = f" at {' %, '.join(map(str, plan.options['steps']))} %"
        how = {
            "blue_green": "blue-green",
            "all": "all at once",
            "shadow": "as a shadow",
        }.get(plan.strategy, f"as a canary{share}")
        if plan.options["meant"]:
            how += f", {plan.options['meant']} only"
        if plan.takes_over is not None:
            how += f", going on from rollout {plan.takes_over.id}"
        return self._preview(
            plan, call, args.group, f"Roll {plan.version} out to {args.group} {how}", None
        )

    def preview_ab_test(self, args: StartAbTest, call: Call) -> Preview:
        """What an A/B test would do; raises what would stop it."""
        plan = self._planner.ab_test(call.tenant, args)
        control = described(plan.devices[0].serve)
        summary = (
            f"Let {plan.version} answer {args.percent} % of the requests to {args.group}, "
            f"beside {control}"
        )
        return self._preview(
            plan, call, args.group, summary, f"{control} and {plan.version}, {args.percent} %"
        )

    def preview_rollback(self, args: RollBack, call: Call) -> Preview:
        """What a rollback would do; raises what would stop it."""
        group = args.group
        row = self._last(call.tenant, group)
        devices = {d.name: d for d in self._fleet.devices(call.tenant, group)}
        touched = [t for t in self._rollouts.targets(row.id) if t.touched or row.takes_over]
        if narrows(args):
            some = set(self._steering.meant(call.tenant, row, args))
            touched = [t for t in touched if t.device in some]
        changes = changes_of(
            [
                (
                    t.device,
                    described(devices[t.device].serve),
                    described(load_models(t.before)),
                )
                for t in touched
                if t.device in devices
            ]
        )
        done = row.state == RolloutState.ROLLED_BACK
        return Preview(
            summary=f"Roll {told(args) + ' of ' if narrows(args) else ''}{group} back from "
            f"{row.model} v{row.version} (rollout {row.id}).",
            changes=changes,
            risk="The devices serve their former model again, or none if they had none.",
            seconds=TYPICAL_SECONDS / 3,
            confirm=group,
            second_person=self._protected(call.tenant, group),
            warnings=["It is rolled back already; nothing will change."] if done else [],
        )

    def run_rollout(self, args: StartRollout, call: Call) -> RolloutReport:
        """Carry a rollout out, inside its job."""
        rollout = self._workflow.roll_out(call.tenant, args, call.running)
        return self._reader.report(call.tenant, rollout)

    def run_ab_test(self, args: StartAbTest, call: Call) -> RolloutReport:
        """Begin an A/B test, inside its job; it collects exposures until it is ended."""
        rollout = self._workflow.roll_out(call.tenant, args, call.running)
        return self._reader.report(call.tenant, rollout)

    def run_rollback(self, args: RollBack, call: Call) -> RolloutReport:
        """Roll the group's newest rollout back, inside a job."""
        if (some := self._steering.some(args, call)) is not None:
            return some
        rollout: int = call.running.step("choose all", self._last_number, call.tenant, args.group)
        self._workflow.roll_back(call.tenant, rollout, call.running)
        return self._reader.report(call.tenant, rollout)

    def rollback_inverse(self, result: RolloutReport) -> Inverse:
        """The call that rolls the same thing out again."""
        arguments: dict[str, JsonValue] = {
            "model": result.model,
            "version": result.version,
            "group": result.group,
        }
        if result.strategy in (AB_TEST, Strategy.CANARY):
            arguments["percent"] = result.percent
        if result.strategy == AB_TEST:
            return Inverse(operation="deployment.ab_test", arguments=arguments)
        arguments["strategy"] = result.strategy
        return Inverse(operation="deployment.start", arguments=arguments)

    def status(self, tenant: str, group: str | None) -> DeploymentStatus:
        """The state of one group, or of all."""
        return self._reader.status(tenant, group)

    def evidence(self, tenant: str, rollout: int) -> list[Evidence]:
        """What the rollout's devices report themselves."""
        return self._reader.evidence(tenant, rollout)

    def preview_pause(self, tenant: str, group: str, paused: bool) -> Preview:
        """What pausing or resuming would do; raises what would stop it."""
        row = self._pausable(tenant, group)
        verb = "Pause" if paused else "Resume"
        return Preview(
            summary=f"{verb} the rollout of {row.model} v{row.version} on {group}.",
            changes=[Change(what=f"rollout {row.id} paused", before=row.paused, after=paused)],
        )

    def set_paused(self, tenant: str, group: str, paused: bool) -> RolloutPaused:
        """Pause or resume the group's open rollout.

        Raises:
            Conflict: there is none.
        """
        row = self._pausable(tenant, group)
        if not self._rollouts.change(row.id, _PAUSABLE, paused=paused):
            raise Conflict(f"Rollout {row.id} of {group} has just ended.")
        self._fleet.watch.reported()
        return RolloutPaused(
            rollout=row.id, group=group, paused=paused, state=RolloutState(row.state)
        )

    def pause_evidence(self, tenant: str, rollout: int) -> list[Evidence]:
        """Whether a rollout is paused, read back."""
        row = self._rollouts.get(tenant, rollout)
        fact = f"rollout {rollout} is paused"
        return [Evidence(fact=fact, value=row.paused, source="rollout record")]

    def uses(self, tenant: str, model: str, version: int) -> list[str]:
        """Which devices serve a version, and which open rollouts need it."""
        using = [
            f"{d.name} serves it"
            for d in self._fleet.devices(tenant)
            if any((s.model, s.version) == (model, version) for s in (*d.serve, *d.serving))
        ]
        return using + [
            f"rollout {row.id} of {row.group} is {row.state}"
            for row in self._rollouts.recent(tenant)
            if row.state in OPEN and (row.model, row.version) == (model, version)
        ]

    def _preview(
        self, plan: Plan, call: Call, group: str, summary: str, after: str | None
    ) -> Preview:
        chosen = [d for d in plan.devices if d.name in plan.chosen]
        forms = {d.name: _form_told(plan, d.name) for d in chosen}
        gets = f": {plan.fit.told()}" if any(forms.values()) else ""
        return Preview(
            summary=f"{summary} ({few([*plan.chosen])}){gets}.",
            changes=changes_of(
                [
                    (d.name, described(d.serve), (after or str(plan.version)) + forms[d.name])
                    for d in chosen
                ]
            ),
            risk=risk_of(plan),
            seconds=takes(plan),
            confirm=group,
            second_person=self._protected(call.tenant, group),
            warnings=list(plan.warnings),
        )

    def _protected(self, tenant: str, group: str) -> bool:
        row = self._fleet.group(tenant, group)
        return row is not None and row.protected

    def _last(self, tenant: str, group: str) -> RolloutRow:
        row = self._rollouts.latest(tenant, group)
        if row is None:
            raise Conflict(f"Nothing was ever rolled out to {group}.")
        if row.state == RolloutState.FAILED:
            raise Conflict(f"Rollout {row.id} of {group} failed before it changed any device.")
        return row

    def _last_number(self, tenant: str, group: str) -> int:
        return self._last(tenant, group).id

    def _pausable(self, tenant: str, group: str) -> RolloutRow:
        row = self._rollouts.open_of(tenant, group)
        if row is None or row.state not in _PAUSABLE:
            raise Conflict(
                f"No rollout is under way in {group}.",
                hint="`deployment.status` shows what was rolled out last.",
            )
        return row
