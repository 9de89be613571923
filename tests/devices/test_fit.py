"""Who fits a model, who does not and why, and which variant each class of device gets."""

from __future__ import annotations

from typing import Any

import pytest

from tools.devices.fit import Misfit, Variant, fit, fit_device
from tools.devices.fleet import Device, Reported
from tools.devices.joining import Offer, joined, load_offers
from tools.devices.types import DeviceState, Machine, Profile, ServedModel
from tools.kernel.storage import now

ALL: tuple[str, ...] = ("onnx", "openvino", "executorch", "llamacpp")
ONNX = Variant("onnx-int8", "onnx", 25 << 20, 180)
VINO = Variant("openvino-int8", "openvino", 24 << 20, 200)
PTE = Variant("executorch-int8", "executorch", 26 << 20, 160, (Profile.PHONE,))


def device(
    name: str, profile: Profile = Profile.LAPTOP, disk: float = 5000, **machine: Any
) -> Device:
    report = Reported(
        at=now(),
        boot=1,
        generation=0,
        attempted=0,
        phase="idle",
        healthy=True,
        serving=(),
        staged=(),
        slots={},
        error=None,
        traffic=(),
        p50_ms=None,
        p95_ms=None,
        memory_mb=50,
        free_disk_mb=disk,
        address=None,
        agent="1",
        machine=Machine.model_validate({"runtimes": ALL, **machine}),
    )
    return Device(1, name, "g", profile, DeviceState.ONLINE, 0, (), (), None, None, report)


def test_each_class_gets_the_variant_that_suits_it() -> None:
    fleet = [device("ph-1", Profile.PHONE), device("tp-1"), device("sv-1", Profile.SERVER)]
    found = fit(fleet, [ONNX, VINO, PTE])
    assert {n: v.name for n, v in found.fits.items()} == {
        "ph-1": "executorch-int8",
        "tp-1": "openvino-int8",
        "sv-1": "onnx-int8",
    }
    assert not found.misfits
    assert found.told() == (
        "phones get executorch-int8 (1), laptops get openvino-int8 (1), servers get onnx-int8 (1)"
    )


def test_a_device_without_the_best_runtime_gets_the_next() -> None:
    found = fit_device(device("tp-1", runtimes=("onnx",)), [VINO, ONNX])
    assert found == ONNX


@pytest.mark.parametrize(
    ("made", "told", "passing"),
    [
        (device("ph-1", Profile.PHONE, memory_mb=128), "gives 128 MB of memory", False),
        (device("ph-1", Profile.PHONE, disk=40), "40 MB of free disk", False),
        (device("ph-1", Profile.PHONE, battery_percent=7, charging=False), "at 7 %", True),
        (device("ph-1", Profile.PHONE, runtimes=("llamacpp",)), "no executorch", False),
    ],
)
def test_who_does_not_fit_is_told_why(made: Device, told: str, passing: bool) -> None:
    found = fit_device(made, [PTE, ONNX])
    assert isinstance(found, Misfit)
    assert told in found.reason and found.passing is passing


def test_a_big_model_waits_for_another_network_and_a_charging_phone_may_have_it() -> None:
    big = Variant("gguf-q4", "llamacpp", 95 << 20, 300)
    waits = fit_device(device("ph-1", Profile.PHONE, network="cellular"), [big])
    assert isinstance(waits, Misfit) and waits.passing and "cellular" in waits.reason
    low = device("ph-1", Profile.PHONE, battery_percent=3.0, charging=True, network="wifi")
    assert fit_device(low, [big]) == big


def test_a_device_that_never_reported_is_judged_by_its_class() -> None:
    silent = Device(1, "ph-9", "g", Profile.PHONE, DeviceState.PENDING, 0, (), (), None, None, None)
    assert fit_device(silent, [ONNX, VINO]) == ONNX
    huge = Variant("onnx-fp32", "onnx", 1 << 30, 2200)
    assert isinstance(fit_device(silent, [huge]), Misfit)
    assert isinstance(fit_device(silent, []), Misfit)


def offer(variant: Variant, bundle: str) -> Offer:
    return Offer.of(ServedModel(model="router", version=2, bundle=bundle), variant)


def test_a_device_that_joins_gets_the_form_that_suits_what_it_said_when_it_was_enrolled() -> None:
    baseline = [offer(ONNX, "a" * 64), offer(VINO, "b" * 64)]
    new = Device(1, "tp-9", "g", Profile.LAPTOP, DeviceState.PENDING, 0, (), (), None, None, None)
    able = Machine.model_validate({"runtimes": ALL})
    assert joined(new, baseline, able) == (baseline[1].served,)
    assert joined(new, baseline) == (baseline[0].served,)
    assert joined(device("tp-1"), baseline) == (baseline[1].served,)
    assert joined(new, []) == ()


def test_what_fits_nowhere_is_still_told_to_a_device_that_joins_so_that_it_says_why() -> None:
    only = offer(VINO, "b" * 64)
    assert joined(device("tp-1", runtimes=("onnx",)), [only]) == (only.served,)


def test_a_baseline_from_before_forms_were_noted_is_the_versions_own() -> None:
    stored = {"model": "router", "version": 2, "bundle": "a" * 64, "weight": 100}
    baseline = load_offers([stored])
    assert joined(device("tp-1"), baseline) == (ServedModel.model_validate(stored),)
