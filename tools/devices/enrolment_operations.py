"""The operations by which devices come and go: enroll, retire, rotate_key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.devices.types import (
    DeviceEnrolled,
    DeviceRetired,
    EnrollDevice,
    KeyRotated,
    RetireDevice,
    RotateKey,
)
from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.devices.service import DeviceService


def _service(call: Call) -> DeviceService:
    from tools.devices.service import DeviceService

    return call.get(DeviceService)


@operation(
    "devices.enroll",
    effect=Effect.WRITE,
    examples=(
        "enroll a laptop named thinkpad-4 in the thinkpads group",
        "enrol phone-9 into phones as a phone",
        "add a new device called kiosk-7 to the frontdesk group, it is a laptop",
        "register the server sv-quay-07 in servers-batch",
        "create an enrolment token for ph-eastlock-112 in phones-field, profile phone",
        "I want to add another laptop, thinkpad-5, to thinkpads",
        "let thinkpad-6 join the thinkpads",
        "onboard a phone named courier-3 to the couriers",
        "enroll server-2 in servers as a server",
        "we got a new device, tp-harbour-001, put it into thinkpads-canary as laptop",
        "set up a new phone for the drivers group called driver-12",
        "please enrol a device",
    ),
)
def enroll_device(args: EnrollDevice, call: Call) -> DeviceEnrolled:
    """Create a device record and a one-time enrolment token, which is shown once.

    Args:
        name: the new device's name.
        group: the group that it joins; a new name makes a new group.
        profile: phone, laptop or server.

    Raises:
        Conflict: a device of that name exists.
    """
    return _service(call).enroll(call.tenant, args.name, args.group, args.profile)


@enroll_device.normalise
def _(args: EnrollDevice, call: Call) -> EnrollDevice:
    group = _service(call).canonical_group(call.tenant, args.group)
    return args.model_copy(update={"group": group})


@enroll_device.preview
def _(args: EnrollDevice, call: Call) -> Preview:
    group = _service(call).check_enroll(call.tenant, args.name, args.group)
    protected = ["The group is protected."] if group and group.protected else []
    return Preview(
        summary=f"Let the {args.profile} {args.name} into {args.group}.",
        changes=[
            Change(what=f"device {args.name}", before=None, after="pending"),
            *([] if group else [Change(what=f"group {args.group}", before=None, after="new")]),
        ],
        risk="Whoever holds the token can enrol one device under this name.",
        warnings=protected,
    )


@enroll_device.read_back
def _(args: EnrollDevice, result: DeviceEnrolled, call: Call) -> list[Evidence]:
    return list(_service(call).device_evidence(call.tenant, result.name))


@enroll_device.inverse
def _(args: EnrollDevice, result: DeviceEnrolled, call: Call) -> Inverse:
    return Inverse(operation="devices.retire", arguments={"device": result.name})


@enroll_device.says
def _(args: EnrollDevice, result: DeviceEnrolled) -> str:
    return (
        f"{result.name} may join {result.group} as a {result.profile}; "
        f"its token works once, until {result.expires:%Y-%m-%d %H:%M} UTC. "
        f"On the device, with the token for TOKEN: {result.command}"
    )


@operation(
    "devices.retire",
    effect=Effect.DANGEROUS,
    examples=(
        "retire thinkpad-2",
        "remove the device phone-3 from the fleet",
        "decommission sv-quay-07",
        "thinkpad-1 was stolen, shut it out",
        "revoke the credentials of ph-eastlock-112",
        "take kiosk-7 out of service for good",
        "delete device laptop-12",
        "retire the device thinkpad-3 please",
        "unenroll phone-1",
        "we lost courier-3, block it",
        "kick server-2 out of the fleet",
        "thinkpad-6 is broken, get rid of it",
    ),
)
def retire_device(args: RetireDevice, call: Call) -> DeviceRetired:
    """Shut a device out: its credential stops working at once and its program ends.

    Args:
        device: the device's name.
    """
    return _service(call).retire(call.tenant, args.device)


@retire_device.preview
def _(args: RetireDevice, call: Call) -> Preview:
    detail = _service(call).describe(call.tenant, args.device)
    served = ", ".join(f"{s.model} v{s.version}" for s in detail.serving) or "no model"
    last = _service(call).is_last_of(call.tenant, args.device)
    return Preview(
        summary=f"Retire {args.device} of {detail.group}.",
        changes=[Change(what=f"device {args.device}", before=detail.state, after="retired")],
        risk=f"{args.device} serves {served}; it stops serving as soon as it hears of this.",
        confirm=args.device,
        second_person=detail.protected,
        warnings=[f"It is the last device of {detail.group}."] if last else [],
    )


@retire_device.read_back
def _(args: RetireDevice, result: DeviceRetired, call: Call) -> list[Evidence]:
    return list(_service(call).device_evidence(call.tenant, result.name))


@retire_device.inverse
def _(args: RetireDevice, result: DeviceRetired, call: Call) -> Inverse:
    return Inverse(
        operation="devices.enroll",
        arguments={
            "name": result.name,
            "group": result.group,
            "profile": result.profile.value,
        },
    )


@retire_device.says
def _(args: RetireDevice, result: DeviceRetired) -> str:
    return f"{result.name} of {result.group} is retired; its credential no longer works."


@operation(
    "devices.rotate_key",
    effect=Effect.DANGEROUS,
    examples=(
        "rotate the signing key",
        "replace the key that signs bundles",
        "we need a new signing key for the fleet",
        "rotate the platform's key",
        "roll the bundle signing key over",
        "make a fresh signing key for the devices",
        "the signing key leaked, replace it",
        "change the key with which models are signed",
        "renew the fleet's signing key",
        "sign bundles with a new key from now on",
        "rotate the key the devices trust",
        "do a key rotation for the devices",
    ),
)
def rotate_key(args: RotateKey, call: Call) -> KeyRotated:
    """Replace the key that signs bundles; devices take the new one over by themselves.

    Args:
        grace_days: for how many days devices still take in what only the old key signed.
    """
    return _service(call).rotate_key(args.grace_days)


@rotate_key.preview
def _(args: RotateKey, call: Call) -> Preview:
    serial = _service(call).key_serial()
    return Preview(
        summary="Replace the key that signs bundles.",
        changes=[Change(what="list of trusted keys", before=serial, after=serial + 1)],
        risk=f"After {args.grace_days:g} days devices take in nothing that only the old key "
        "signed. The old key cannot be brought back.",
    )


@rotate_key.read_back
def _(args: RotateKey, result: KeyRotated, call: Call) -> list[Evidence]:
    serial = _service(call).key_serial()
    return [Evidence(fact="list of trusted keys", value=serial, source="keyring")]


@rotate_key.says
def _(args: RotateKey, result: KeyRotated) -> str:
    return (
        f"Bundles are signed with a new key ({result.fingerprint}); devices take over list "
        f"{result.serial} of trusted keys before their next update."
    )
