"""The server's side of the device protocol, without any web framework.

`ui/devices_api.py` puts it on HTTP, `edge/` speaks the other side, and
`tests/contracts/test_device_protocol.py` is the contract. A device sees and changes only itself:
every call but `enroll` acts on the device whose credential was shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import and_, select, update
from sqlalchemy.exc import IntegrityError

from tools.devices.fleet import COUNTED, Fleet
from tools.devices.messages import DeviceReport, Enrolment, EnrolmentRequest
from tools.devices.tables import DeviceRow, GroupRow, ReportRow
from tools.kernel.errors import InvalidInput, NotFound, PolicyDenied, Unauthenticated
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

REPORT_PREFIX = b"pilothouse-report-v1\n"
MAX_MESSAGE = 256 * 1024
MAX_WAIT_SECONDS = 20.0
_SHA = re.compile(r"^[0-9a-f]{64}$")
_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class RetiredDevice(PolicyDenied):
    """The device was retired: it should stop."""

    code = "device_retired"
    status = 410


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a device is to serve, with its ETag."""

    etag: str
    body: dict[str, Any]


class DeviceProtocol:
    """Enrolment, desired state, bundles and reports; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._fleet = kernel.get(Fleet)

    def enroll(self, request: EnrolmentRequest) -> Enrolment:
        """Trade a one-time token for a credential.

        Until the credential was used once, the same key may repeat its enrolment: an answer that
        got lost does not shut the device out.

        Raises:
            Unauthenticated: the token is unknown, used, expired or of another device, or the
                proof does not fit the key.
        """
        _check_signature(
            request.public_key,
            request.proof,
            f"pilothouse-enroll-v1\n{request.name}\n{request.token}".encode(),
        )
        credential = secrets.token_urlsafe(32)
        with self._kernel.database.session() as session:
            row = session.scalar(
                select(DeviceRow).where(DeviceRow.token_hash == digest(request.token))
            )
            if row is None or row.name != request.name or row.retired is not None:
                raise Unauthenticated("The enrolment token is not valid for this device.")
            if row.token_expires is None or row.token_expires < now():
                raise Unauthenticated("The enrolment token has expired.")
            if row.public_key not in (None, request.public_key):
                raise Unauthenticated("The enrolment token was used already.")
            if row.enrolled is None:
                self._join(row, session.scalar(_group_of(row)))
            row.public_key, row.credential_hash = request.public_key, digest(credential)
            profile, name, group = row.profile, row.name, row.group
            tenant = row.tenant
        self._publish(tenant, "device.enrolled", {"device": name, "group": group})
        return Enrolment(
            device=name,
            profile=profile,
            credential=credential,
            platform_key=self._kernel.keys.public_pem(),
        )

    def authenticate(self, authorization: str | None) -> DeviceRow:
        """The device that shows this credential (`Bearer ...`).

        Raises:
            Unauthenticated: nobody has this credential.
            RetiredDevice: its device was retired.
        """
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated("A device shows its credential as a bearer token.")
        with self._kernel.database.session() as session:
            row = session.scalar(
                select(DeviceRow).where(DeviceRow.credential_hash == digest(credential.strip()))
            )
            if row is None:
                raise Unauthenticated("This credential is not known.")
            if row.token_hash is not None:
                row.token_hash = None  # its enrolment is complete: the token is spent for good
        if row.retired is not None:
            raise RetiredDevice(f"{row.name} was retired.")
        return row

    def desired_now(self, device: int) -> DesiredState:
        """What a device is to serve at this moment.

        Raises:
            RetiredDevice: it was retired.
        """
        with self._kernel.database.session() as session:
            row = session.get_one(DeviceRow, device)
        if row.retired is not None:
            raise RetiredDevice(f"{row.name} was retired.")
        body = {"generation": row.generation, "serve": row.serve, "stage": row.stage}
        return DesiredState(f'"{row.generation}"', body)

    async def desired(self, device: int, etag: str | None, wait: float) -> DesiredState | None:
        """What a device is to serve, as soon as it is not what `etag` names.

        Args:
            device: the device's id.
            etag: what it has; None answers at once.
            wait: seconds to wait for a change, at most 20. No thread is held meanwhile.

        Returns:
            None if nothing changed in that time.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0.0, min(wait, MAX_WAIT_SECONDS))
        with self._fleet.watch.waiting(device) as waiter:
            while True:
                state = await asyncio.to_thread(self.desired_now, device)
                if state.etag != etag:
                    return state
                left = deadline - loop.time()
                if left <= 0 or self._fleet.watch.away or not await waiter.wait(left):
                    return None

    def send_away(self) -> None:
        """End all long polls and hold none any more: call it when the server begins to stop."""
        self._fleet.watch.send_away()

    def bundle_file(self, device: int, bundle: str, name: str) -> Path:
        """The path of a file of a bundle that this device is to have.

        Raises:
            NotFound: the device is to have no such bundle, or there is no such file in it.
        """
        with self._kernel.database.session() as session:
            row = session.get_one(DeviceRow, device)
        mine = {item["bundle"] for item in (*row.serve, *row.stage)}
        path = self._kernel.settings.home / "bundles" / bundle / name
        if not (_SHA.match(bundle) and _FILE.match(name)) or bundle not in mine:
            raise NotFound("This device is to have no such bundle.")
        if not path.is_file():
            raise NotFound(f"The bundle has no file {name}.")
        return path

    def report(self, device: DeviceRow, body: bytes, signature: str | None) -> bool:
        """Take in a device's report.

        Returns:
            False if it is older than, or the same as, one that is known; then nothing changes.

        Raises:
            InvalidInput: it is malformed.
            Unauthenticated: it is not signed with the device's own key.
        """
        if len(body) > MAX_MESSAGE:
            raise InvalidInput(f"A report has at most {MAX_MESSAGE} bytes.")
        _check_signature(device.public_key or "", signature or "", REPORT_PREFIX + body)
        try:
            report = DeviceReport.model_validate_json(body)
        except ValidationError as error:
            raise InvalidInput(f"The report is malformed: {error.errors()[0]['msg']}.") from error
        before = self._latest(device.id)
        if before is not None and (report.boot, report.sequence) <= (before.boot, before.sequence):
            return False
        if not self._store(device.id, report, before):
            return self.report(device, body, signature)  # another report came between: look again
        self._tell(device, report.stored(), before.body if before else None)
        return True

    def _join(self, row: DeviceRow, group: GroupRow | None) -> None:
        row.enrolled = now()
        if group is not None and group.baseline:
            row.serve, row.stage = group.baseline, []
            row.generation, row.changed, row.cause = row.generation + 1, now(), "joined the group"

    def _latest(self, device: int) -> ReportRow | None:
        with self._kernel.database.session() as session:
            return session.get(ReportRow, device)

    def _store(self, device: int, report: DeviceReport, before: ReportRow | None) -> bool:
        values: dict[str, Any] = {
            "boot": report.boot,
            "sequence": report.sequence,
            "at": now(),
            "body": report.stored(),
            "earlier": [] if before is None else _earlier(before, report.boot),
        }
        try:
            with self._kernel.database.session() as session:
                if before is None:
                    session.add(ReportRow(device=device, **values))
                    return True
                same = and_(
                    ReportRow.device == device,
                    ReportRow.boot == before.boot,
                    ReportRow.sequence == before.sequence,
                )
                stored = session.execute(
                    update(ReportRow).where(same).values(**values).returning(ReportRow.device)
                )
                return stored.first() is not None
        except IntegrityError:
            return False

    def _tell(
        self, device: DeviceRow, body: Mapping[str, Any], before: Mapping[str, Any] | None
    ) -> None:
        fields = ("generation", "phase", "healthy", "serving", "staged", "error")
        if before is None or any(body[f] != before.get(f) for f in fields):
            data = {"device": device.name, "group": device.group, **{f: body[f] for f in fields}}
            self._publish(device.tenant, "device.changed", data)
        self._fleet.watch.reported()

    def _publish(self, tenant: str, kind: str, data: dict[str, Any]) -> None:
        self._kernel.events.publish("devices", kind, data, tenant)


def digest(secret: str) -> str:
    """The form in which a token or credential is stored: SHA-256 of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _group_of(row: DeviceRow) -> Any:
    return select(GroupRow).where(GroupRow.tenant == row.tenant, GroupRow.name == row.group)


def _earlier(before: ReportRow, boot: int) -> list[Any]:
    """Totals of the boots before this one: folded in when the boot number changes."""
    if boot == before.boot:
        return before.earlier
    totals: dict[str, dict[str, Any]] = {}
    for count in (*before.earlier, *before.body["traffic"]):
        empty = {**count, **dict.fromkeys(COUNTED, 0), "confidence_sum": 0.0, "labels": {}}
        total = totals.setdefault(count["bundle"], empty)
        for field in (*COUNTED, "confidence_sum"):
            total[field] += count.get(field, 0)
        for label, times in count["labels"].items():
            total["labels"][label] = total["labels"].get(label, 0) + times
    return list(totals.values())


def _check_signature(public_key: str, signature: str, data: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key.encode())
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Unauthenticated("The device's key or signature cannot be read.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Unauthenticated("A device's key is an Ed25519 key.")
    try:
        key.verify(raw, data)
    except InvalidSignature:
        raise Unauthenticated("The signature is not the device's own.") from None
