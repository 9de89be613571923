"""Rollouts as people see them, and the evidence that devices gave by their own reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tools.deployment.judgements import Judgements
from tools.deployment.looks import traffic_since
from tools.deployment.plan import described
from tools.deployment.rollouts import AB_TEST, Rollouts
from tools.deployment.tables import RolloutRow, TargetRow
from tools.deployment.types import (
    DeploymentStatus,
    DeviceOutcome,
    GroupStatus,
    RolloutReport,
    RolloutState,
)
from tools.devices.fleet import Device, Fleet, load_models, merge_traffic
from tools.devices.types import DeviceState, ServedModel, Traffic
from tools.kernel.operations import Evidence

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel


class StatusReader:
    """Reads rollouts together with what devices report; changes nothing.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._judgements = kernel.get(Judgements)

    def status(self, tenant: str, group: str | None) -> DeploymentStatus:
        """The state of one group, or of all groups."""
        groups = [g for g in self._fleet.groups(tenant) if group in (None, g.name)]
        return DeploymentStatus(
            groups=[self._group(tenant, row.name, row.protected) for row in groups]
        )

    def report(self, tenant: str, rollout: int) -> RolloutReport:
        """A rollout with its devices as they report themselves now."""
        row = self._rollouts.get(tenant, rollout)
        devices = {d.name: d for d in self._fleet.devices(tenant, row.group)}
        targets = self._rollouts.targets(rollout)
        return RolloutReport(
            rollout=row.id,
            model=row.model,
            version=row.version,
            group=row.group,
            strategy=row.strategy,
            percent=row.percent,
            state=RolloutState(row.state),
            paused=row.paused,
            bundle=row.bundle,
            reason=row.reason,
            job=row.job,
            started=row.created,
            ended=row.ended,
            steps=row.plan.get("steps", []),
            step=row.step + 1,
            hold=row.hold,
            judged=self._judgements.newest(tenant, rollout),
            devices=[_outcome(devices.get(t.device), t) for t in targets],
            exposures=_exposures(targets, devices) if row.strategy == AB_TEST else [],
        )

    def evidence(self, tenant: str, rollout: int) -> list[Evidence]:
        """What each touched device reports to serve, and whether it said so after the change."""
        row = self._rollouts.get(tenant, rollout)
        devices = {d.name: d for d in self._fleet.devices(tenant, row.group)}
        found = [
            Evidence(fact=f"state of rollout {rollout}", value=row.state, source="rollout record")
        ]
        for target in self._rollouts.targets(rollout):
            if target.touched or row.takes_over:
                device = devices.get(target.device)
                found.extend(_device_evidence(target.device, device, _forms(row)))
        return found

    def _group(self, tenant: str, group: str, protected: bool) -> GroupStatus:
        latest = self._rollouts.latest(tenant, group)
        targets = {t.device: t for t in self._rollouts.targets(latest.id)} if latest else {}
        devices = self._fleet.devices(tenant, group)
        return GroupStatus(
            group=group,
            protected=protected,
            rollout=self.report(tenant, latest.id) if latest else None,
            devices=[_outcome(device, targets.get(device.name)) for device in devices],
            silent=[d.name for d in devices if d.state == DeviceState.SILENT],
        )


def _outcome(device: Device | None, target: TargetRow | None) -> DeviceOutcome:
    before = list(load_models(target.before)) if target else []
    touched = target.touched if target else False
    step = target.wave + 1 if target and target.chosen else None
    excluded = target.excluded if target else False
    form = target.form if target and target.chosen else None
    if device is None:
        return DeviceOutcome(
            device=target.device if target else "",
            step=step,
            excluded=excluded,
            form=form,
            touched=touched,
            before=before,
            desired=[],
            reported=[],
            confirmed=False,
            state=DeviceState.RETIRED,
        )
    return DeviceOutcome(
        device=device.name,
        step=step,
        excluded=excluded,
        form=form,
        touched=touched,
        before=before,
        desired=list(device.serve),
        reported=list(device.serving),
        confirmed=device.confirmed,
        state=device.state,
        reported_at=device.report.at if device.report else None,
        error=device.refused or (device.report.error if device.report else None),
    )


def _exposures(targets: Sequence[TargetRow], devices: Mapping[str, Device]) -> list[Traffic]:
    """What each variant answered since the test began, over all its devices."""
    counts: list[dict[str, Any]] = []
    for target in targets:
        device = devices.get(target.device)
        if device is None or device.report is None:
            continue
        for traffic in traffic_since(device.report.traffic, target.traffic_before):
            answered = traffic.requests - traffic.errors
            surety = (traffic.mean_confidence or 0.0) * answered
            counts.append({**traffic.model_dump(), "confidence_sum": surety})
    return [t for t in merge_traffic(counts) if t.requests]


def _forms(row: RolloutRow) -> dict[str, str]:
    """Names of the forms that a rollout brings, by bundle; none where all devices get the same."""
    if len(row.bundles) < 2:
        return {}
    return {bundle: name for name, bundle in row.bundles.items()}


def _device_evidence(name: str, device: Device | None, forms: Mapping[str, str]) -> list[Evidence]:
    if device is None or device.report is None:
        return [Evidence(fact=f"model served by {name}", value=None, source=f"device {name}")]
    report = device.report
    return [
        Evidence(
            fact=f"model served by {name}",
            value=_told(report.serving, forms),
            source=f"device {name}",
        ),
        Evidence(
            fact=f"{name} reported this after the change",
            value=device.confirmed and (device.changed is None or report.at > device.changed),
            source=f"device {name}",
        ),
        Evidence(
            fact=f"last report of {name}",
            value=report.at.isoformat(),
            source=f"device {name}",
            guard=False,
        ),
    ]


def _told(served: Sequence[ServedModel], forms: Mapping[str, str]) -> str:
    if not served:
        return "none"
    if len(served) == 1:
        form = forms.get(served[0].bundle)
        as_form = f" as {form}" if form else ""
        return f"{described(served)}{as_form} (sha256 {served[0].bundle})"
    return " and ".join(f"{s.model} v{s.version} at {s.weight} % ({s.bundle})" for s in served)
