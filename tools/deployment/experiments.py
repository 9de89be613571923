"""A/B tests: outcomes by the key that was asked with, and what may be concluded at any moment."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.deployment.experiment_types import (
    AbResult,
    Arm,
    Guardrail,
    OutcomeRecorded,
    RecordOutcome,
)
from tools.deployment.judging import FAILED_ANSWERS, NOTHING
from tools.deployment.outcomes import Outcomes
from tools.deployment.rollouts import AB_TEST, Rollouts
from tools.deployment.sequential import FALSE_ALARMS
from tools.deployment.status import StatusReader
from tools.deployment.tables import RolloutRow
from tools.deployment.types import RolloutReport
from tools.devices.fleet import load_models
from tools.evaluation.sequential import Counted, Look, proportion_difference
from tools.kernel.errors import Conflict

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

LEAST_OUTCOMES = 30
"""Outcomes of each variant before which nothing is recommended."""
GUARDED = ("failed answers",)


class Experiments:
    """A/B tests of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._outcomes = kernel.get(Outcomes)
        self._rollouts = kernel.get(Rollouts)
        self._reader = kernel.get(StatusReader)

    def newest(self, tenant: str, group: str) -> RolloutRow:
        """The group's A/B test, running or ended last.

        Raises:
            Conflict: there never was one.
        """
        for row in self._rollouts.recent(tenant):
            if row.group == group and row.strategy == AB_TEST:
                return row
        raise Conflict(f"There is no A/B test in {group}.", hint="`deployment.ab_test` begins one.")

    def record(self, tenant: str, args: RecordOutcome) -> OutcomeRecorded:
        """Note how a request ended; a second outcome of the same key changes nothing.

        In an A/B test the key tells which version had answered it; of a rollout in steps it has to
        be said.

        Raises:
            Conflict: there was no A/B test and no version was said, or no rollout of that version.
        """
        if args.version is None:
            row = self.newest(tenant, args.group)
            version = self._assigned(row, args.key)
        else:
            row, version = self._rolled_out(tenant, args.group, args.version), args.version
        return self._outcomes.add(row, args.key, version, args.success)

    def _rolled_out(self, tenant: str, group: str, version: int) -> RolloutRow:
        """The group's newest rollout, which a version takes part in as the old or the new one."""
        row = self._rollouts.latest(tenant, group)
        known = {row.version} if row else set[int]()
        for target in self._rollouts.targets(row.id) if row else ():
            known |= {model.version for model in load_models(target.before)}
        if row is None or version not in known:
            told = " and ".join(f"v{v}" for v in sorted(known)) or "nothing"
            raise Conflict(
                f"v{version} takes no part in the last rollout of {group}: {told} does.",
                hint="The answer of a device says which version gave it.",
            )
        return row

    def result(self, tenant: str, group: str) -> AbResult:
        """What may be concluded now; looking often does not raise the rate of false alarms."""
        row = self.newest(tenant, group)
        control = self._control(row)
        counted = self._outcomes.counted(row.id)
        counts = [counted.get(version, NOTHING) for version in (control, row.version)]
        look = proportion_difference(counts[0], counts[1])
        report = self._reader.report(tenant, row.id)
        guards = [_guardrail(report, control, row.version)]
        recommended, why = _recommend(counts, look, guards)
        return AbResult(
            rollout=row.id,
            group=group,
            model=row.model,
            control=_arm(report, control, counts[0]),
            challenger=_arm(report, row.version, counts[1]),
            effect=look.effect,
            low=look.low,
            high=look.high,
            p_value=look.p_value,
            level=1 - FALSE_ALARMS,
            guardrails=guards,
            recommended=recommended,
            winner={"promote": row.version, "keep": control}.get(recommended),
            why=why,
        )

    def _assigned(self, row: RolloutRow, key: str) -> int:
        """The version that a key is answered by: as devices choose it (`edge.runtime.bucket`)."""
        point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 100
        return self._control(row) if point < 100 - row.percent else row.version

    def _control(self, row: RolloutRow) -> int:
        for target in self._rollouts.targets(row.id):
            for model in load_models(target.before):
                return model.version
        raise Conflict(f"The A/B test {row.id} has no device left.")


def _arm(report: RolloutReport, version: int, counted: Counted) -> Arm:
    traffic = next((t for t in report.exposures if t.version == version), None)
    return Arm(
        version=version,
        exposures=traffic.requests if traffic else 0,
        failed=traffic.errors if traffic else 0,
        outcomes=counted.trials,
        successes=counted.successes,
        rate=counted.successes / counted.trials if counted.trials else None,
    )


def _guardrail(report: RolloutReport, control: int, challenger: int) -> Guardrail:
    """The challenger may not surely fail more answers than the control and the allowed margin."""
    asked = {t.version: t for t in report.exposures}
    arms = [asked.get(version) for version in (control, challenger)]
    look = proportion_difference(
        *(Counted(t.errors, t.requests) if t else Counted(0, 0) for t in arms)
    )
    return Guardrail(
        name=GUARDED[0],
        effect=look.effect,
        low=look.low,
        high=look.high,
        limit=FAILED_ANSWERS,
        breached=look.low > FAILED_ANSWERS,
    )


def _recommend(
    counts: Sequence[Counted], look: Look, guards: Sequence[Guardrail]
) -> tuple[str, str]:
    broken = [g.name for g in guards if g.breached]
    if broken:
        return "keep", f"the challenger breaks a guardrail: {', '.join(broken)}"
    least = min(c.trials for c in counts)
    if least < LEAST_OUTCOMES:
        return "wait", f"{least} of {LEAST_OUTCOMES} outcomes of the smaller variant"
    if look.low > 0:
        return "promote", "the challenger is better"
    if look.high < 0:
        return "keep", "the challenger is worse"
    return "wait", "the interval holds no difference as well as one"
