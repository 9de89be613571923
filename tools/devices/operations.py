"""The operations on devices: list, describe, health, protect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.devices import enrolment_operations
from tools.devices.types import (
    DescribeDevice,
    DeviceDetail,
    DeviceList,
    FleetHealth,
    FleetHealthOf,
    GroupProtected,
    ListDevices,
    ProtectGroup,
)
from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.devices.service import DeviceService
    from tools.kernel.kernel import Kernel

__all__ = ["enrolment_operations"]


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
