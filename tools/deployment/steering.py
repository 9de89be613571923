"""Steering a rollout while it moves: promote, abort, retry, put some devices back, freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment.experiment_types import StartAbTest
from tools.deployment.experiments import Experiments
from tools.deployment.freeze_types import DeclareFreeze, FreezeState, LiftFreeze
from tools.deployment.freezes import Freezes
from tools.deployment.judgement_types import JudgementList, JudgementsOf
from tools.deployment.judgements import Judgements
from tools.deployment.plan import Planner, described
from tools.deployment.previews import risk_of, takes
from tools.deployment.rollouts import AB_TEST, HOLDING, Rollouts
from tools.deployment.select import meant, narrows
from tools.deployment.select import told as filter_told
from tools.deployment.sequential import FALSE_ALARMS
from tools.deployment.status import StatusReader
from tools.deployment.steering_types import (
    AbortRollout,
    PromoteRollout,
    RetryRollout,
    RolloutPromoted,
)
from tools.deployment.tables import RolloutRow
from tools.deployment.times import moment_said
from tools.deployment.types import (
    RollBack,
    RolloutReport,
    RolloutState,
    Selection,
    StartRollout,
    Strategy,
)
from tools.deployment.workflow import Workflow
from tools.devices.fleet import Fleet, load_models
from tools.devices.views import changes_of, few
from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.operations import Call, Change, Evidence, Preview
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

_ENDED_BADLY = (RolloutState.ROLLED_BACK, RolloutState.FAILED)


class Steering:
    """Steers the rollouts of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._planner = kernel.get(Planner)
        self._reader = kernel.get(StatusReader)
        self._workflow = kernel.get(Workflow)
        self._freezes = kernel.get(Freezes)
        self._experiments = kernel.get(Experiments)
        self._judgements = kernel.get(Judgements)

    def preview_promote(self, args: PromoteRollout, call: Call) -> Preview:
        """What promoting would do; raises what would stop it."""
        self._freezes.check(call.tenant, args.group)
        row = self._open(call.tenant, args.group)
        if row.state == RolloutState.RUNNING:
            steps: list[int] = row.plan.get("steps", [row.percent])
            ahead = [p for number, p in enumerate(steps) if number > row.step]
            goal = f"its next step, {ahead[0]} %" if ahead else "its end"
            summary = f"Let rollout {row.id} of {row.model} v{row.version} go on to {goal}, as is."
        else:
            wanted = self._whole(call.tenant, row, args.version)
            plan = self._planner.rollout(call.tenant, wanted)
            summary = f"Roll {plan.version} out to all of {args.group}, from rollout {row.id}."
        return Preview(
            summary=summary,
            changes=[Change(what=f"rollout {row.id}", before=row.state, after="goes on")],
            risk="The step is taken before its data suffice; a breach still puts every touched "
            "device back.",
            confirm=args.group,
            second_person=self._protected(call.tenant, args.group),
        )

    def promote(self, args: PromoteRollout, call: Call) -> RolloutPromoted:
        """Let a rollout go on to its next step, or one that holds go to the whole group.

        Raises:
            Conflict: nothing is under way, or an A/B test has no winner yet.
        """
        rollout: int = call.running.step("choose", self._open_number, call.tenant, args.group)
        row = self._rollouts.get(call.tenant, rollout)
        went = call.running.step("skip", self._skip, row)
        if went:
            report = self._reader.report(call.tenant, rollout)
            return RolloutPromoted(**report.model_dump())
        wanted = call.running.step("winner", self._wanted, call.tenant, rollout, args.version)
        new = self._workflow.roll_out(
            call.tenant, StartRollout.model_validate(wanted), call.running
        )
        report = self._reader.report(call.tenant, new)
        return RolloutPromoted(**report.model_dump(), goes_on_from=rollout)

    def preview_abort(self, args: AbortRollout, call: Call) -> Preview:
        """What aborting would do; raises what would stop it."""
        row = self._open(call.tenant, args.group)
        touched = [t for t in self._rollouts.targets(row.id) if t.touched]
        return Preview(
            summary=f"End rollout {row.id} of {row.model} v{row.version} on {args.group}; "
            f"{len(touched)} touched devices go back.",
            changes=changes_of(
                [(t.device, None, described(load_models(t.before))) for t in touched]
            ),
            risk="The devices serve their former model again, or none if they had none.",
            confirm=args.group,
            second_person=self._protected(call.tenant, args.group),
        )

    def abort(self, args: AbortRollout, call: Call) -> RolloutReport:
        """End the rollout that is not finished, and put its devices back."""
        rollout: int = call.running.step("choose", self._open_number, call.tenant, args.group)
        self._workflow.roll_back(call.tenant, rollout, call.running)
        return self._reader.report(call.tenant, rollout)

    def preview_retry(self, args: RetryRollout, call: Call) -> Preview:
        """What trying again would do; raises what would stop it."""
        again = self._again(call.tenant, args.group)
        plan = (
            self._planner.rollout(call.tenant, again)
            if isinstance(again, StartRollout)
            else self._planner.ab_test(call.tenant, again)
        )
        return Preview(
            summary=f"Try the last rollout again: {plan.version} to {args.group}, "
            f"{plan.strategy.replace('_', '-')} ({few(sorted(plan.chosen))}).",
            changes=changes_of(
                [
                    (d.name, described(d.serve), str(plan.version))
                    for d in plan.devices
                    if d.name in plan.chosen
                ]
            ),
            risk=risk_of(plan),
            seconds=takes(plan),
            confirm=args.group,
            second_person=self._protected(call.tenant, args.group),
            warnings=list(plan.warnings),
        )

    def retry(self, args: RetryRollout, call: Call) -> RolloutReport:
        """Begin the last rollout anew, as it was asked for."""
        again = call.running.step("again", self._asked, call.tenant, args.group)
        kind = StartRollout if "strategy" in again else StartAbTest
        rollout = self._workflow.roll_out(call.tenant, kind.model_validate(again), call.running)
        return self._reader.report(call.tenant, rollout)

    def some(self, args: RollBack, call: Call) -> RolloutReport | None:
        """Put the devices back that a filter means, while the rollout goes on with the others.

        Returns:
            None if nothing narrows it, or no other device is left: it is all of the rollout then.
        """
        if not narrows(args):
            return None
        rollout, names = call.running.step("choose", self._chosen, call.tenant, args)
        if not names:
            return None
        self._workflow.put_some_back(call.tenant, rollout, names, filter_told(args), call.running)
        return self._reader.report(call.tenant, rollout)

    def meant(self, tenant: str, row: RolloutRow, wanted: Selection) -> list[str]:
        """The devices of a rollout that a filter means, also those it has not come to yet.

        Raises:
            Conflict: there are none.
        """
        chosen = {t.device for t in self._rollouts.targets(row.id) if t.chosen}
        devices = [d for d in self._fleet.devices(tenant, row.group) if d.name in chosen]
        names = [d.name for d in meant(devices, wanted)]
        if not names:
            raise Conflict(
                f"Rollout {row.id} reaches no {filter_told(wanted) or 'device'} of {row.group}.",
                hint="`deployment.status` shows which devices it has changed.",
            )
        return names

    def freeze(self, args: DeclareFreeze, call: Call) -> FreezeState:
        """Declare a freeze.

        Raises:
            InvalidInput: its end cannot be read, or is over.
        """
        until = moment_said(args.until, now()) if args.until else None
        by = call.context.principal.name
        self._freezes.declare(call.tenant, args.group, args.reason, until, by)
        self._fleet.watch.reported()
        return self.frozen(call.tenant, args.group)

    def unfreeze(self, args: LiftFreeze, call: Call) -> FreezeState:
        """Lift a freeze."""
        lifted = self._freezes.lift(call.tenant, args.group)
        self._fleet.watch.reported()
        return self.frozen(call.tenant, args.group).model_copy(update={"lifted": lifted})

    def frozen(self, tenant: str, group: str | None) -> FreezeState:
        """Whether a freeze stands for a group, or for all."""
        row = self._freezes.active(tenant, group)
        if row is None:
            return FreezeState(group=group, frozen=False)
        return FreezeState(
            group=row.group,
            frozen=True,
            reason=row.reason,
            until=row.until,
            declared_by=row.declared_by,
        )

    def freeze_evidence(self, tenant: str, group: str | None) -> list[Evidence]:
        """Whether a freeze stands, read back."""
        fact = f"{group or 'all groups'} is frozen"
        found = self.frozen(tenant, group)
        return [Evidence(fact=fact, value=found.frozen, source="freeze record")]

    def judgements(self, args: JudgementsOf, tenant: str) -> JudgementList:
        """How a rollout was judged."""
        row = self._rollouts.get(tenant, args.rollout)
        return JudgementList(
            rollout=row.id,
            false_alarms=FALSE_ALARMS,
            judgements=self._judgements.of(tenant, row.id, args.limit),
        )

    def _open(self, tenant: str, group: str) -> RolloutRow:
        row = self._rollouts.open_of(tenant, group)
        if row is None or row.state == RolloutState.ROLLING_BACK:
            raise Conflict(
                f"No rollout is under way in {group}.",
                hint="`deployment.status` shows what was rolled out last.",
            )
        return row

    def _open_number(self, tenant: str, group: str) -> int:
        return self._open(tenant, group).id

    def _skip(self, row: RolloutRow) -> bool:
        """Take the next step of a rollout that runs; False if it holds, and a new one is due."""
        running = (RolloutState.RUNNING,)
        current = self._rollouts.get(row.tenant, row.id)
        skip = max(current.skip, current.step + 1)
        went = self._rollouts.change(row.id, running, skip=skip, paused=False)
        self._fleet.watch.reported()
        return went

    def _wanted(self, tenant: str, rollout: int, version: int | None) -> dict[str, object]:
        row = self._rollouts.get(tenant, rollout)
        return self._whole(tenant, row, version).model_dump(mode="json", exclude_none=True)

    def _whole(self, tenant: str, row: RolloutRow, version: int | None) -> StartRollout:
        """The rollout that brings what holds to the whole group."""
        if row.strategy == AB_TEST and version is None:
            result = self._experiments.result(tenant, row.group)
            if result.winner is None:
                raise Conflict(
                    f"The A/B test in {row.group} has no winner yet: {result.why}.",
                    hint="Wait for more outcomes, or name the version.",
                )
            version = result.winner
        elif version is not None and row.strategy != AB_TEST and version != row.version:
            raise InvalidInput(
                f"Rollout {row.id} is of v{row.version}; v{version} is rolled out by "
                "`deployment.start`."
            )
        said: dict[str, object] = dict(row.plan.get("args", {}))
        kept = {key: said[key] for key in Selection.model_fields if key in said}
        given = {"model": row.model, "version": version or row.version, "group": row.group}
        return StartRollout.model_validate({**kept, **given, "strategy": Strategy.ALL})

    def _again(self, tenant: str, group: str) -> StartRollout | StartAbTest:
        asked = self._asked(tenant, group)
        kind = StartRollout if "strategy" in asked else StartAbTest
        return kind.model_validate(asked)

    def _asked(self, tenant: str, group: str) -> dict[str, object]:
        """What the group's last rollout was asked with.

        Raises:
            Conflict: there is none that ended badly.
        """
        row = self._rollouts.latest(tenant, group)
        if row is None or row.state not in _ENDED_BADLY or not row.plan.get("args"):
            stands = f"rollout {row.id} is {row.state}" if row else "nothing was rolled out"
            raise Conflict(
                f"There is nothing to try again in {group}: {stands}.",
                hint="A rollout that was aborted, rolled back or failed can be tried again.",
            )
        return row.plan["args"]

    def _chosen(self, tenant: str, args: RollBack) -> tuple[int, list[str]]:
        row = self._rollouts.latest(tenant, args.group)
        if row is None or row.state not in (*HOLDING, RolloutState.RUNNING, RolloutState.DONE):
            stands = f"rollout {row.id} is {row.state}" if row else "nothing was rolled out"
            raise Conflict(f"No device of {args.group} can be put back: {stands}.")
        names = self.meant(tenant, row, args)
        some = frozenset(names)
        others = [
            t
            for t in self._rollouts.targets(row.id)
            if t.chosen and not t.excluded and t.device not in some
        ]
        return row.id, names if others else []

    def _protected(self, tenant: str, group: str) -> bool:
        row = self._fleet.group(tenant, group)
        return row is not None and row.protected
