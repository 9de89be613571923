"""What a rollout tells each device, wave by wave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.deployment.forms import Form
from tools.deployment.plan import Plan
from tools.deployment.rollouts import AB_TEST, NewTarget
from tools.deployment.tables import RolloutRow, TargetRow
from tools.deployment.types import Strategy
from tools.devices.fleet import Desired, Device, load_models
from tools.devices.joining import Offer, load_offers
from tools.devices.types import DeviceState, ServedModel


def waves_of(strategy: str) -> tuple[str, ...]:
    """The waves in which a strategy reaches its devices."""
    if strategy == Strategy.SHADOW:
        return ("shadow",)
    return ("stage", "switch") if strategy == Strategy.BLUE_GREEN else ("deploy",)


def wanted_of(row: RolloutRow, wave: str, target: TargetRow) -> Desired:
    """What a device is to serve and to stage in a wave; always the same for the same wave."""
    before = load_models(target.before)
    if wave == "stage":
        return Desired(serve=before, stage=(new_model(row, target.form),))
    if row.strategy in (AB_TEST, Strategy.SHADOW):
        share = row.percent if row.strategy == AB_TEST else 0
        control = before[0].model_copy(update={"weight": 100 - share})
        new = new_model(row, target.form).model_copy(update={"weight": share})
        return Desired(serve=(control, new))
    return Desired(serve=(new_model(row, target.form),))


def new_model(row: RolloutRow, form: str | None = None) -> ServedModel:
    """The model that a rollout brings.

    Args:
        row: the rollout.
        form: the form that a device gets; None for the version's own.

    Raises:
        RuntimeError: before its bundle is built.
    """
    bundle = row.bundles.get(form or "", row.bundle)
    if bundle is None:
        raise RuntimeError(f"rollout {row.id} has no bundle yet")
    return ServedModel(model=row.model, version=row.version, bundle=bundle)


def offers_built(
    row: RolloutRow, bundles: Mapping[str, str], forms: Mapping[str, Form]
) -> list[dict[str, Any]]:
    """The forms that a rollout brings, as its record keeps them.

    Args:
        row: the rollout.
        bundles: the bundle of each form, the version's own first.
        forms: what devices are fitted with.
    """
    served = {
        name: ServedModel(model=row.model, version=row.version, bundle=bundle)
        for name, bundle in bundles.items()
    }
    return dump_models([Offer.of(model, forms[n].variant) for n, model in served.items()])


def offers_of(row: RolloutRow) -> tuple[Offer, ...]:
    """The forms that a rollout brings, the version's own first."""
    known = load_offers(row.plan.get("offers", []))
    return known or ((Offer(**new_model(row).model_dump()),) if row.bundle else ())


def target_of(plan: Plan, device: Device) -> NewTarget:
    """A device of a plan, as the rollout's record keeps it."""
    variant = plan.fit.variant_of(device.name)
    return NewTarget(
        device=device.name,
        before=dump_models(plan.before[device.name]),
        chosen=device.name in plan.chosen,
        wave=plan.chosen.get(device.name, 0),
        awaited=device.state == DeviceState.ONLINE,
        traffic=[t.model_dump() for t in device.report.traffic] if device.report else [],
        facts=_facts(device),
        form=variant.name if variant else None,
    )


def _facts(device: Device) -> dict[str, Any]:
    report = device.report
    return {"p95_ms": report.p95_ms, "boot": report.boot} if report else {}


def dump_models(models: Sequence[ServedModel]) -> list[dict[str, Any]]:
    """Served models in their stored form."""
    return [model.model_dump() for model in models]
