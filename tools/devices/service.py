"""What the operations on devices do: records, tokens, and the fleet as people see it."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from sqlalchemy import func, select

from tools.devices.credentials import digest
from tools.devices.fleet import Device, Fleet
from tools.devices.keyring import Keyring
from tools.devices.tables import DeviceRow, GroupRow, ReportRow
from tools.devices.types import (
    DeviceDetail,
    DeviceEnrolled,
    DeviceList,
    DeviceRetired,
    DeviceState,
    FleetHealth,
    GroupProtected,
    KeyRotated,
    Profile,
)
from tools.devices.views import health_of, spellings, summary
from tools.kernel.entities import EntityName, fold
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.operations import Evidence
from tools.kernel.storage import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.kernel.kernel import Kernel

TOKEN_HOURS = 24


class DeviceService:
    """Devices and groups of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._fleet = kernel.get(Fleet)
        self._keyring = Keyring(kernel)

    def names(self, tenant: str) -> list[EntityName]:
        """Every device that is not retired."""
        return [EntityName(device.name) for device in self._fleet.devices(tenant)]

    def group_names(self, tenant: str) -> list[EntityName]:
        """Every group, also in its other number and with an article."""
        groups = self._fleet.groups(tenant)
        return [EntityName(row.name, also=spellings(row.name)) for row in groups]

    def canonical_group(self, tenant: str, group: str) -> str:
        """The name of the group that is meant, or the name as given for a new one."""
        for known in self.group_names(tenant):
            if fold(group) in {fold(name) for name in (known.name, *known.also)}:
                return known.name
        return group

    def list(self, tenant: str, group: str | None) -> DeviceList:
        """The devices of a group, or all."""
        return DeviceList(devices=[summary(d) for d in self._fleet.devices(tenant, group)])

    def describe(self, tenant: str, name: str) -> DeviceDetail:
        """One device.

        Raises:
            NotFound: there is none of that name.
        """
        device = self._device(tenant, name)
        record, report = self._fleet.group(tenant, device.group), device.report
        detail = DeviceDetail(
            **summary(device).model_dump(),
            protected=bool(record and record.protected),
            enrolled=device.enrolled,
            locked=device.locked,
        )
        if report is None:
            return detail
        return detail.model_copy(
            update={
                "healthy": report.healthy,
                "slots": dict(report.slots),
                "address": report.address,
                "error": report.error,
                "requests": report.requests,
                "errors": report.errors,
                "latency_p50_ms": report.p50_ms,
                "latency_p95_ms": report.p95_ms,
                "memory_mb": report.memory_mb,
                "free_disk_mb": report.free_disk_mb,
                "machine": report.machine,
                "handed_over": report.handed_over,
                "handed_to": report.handed_to,
                "agent": report.agent,
                "traffic": list(report.traffic),
            }
        )

    def health(self, tenant: str, group: str | None) -> FleetHealth:
        """How a group, or the fleet, is doing by its own reports."""
        devices = [health_of(device) for device in self._fleet.devices(tenant, group)]

        def count(state: DeviceState) -> int:
            return sum(device.state == state for device in devices)

        requests, errors = (sum(getattr(d, n) for d in devices) for n in ("requests", "errors"))
        return FleetHealth(
            group=group,
            online=count(DeviceState.ONLINE),
            silent=count(DeviceState.SILENT),
            pending=count(DeviceState.PENDING),
            unhealthy=sum(d.healthy is False or d.error is not None for d in devices),
            silent_after_seconds=self._kernel.settings.device_report_seconds,
            requests=requests,
            errors=errors,
            error_rate=round(errors / requests, 6) if requests else 0.0,
            devices=devices,
        )

    def check_enroll(self, tenant: str, name: str, group: str) -> GroupProtected | None:
        """The group as it stands, or None if it would be new.

        Raises:
            Conflict: a device of that name exists.
        """
        if any(fold(known.name) == fold(name) for known in self.names(tenant)):
            raise Conflict(
                f"There is a device named {name} already.",
                hint="Choose another name, or retire the old device first.",
            )
        known = self._fleet.group(tenant, group)
        return self.group(tenant, group) if known else None

    def enroll(self, tenant: str, name: str, group: str, profile: Profile) -> DeviceEnrolled:
        """Make the record of a device and its one-time token."""
        self.check_enroll(tenant, name, group)
        token = secrets.token_hex(32)  # no dash in front that a command line would misread
        expires = now() + timedelta(hours=TOKEN_HOURS)
        with self._kernel.database.writing() as session:
            if not session.scalar(select(GroupRow.id).where(_named(GroupRow, tenant, group))):
                session.add(GroupRow(tenant=tenant, name=group))
            row = session.scalar(select(DeviceRow).where(_named(DeviceRow, tenant, name)))
            if row is None:
                row = DeviceRow(tenant=tenant, name=name, group=group, profile=profile.value)
                session.add(row)
            elif (report := session.get(ReportRow, row.id)) is not None:
                session.delete(report)
            _start_anew(row, group, profile)
            row.token_hash, row.token_expires = digest(token), expires
        return DeviceEnrolled(
            name=name,
            group=group,
            profile=profile,
            token=SecretStr(token),
            expires=expires,
            command=f"python -m edge --server {self._server()} --name {name} --token TOKEN "
            f"--home ./{name}",
        )

    def retire(self, tenant: str, name: str) -> DeviceRetired:
        """Shut a device out at once."""
        device = self._device(tenant, name)
        with self._kernel.database.session() as session:
            row = session.get_one(DeviceRow, device.id)
            row.retired = moment = now()
            row.token_hash = None
        self._fleet.changed([device.id])
        data = {"device": name, "group": device.group}
        self._kernel.events.publish("devices", "device.retired", data, tenant)
        return DeviceRetired(name=name, group=device.group, profile=device.profile, retired=moment)

    def protect(self, tenant: str, group: str, protected: bool) -> GroupProtected:
        """Protect a group, or lift its protection."""
        with self._kernel.database.session() as session:
            row = session.scalars(select(GroupRow).where(_named(GroupRow, tenant, group))).one()
            row.protected = protected
        return self.group(tenant, group)

    def group(self, tenant: str, name: str) -> GroupProtected:
        """A group and whether it is protected.

        Raises:
            NotFound: there is none of that name.
        """
        row = self._fleet.group(tenant, name)
        if row is None:
            raise NotFound(f"There is no device group named {name!r}.")
        return GroupProtected(
            group=name, protected=row.protected, devices=len(self._fleet.devices(tenant, name))
        )

    def key_serial(self) -> int:
        """The number of the newest list of trusted keys; 0 before the first rotation."""
        return self._keyring.serial

    def rotate_key(self, grace_days: float) -> KeyRotated:
        """Replace the key that signs bundles, and sign what is there anew."""
        serial = self._keyring.replace(grace_days)
        fingerprint = digest(self._kernel.keys.public_pem())[:16]
        return KeyRotated(serial=serial, fingerprint=fingerprint)

    def is_last_of(self, tenant: str, name: str) -> bool:
        """True if the device is the only one of its group."""
        return len(self._fleet.devices(tenant, self._device(tenant, name).group)) == 1

    def device_evidence(self, tenant: str, name: str) -> Sequence[Evidence]:
        """A device's record, read back: whether it is in the fleet, and where."""
        with self._kernel.database.session() as session:
            row = session.scalars(select(DeviceRow).where(_named(DeviceRow, tenant, name))).one()
            members = session.scalar(
                select(func.count(DeviceRow.id)).where(
                    DeviceRow.tenant == tenant,
                    DeviceRow.group == row.group,
                    DeviceRow.retired.is_(None),
                )
            )
        state = "in the fleet" if row.retired is None else "retired"
        return [
            Evidence(fact=f"device {name}", value=state, source="device registry"),
            Evidence(fact=f"group of {name}", value=row.group, source="device registry"),
            Evidence(
                fact=f"devices in {row.group}",
                value=members,
                source="device registry",
                guard=False,
            ),
        ]

    def _device(self, tenant: str, name: str) -> Device:
        for device in self._fleet.devices(tenant):
            if device.name == name:
                return device
        raise NotFound(f"There is no device named {name!r}.")

    def _server(self) -> str:
        """The running platform's URL, else a word in its place."""
        try:
            state = json.loads((self._kernel.settings.home / "run" / "platform.json").read_text())
            return str(state["url"])
        except (OSError, ValueError, KeyError):
            return "URL"


def _named(table: type[DeviceRow | GroupRow], tenant: str, name: str) -> Any:
    return (table.tenant == tenant) & (table.name == name)


def _start_anew(row: DeviceRow, group: str, profile: Profile) -> None:
    """Forget what a retired device of the same name was; its generation goes on growing."""
    row.group, row.profile = group, profile.value
    row.public_key = row.credential_hash = row.enrolled = row.retired = row.locked = None
    row.next_hash = row.previous_hash = row.credential_expires = row.next_expires = None
    row.serve, row.stage, row.cause = [], [], None
    row.generation = row.generation or 0
