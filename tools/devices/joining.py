"""What a device gets that joins a group later: the form, of those brought last, that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.devices.fit import Variant, fit_device
from tools.devices.types import Machine, Profile, ServedModel

if TYPE_CHECKING:
    from tools.devices.fleet import Device


class Offer(ServedModel):
    """One form of what a group serves; it stands in the group's baseline.

    Attributes:
        form: the form's name, such as `openvino-int8`.
        runtime: what runs it.
        size_bytes: of its bundle.
        memory_mb: what serving it takes.
        profiles: the classes of device that it is meant for; empty means all.
    """

    form: str = ""
    runtime: str = "onnx"
    size_bytes: int = 0
    memory_mb: int = 0
    profiles: tuple[Profile, ...] = ()

    @classmethod
    def of(cls, served: ServedModel, variant: Variant) -> Offer:
        """A form as the rollout brought it."""
        return cls(
            **served.model_dump(),
            form=variant.name,
            runtime=variant.runtime,
            size_bytes=variant.size_bytes,
            memory_mb=variant.memory_mb,
            profiles=variant.profiles,
        )

    @property
    def variant(self) -> Variant:
        """It, as devices are fitted with it."""
        return Variant(self.form, self.runtime, self.size_bytes, self.memory_mb, self.profiles)

    @property
    def served(self) -> ServedModel:
        """It, as a device serves it."""
        return ServedModel(
            model=self.model, version=self.version, bundle=self.bundle, weight=self.weight
        )


def load_offers(data: Sequence[Any]) -> tuple[Offer, ...]:
    """A baseline from its stored form."""
    return tuple(Offer.model_validate(item) for item in data)


def joined(
    device: Device, baseline: Sequence[Offer], machine: Machine | None = None
) -> tuple[ServedModel, ...]:
    """What a device serves that joins a group.

    Args:
        device: the device; what it reported decides.
        baseline: the forms that the group's last rollout brought, the version's own first.
        machine: what a device that has not reported said when it was enrolled.

    Returns:
        The form that suits it; where none does, the version's own, which the device refuses with
        a reason. Nothing if the group serves nothing.
    """
    if not baseline:
        return ()
    found = fit_device(device, [offer.variant for offer in baseline], machine)
    wanted = found if isinstance(found, Variant) else found.later
    return (next((o for o in baseline if o.variant == wanted), baseline[0]).served,)
