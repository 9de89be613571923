"""What a rollout would do: which devices, from what to what, and whether it can be done at all.

Used twice: for the preview, and again by the rollout's first step on what stands by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.deployment.experiment_types import StartAbTest
from tools.deployment.forms import Form, Forms, fitted, kept, refuse_unserved
from tools.deployment.freezes import Freezes
from tools.deployment.rollouts import AB_TEST, HOLDING, Rollouts
from tools.deployment.select import meant, why_not
from tools.deployment.select import told as filter_told
from tools.deployment.tables import RolloutRow
from tools.deployment.types import RolloutState, Selection, StartRollout, Strategy
from tools.devices.fit import FleetFit
from tools.devices.fleet import Device, Fleet, load_models
from tools.devices.joining import Offer, load_offers
from tools.devices.types import DeviceState, ServedModel
from tools.devices.views import few, named
from tools.kernel.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

DEFAULT_CANARY_PERCENT = 34
STEP_SAMPLE = 30
"""Answers of the new version that a step is judged on, where several steps follow each other."""
MOST_WARNINGS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollout will do.

    Attributes:
        version: the registered version.
        strategy: canary, blue_green, all, shadow or ab_test.
        percent: of the group (of the requests, for an A/B test).
        devices: every device of the group that is meant.
        chosen: by the name of every device that is to be changed, its step, counted from 0.
        before: what each is to be put back to.
        baseline: what devices that join the group were to serve before.
        takes_over: the holding canary or test that it goes on from.
        warnings: what a person should know.
        fit: which form of the version each device gets.
        options: what else was said, as the rollout's record keeps it.
    """

    version: ModelVersionInfo
    strategy: str
    percent: int
    devices: tuple[Device, ...]
    chosen: dict[str, int]
    before: dict[str, tuple[ServedModel, ...]]
    baseline: tuple[Offer, ...]
    takes_over: RolloutRow | None
    warnings: tuple[str, ...]
    fit: FleetFit
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class Planner:
    """Makes plans; reads only.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._freezes = kernel.get(Freezes)

    def rollout(self, tenant: str, args: StartRollout) -> Plan:
        """The plan of a rollout.

        Raises:
            Conflict: something stands in the way; nothing was done.
            InvalidInput: the arguments do not go together.
            NotFound: there is no such version.
        """
        strategy, steps = _reach(args)
        self._freezes.check(tenant, args.group)
        version = self._version(tenant, args.model, args.version)
        devices = self._devices(tenant, args.group, args)
        held = self._held(tenant, args, strategy, steps[-1])
        if strategy == Strategy.SHADOW:
            self._check_shadow(args.group, devices, version)
        chosen = staged(args.group, devices, steps)
        if not held and all(self._has(d, version) for d in devices):
            raise Conflict(
                f"Every device of {args.group} is to serve {version} already.",
                hint="`deployment.status` shows what each of them reports.",
            )
        options = {
            "steps": steps,
            "seconds": None if args.minutes is None else args.minutes * 60,
            "sample": _sample(args, strategy, steps),
            "window": args.window,
            "per_minute": args.per_minute,
            "meant": filter_told(args),
            "args": args.model_dump(mode="json", exclude_none=True),
        }
        return self._plan(tenant, version, strategy, steps[-1], devices, chosen, held, options)

    def ab_test(self, tenant: str, args: StartAbTest) -> Plan:
        """The plan of an A/B test.

        Raises:
            Conflict: nothing, or not one and the same model, is served by the group now.
            NotFound: there is no such version.
        """
        self._freezes.check(tenant, args.group)
        version = self._version(tenant, args.model, args.version)
        devices = self._devices(tenant, args.group)
        if (found := self._rollouts.open_of(tenant, args.group)) is not None:
            raise in_the_way(found)
        served = {d.serve for d in devices}
        if len(served) != 1 or len(next(iter(served))) != 1:
            raise Conflict(
                f"The devices of {args.group} do not all serve one model that could be tested "
                "against.",
                hint="Roll one version out to the whole group first.",
            )
        control = next(iter(served))[0]
        if (control.model, control.version) == (version.model, version.version):
            raise Conflict(f"{version} is what {args.group} serves; test another version.")
        chosen = {d.name: 0 for d in devices}
        options = {"steps": [100], "sample": 0, "args": args.model_dump(mode="json")}
        return self._plan(tenant, version, AB_TEST, args.percent, devices, chosen, None, options)

    def _plan(
        self,
        tenant: str,
        version: ModelVersionInfo,
        strategy: str,
        percent: int,
        devices: Sequence[Device],
        chosen: dict[str, int],
        held: RolloutRow | None,
        options: dict[str, Any],
    ) -> Plan:
        forms = self._forms(version, held)
        fit = fitted([d for d in devices if d.name in chosen], forms)
        warnings = _warnings(version, [d for d in devices if d.name in chosen], fit)
        before = {d.name: d.serve for d in devices}
        group = self._fleet.group(tenant, devices[0].group)
        baseline = load_offers(group.baseline) if group else ()
        if held is not None:
            before |= {
                t.device: load_models(t.before)
                for t in self._rollouts.targets(held.id)
                if t.touched
            }
            baseline = load_offers(held.baseline_before)
        return Plan(
            version=version,
            strategy=strategy,
            percent=percent,
            devices=tuple(devices),
            chosen=chosen,
            before=before,
            baseline=baseline,
            takes_over=held,
            warnings=tuple(warnings),
            fit=fit,
            options=options | {"forms": {n: f.registered for n, f in forms.items()}},
        )

    def _version(self, tenant: str, model: str, version: int) -> ModelVersionInfo:
        from tools.registry.service import RegistryService

        registry = self._kernel.get(RegistryService)
        found = registry.version(model, version, tenant)
        if found.archived:
            raise Conflict(f"{found} is archived.", hint="Restore it, or choose another version.")
        registry.artifact(model, version, tenant)
        refuse_unserved(found)
        return found

    def _devices(self, tenant: str, group: str, wanted: Selection | None = None) -> list[Device]:
        devices = self._fleet.devices(tenant, group)
        if wanted is not None and not meant(devices, wanted) and devices:
            reasons = [why for d in devices if (why := why_not(d, wanted))]
            raise Conflict(
                f"No device of {group} is meant by {filter_told(wanted)!r}: {few(reasons)}.",
                hint="`devices.describe` shows what a device reports of itself.",
            )
        devices = meant(devices, wanted) if wanted is not None else devices
        enrolled = [d for d in devices if d.state != DeviceState.PENDING]
        if not any(d.state == DeviceState.ONLINE for d in enrolled):
            told = few([f"{d.name} is {d.state}" for d in devices]) or "it has no devices"
            raise Conflict(
                f"No device of {group} is online: {told}.",
                hint="Start the devices; `devices.health` shows who is silent.",
            )
        return enrolled

    def _held(
        self, tenant: str, args: StartRollout, strategy: str, percent: int
    ) -> RolloutRow | None:
        found = self._rollouts.open_of(tenant, args.group)
        if found is None:
            return None
        if found.state not in HOLDING or not self._goes_on(found, args):
            raise in_the_way(found)
        if found.paused:
            raise Conflict(
                f"Rollout {found.id} of {args.group} is paused.", hint="Resume it first."
            )
        if (
            found.state == RolloutState.CANARY
            and strategy == Strategy.CANARY
            and percent <= found.percent
        ):
            raise Conflict(
                f"The canary of {args.model} v{args.version} holds at {found.percent} % of "
                f"{args.group} already.",
                hint="Start it with strategy all, or with a higher percentage.",
            )
        return found

    def _check_shadow(
        self, group: str, devices: Sequence[Device], version: ModelVersionInfo
    ) -> None:
        """Refuse a shadow where nothing answers that it could run beside.

        Raises:
            Conflict: naming the devices.
        """
        empty = [d.name for d in devices if len(d.serve) != 1]
        if empty:
            raise Conflict(
                f"{few(empty)} of {group} serves no single model that {version} could shadow.",
                hint="Roll one version out to the whole group first.",
            )

    def _goes_on(self, found: RolloutRow, args: StartRollout) -> bool:
        wanted = (args.model, args.version)
        if found.state in (RolloutState.CANARY, RolloutState.SHADOW):
            return (found.model, found.version) == wanted
        served = {(found.model, found.version)}
        for target in self._rollouts.targets(found.id):
            served |= {(m.model, m.version) for m in load_models(target.before)}
        return wanted in served

    def _has(self, device: Device, version: ModelVersionInfo) -> bool:
        return [(s.model, s.version) for s in device.serve] == [(version.model, version.version)]

    def _forms(self, version: ModelVersionInfo, held: RolloutRow | None) -> dict[str, Form]:
        forms = self._kernel.get(Forms).of(version)
        if held is None or (held.model, held.version) != (version.model, version.version):
            return forms
        return kept(forms, held.plan.get("forms", {}))


def _warnings(version: ModelVersionInfo, devices: Sequence[Device], fit: FleetFit) -> list[str]:
    """Who is silent, and who is short of battery or on a metered network.

    Raises:
        Conflict: naming those on which the version does not fit.
    """
    misfits = fit.misfits.values()
    lasting = [m.reason for m in misfits if not m.passing]
    if lasting:
        raise Conflict(f"{version} does not fit: {few(lasting, joint='; ')}.")
    waiting = [f"{m.reason}." for m in misfits]
    warnings = waiting[:MOST_WARNINGS]
    if more := len(waiting) - len(warnings):
        warnings.append(f"{more} more devices are short of battery or on a metered network.")
    silent = [d.name for d in devices if d.state == DeviceState.SILENT]
    if silent:
        verb = "is" if len(silent) == 1 else "are"
        warnings.append(f"{few(silent)} {verb} silent and will follow when back.")
    return warnings


def choose(group: str, names: Sequence[str], percent: int) -> list[str]:
    """The canary devices: always the same ones for a group, a larger share includes a smaller one.

    At least one, and never all unless `percent` is 100.
    """
    ranked = sorted(names, key=lambda n: hashlib.sha256(f"{group}/{n}".encode()).digest())
    count = max(1, round(len(ranked) * percent / 100))
    if percent < 100 and len(ranked) > 1:
        count = min(count, len(ranked) - 1)
    return sorted(ranked[:count])


def staged(group: str, devices: Sequence[Device], steps: Sequence[int]) -> dict[str, int]:
    """By device, the step that reaches it; steps of less than 100 % reach devices online only."""
    alive = [d.name for d in devices if d.state == DeviceState.ONLINE]
    found: dict[str, int] = {}
    for number, percent in enumerate(steps):
        names = [d.name for d in devices] if percent == 100 else choose(group, alive, percent)
        for name in names:
            found.setdefault(name, number)
    return found


def in_the_way(found: RolloutRow) -> Conflict:
    """The refusal because of a rollout that is not finished."""
    what = "An A/B test" if found.strategy == AB_TEST else "A rollout"
    where = {
        RolloutState.CANARY.value: "holds as a canary",
        RolloutState.SHADOW.value: "runs as a shadow",
    }.get(found.state, "is not finished")
    return Conflict(
        f"{what} of {found.model} v{found.version} {where} in {found.group} (rollout {found.id}).",
        hint="Promote it with deployment.start, or end it with deployment.rollback, first.",
    )


def _reach(args: StartRollout) -> tuple[str, list[int]]:
    """The strategy, and the shares of the group that it reaches one after the other.

    Raises:
        InvalidInput: the arguments do not go together.
    """
    if args.strategy != Strategy.CANARY:
        if args.percent not in (None, 100) or args.steps not in (None, [100]):
            raise InvalidInput(
                f"A percentage belongs to a canary; {args.strategy.value} reaches the whole group."
            )
        return args.strategy.value, [100]
    if args.steps is not None:
        return _in_steps(args.steps, args.percent)
    percent = DEFAULT_CANARY_PERCENT if args.percent is None else args.percent
    return (Strategy.ALL.value if percent == 100 else Strategy.CANARY.value), [percent]


def _in_steps(steps: list[int], percent: int | None) -> tuple[str, list[int]]:
    if sorted(set(steps)) != steps:
        raise InvalidInput(
            f"The steps of a canary grow, such as 5, 25, 100; {', '.join(map(str, steps))} do not."
        )
    if percent is not None and percent != steps[-1]:
        raise InvalidInput(
            f"Either a percentage or steps: {percent} % is not the last of "
            f"{', '.join(map(str, steps))}."
        )
    return (Strategy.ALL.value if steps == [100] else Strategy.CANARY.value), steps


def _sample(args: StartRollout, strategy: str, steps: Sequence[int]) -> int:
    if args.sample is not None:
        return args.sample
    return STEP_SAMPLE if len(steps) > 1 or strategy == Strategy.SHADOW else 0


def described(models: Sequence[ServedModel]) -> str:
    """What a device serves, for a person; `none` for nothing."""
    return named(models) or "none"
