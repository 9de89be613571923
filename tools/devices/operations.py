"""The operations on devices: list, describe, health, enroll, retire, protect, rotate_key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.devices.types import (
    DescribeDevice,
    DeviceDetail,
    DeviceEnrolled,
    DeviceList,
    DeviceRetired,
    EnrollDevice,
    FleetHealth,
    FleetHealthOf,
    GroupProtected,
    KeyRotated,
    ListDevices,
    ProtectGroup,
    RetireDevice,
    RotateKey,
)
from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.devices.service import DeviceService
    from tools.kernel.kernel import Kernel


def _service(call: Call) -> DeviceService:
    from tools.devices.service import DeviceService

    return call.get(DeviceService)


@entity_source(EntityKind.DEVICE)
def device_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """The names of all devices that are not retired."""
    from tools.devices.service import DeviceService

    return kernel.get(DeviceService).names(tenant)


@entity_source(EntityKind.DEVICE_GROUP)
def group_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """The names of all groups, also in the singular, the plural and with an article."""
    from tools.devices.service import DeviceService

    return kernel.get(DeviceService).group_names(tenant)


@operation(
    "devices.list",
    effect=Effect.READ,
    examples=(
        "list the devices",
        "which devices do we have?",
        "show me all the thinkpads",
        "what phones are enrolled right now",
        "show the whole fleet",
        "list every device in the warehouse group",
        "which machines are in servers-batch?",
        "how many laptops are there in the fleet",
        "what is running on the thinkpads?",
        "which model does each device serve",
        "give me the device list for frontdesk",
        "devices please",
        "who belongs to the canary group?",
    ),
)
def list_devices(args: ListDevices, call: Call) -> DeviceList:
    """List the devices with their state and the model that each serves.

    Args:
        group: only the devices of this group.
    """
    return _service(call).list(call.tenant, args.group)


@list_devices.says
def _(args: ListDevices, result: DeviceList) -> str:
    where = f" in {args.group}" if args.group else ""
    online = sum(device.state == "online" for device in result.devices)
    devices = "1 device" if len(result.devices) == 1 else f"{len(result.devices)} devices"
    return f"{devices}{where}, {online} of them online."


@operation(
    "devices.describe",
    effect=Effect.READ,
    examples=(
        "describe thinkpad-1",
        "tell me about phone-3",
        "what is thinkpad-2 running?",
        "which model version does server-1 serve right now",
        "show the details of tp-northpier-041",
        "what do you know about the device kiosk-7",
        "look up ph-eastlock-112 for me",
        "details for thinkpad-3 please",
        "what is in the slots of laptop-12?",
        "when did phone-1 last report?",
        "why does thinkpad-1 refuse the new model",
        "inspect device sv-quay-07",
    ),
)
def describe_device(args: DescribeDevice, call: Call) -> DeviceDetail:
    """Describe one device: what it serves, its slots, its traffic and when it last reported.

    Args:
        device: the device's name.
    """
    return _service(call).describe(call.tenant, args.device)


@describe_device.says
def _(args: DescribeDevice, result: DeviceDetail) -> str:
    served = " and ".join(f"{s.model} v{s.version}" for s in result.serving) or "no model"
    said = f"{result.name} ({result.group}, {result.profile}) is {result.state}; serves {served}."
    if result.locked is not None:
        said += " It is locked: its credential was copied. Retire it and enrol it anew."
    return said


@operation(
    "devices.health",
    effect=Effect.READ,
    examples=(
        "how are the devices doing?",
        "are the thinkpads healthy",
        "check the health of the phones",
        "is anything silent in the fleet?",
        "which devices have stopped reporting",
        "any errors on the servers today?",
        "fleet health",
        "what is the latency on the thinkpads?",
        "show me the health of the frontdesk group",
        "are all devices online?",
        "how is the fleet feeling this morning",
        "p95 latency of the phones please",
        "did any device go offline?",
    ),
)
def device_health(args: FleetHealthOf, call: Call) -> FleetHealth:
    """Read the health of the fleet or of one group: who is silent, errors, latency.

    Args:
        group: only the devices of this group.
    """
    return _service(call).health(call.tenant, args.group)


@device_health.says
def _(args: FleetHealthOf, result: FleetHealth) -> str:
    where = args.group or "The fleet"
    return (
        f"{where}: {result.online} online, {result.silent} silent, "
        f"{result.pending} pending, {result.unhealthy} unhealthy."
    )


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
    "devices.protect",
    effect=Effect.DANGEROUS,
    idempotent=True,
    examples=(
        "protect the frontdesk group",
        "mark thinkpads as protected",
        "require a second person for rollouts to servers-routing",
        "make phones-dispatch a protected group",
        "unprotect the thinkpads",
        "remove the protection from phones",
        "the servers should need two people from now on",
        "lift protection on thinkpads-frontdesk",
        "set group kiosks to protected",
        "servers-batch no longer needs to be protected",
        "turn on protection for the phones",
        "nobody should deploy to frontdesk alone, protect it",
    ),
)
def protect_group(args: ProtectGroup, call: Call) -> GroupProtected:
    """Protect a group, so that its rollouts need a second person, or lift its protection.

    Args:
        group: the group's name.
        protected: true to protect, false to lift the protection (which needs approval itself).
    """
    return _service(call).protect(call.tenant, args.group, args.protected)


@protect_group.effect_of
def _(args: ProtectGroup) -> Effect:
    return Effect.WRITE if args.protected else Effect.DANGEROUS


@protect_group.preview
def _(args: ProtectGroup, call: Call) -> Preview:
    group = _service(call).group(call.tenant, args.group)
    verb = "Protect" if args.protected else "Lift the protection of"
    return Preview(
        summary=f"{verb} {args.group}.",
        changes=[
            Change(what=f"protection of {args.group}", before=group.protected, after=args.protected)
        ],
        risk=None if args.protected else "One person alone could then deploy to the group.",
        confirm=None if args.protected else args.group,
        second_person=group.protected and not args.protected,
    )


@protect_group.read_back
def _(args: ProtectGroup, result: GroupProtected, call: Call) -> list[Evidence]:
    group = _service(call).group(call.tenant, args.group)
    return [
        Evidence(
            fact=f"{group.group} is protected", value=group.protected, source="device registry"
        )
    ]


@protect_group.inverse
def _(args: ProtectGroup, result: GroupProtected, call: Call) -> Inverse:
    return Inverse(
        operation="devices.protect",
        arguments={"group": result.group, "protected": not result.protected},
    )


@protect_group.says
def _(args: ProtectGroup, result: GroupProtected) -> str:
    state = "is now protected" if result.protected else "is no longer protected"
    return f"{result.group} ({result.devices} devices) {state}."


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
