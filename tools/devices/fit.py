"""Which variant of a model each device gets, who gets none, and why: a pure function.

A rollout calls `fit` before it begins, with the devices as they last reported and the variants that
there are. Nothing is read or changed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.devices.fleet import Device
from tools.devices.types import Machine, Profile

PROFILE_MEMORY_MB = {Profile.PHONE: 512, Profile.LAPTOP: 2048, Profile.SERVER: 16384}
SPARE_DISK_MB = 32
LOW_BATTERY_PERCENT = 20
METERED_MB = 50
PREFERRED = {
    Profile.PHONE: ("executorch", "onnx", "llamacpp", "openvino"),
    Profile.LAPTOP: ("openvino", "onnx", "llamacpp", "executorch"),
    Profile.SERVER: ("onnx", "openvino", "llamacpp", "executorch"),
}
"""The runtimes that suit a class of device, best first."""
EVERYWHERE = ("onnx",)
"""What a device that has not said which runtimes it has is taken to have."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of a model version.

    Attributes:
        name: such as `onnx-int8`; unique among the variants of a version.
        runtime: onnx, openvino, executorch or llamacpp.
        size_bytes: of all its files.
        memory_mb: what serving it takes.
        profiles: the classes of device that it is meant for; empty means all.
    """

    name: str
    runtime: str
    size_bytes: int
    memory_mb: int
    profiles: tuple[Profile, ...] = ()


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a device gets no variant.

    Attributes:
        reason: for a person, with the figures that decide.
        later: the variant that it gets then; None if it never fits.
    """

    reason: str
    later: Variant | None = None

    @property
    def passing(self) -> bool:
        """True if it may fit later as it is (low battery, metered network)."""
        return self.later is not None


@dataclass(frozen=True, slots=True)
class FleetFit:
    """Who fits and who does not.

    Attributes:
        fits: the variant of every device that fits, by the device's name.
        misfits: why the others do not, by the device's name.
        classes: how many devices of each class get which variant.
    """

    fits: Mapping[str, Variant] = field(default_factory=dict[str, Variant])
    misfits: Mapping[str, Misfit] = field(default_factory=dict[str, Misfit])
    classes: Mapping[Profile, Mapping[str, int]] = field(
        default_factory=dict[Profile, Mapping[str, int]]
    )

    def variant_of(self, device: str) -> Variant | None:
        """The variant that a device gets, now or when it can; None for no such device."""
        misfit = self.misfits.get(device)
        return self.fits.get(device) or (misfit and misfit.later)

    def told(self) -> str:
        """One line for a person: `phones get executorch-int8 (3), laptops get openvino-int8 (2)`.

        Devices that get none are counted at the end.
        """
        parts = [
            f"{profile.value}s get " + " or ".join(f"{n} ({c})" for n, c in counts.items())
            for profile, counts in self.classes.items()
        ]
        if self.misfits:
            parts.append(f"{len(self.misfits)} get none")
        return ", ".join(parts) or "no devices"


def fit(devices: Sequence[Device], variants: Sequence[Variant]) -> FleetFit:
    """Choose for every device the variant that suits its class best among those that fit.

    Args:
        devices: as they last reported; one that never did is judged by its class alone.
        variants: the forms in which the version can be had.
    """
    fits: dict[str, Variant] = {}
    misfits: dict[str, Misfit] = {}
    classes: dict[Profile, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for device in devices:
        found = fit_device(device, variants)
        if isinstance(found, Misfit):
            misfits[device.name] = found
        else:
            fits[device.name] = found
            classes[device.profile][found.name] += 1
    return FleetFit(fits, misfits, {profile: dict(counts) for profile, counts in classes.items()})


def fit_device(
    device: Device, variants: Sequence[Variant], machine: Machine | None = None
) -> Variant | Misfit:
    """The variant that suits one device best, or why none does.

    Of several reasons the one of the best-suited variant is told; one that may pass goes last.

    Args:
        device: as it last reported.
        variants: the forms in which the version can be had.
        machine: what a device that has not reported said of itself otherwise.
    """
    machine = device.report.machine if device.report else machine
    order = PREFERRED[device.profile]
    known = [v for v in variants if v.runtime in order]
    ranked = sorted(known, key=lambda v: (order.index(v.runtime), v.size_bytes))
    misfits: list[Misfit] = []
    for variant in ranked:
        why = _misfit(device, machine, variant)
        if why is None:
            return variant
        misfits.append(why)
    if not misfits:
        return Misfit("there is no variant of this version for any device")
    return next((m for m in misfits if m.passing), misfits[0])


def _misfit(device: Device, machine: Machine | None, variant: Variant) -> Misfit | None:
    if variant.profiles and device.profile not in variant.profiles:
        meant = " and ".join(f"{p.value}s" for p in variant.profiles)
        return Misfit(f"{variant.name} is meant for {meant}, {device.name} is a {device.profile}")
    if variant.runtime not in (machine.runtimes if machine else EVERYWHERE):
        return Misfit(f"{device.name} has no {variant.runtime} for {variant.name}")
    return _too_small(device, machine, variant) or _not_now(device, machine, variant)


def _too_small(device: Device, machine: Machine | None, variant: Variant) -> Misfit | None:
    memory = PROFILE_MEMORY_MB[device.profile]
    if machine and machine.memory_mb is not None:
        memory = min(memory, int(machine.memory_mb))
    if variant.memory_mb > memory:
        return Misfit(
            f"{device.name} ({device.profile}) gives {memory} MB of memory, "
            f"{variant.name} needs {variant.memory_mb} MB"
        )
    free = device.report.free_disk_mb if device.report else None
    needed = (variant.size_bytes >> 20) + SPARE_DISK_MB
    if free is not None and free < needed:
        return Misfit(
            f"{device.name} has {free:.0f} MB of free disk, {variant.name} needs {needed} MB"
        )
    return None


def _not_now(device: Device, machine: Machine | None, variant: Variant) -> Misfit | None:
    if machine is None:
        return None
    battery = machine.battery_percent
    if battery is not None and battery < LOW_BATTERY_PERCENT and not machine.charging:
        return Misfit(f"the battery of {device.name} is at {battery:.0f} %", variant)
    size = variant.size_bytes >> 20
    if machine.network == "cellular" and size > METERED_MB:
        return Misfit(
            f"{device.name} is on a cellular network, {variant.name} has {size} MB", variant
        )
    return None
