"""The server's side of the device protocol, without any web framework.

`ui/devices_api.py` puts it on HTTP, `edge/` speaks the other side, and
`tests/contracts/test_device_protocol.py` is the contract. A device sees and changes only itself:
every call but `enroll` acts on the device whose credential was shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tools.devices.credentials import Credentials, RetiredDevice, bearer, digest, wake_topic
from tools.devices.fleet import Fleet, view
from tools.devices.inbox import Inbox
from tools.devices.joining import joined, load_offers
from tools.devices.keyring import Keyring
from tools.devices.messages import (
    DeviceReport,
    Enrolment,
    EnrolmentRequest,
    Renewal,
    ReportedMachine,
)
from tools.devices.proofs import check_signature
from tools.devices.standing import standing_of
from tools.devices.tables import DeviceRow, GroupRow, ReportRow
from tools.devices.types import Machine
from tools.kernel.errors import InvalidInput, NotFound, Unauthenticated
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

MAX_MESSAGE = 256 * 1024
MAX_WAIT_SECONDS = 60.0
_SHA = re.compile(r"^[0-9a-f]{64}$")
_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a device is to serve, as JSON, with its ETag."""

    etag: str
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        """What it says."""
        return json.loads(self.content)


class DeviceProtocol:
    """Enrolment, desired state, bundles and reports; safe to use from several threads.

    Args:
        kernel: the platform's kernel.

    Attributes:
        keyring: the keys that devices are to trust.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._fleet = kernel.get(Fleet)
        self.keyring = Keyring(kernel)
        self._credentials = Credentials(kernel, self._fleet.standings.drop)
        self._inbox = Inbox(kernel.database, kernel.events, self._fleet.standings, self._taken)

    def enroll(self, request: EnrolmentRequest) -> Enrolment:
        """Trade a one-time token for a credential.

        Until the credential was used once, the same key may repeat its enrolment: an answer that
        got lost does not shut the device out.

        Raises:
            Unauthenticated: the token is unknown, used, expired or of another device, or the
                proof does not fit the key.
        """
        check_signature(
            request.public_key,
            request.proof,
            f"pilothouse-enroll-v1\n{request.name}\n{request.token}".encode(),
        )
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
                self._join(row, session.scalar(_group_of(row)), request.machine)
            credential = self._credentials.issue(row, request.public_key)
        self._fleet.standings.drop([row.id])
        data = {"device": row.name, "group": row.group}
        self._publish(row.tenant, "device.enrolled", data)
        return Enrolment(
            device=row.name,
            profile=row.profile,
            credential=credential,
            seconds=self._credentials.seconds,
            wake_topic=wake_topic(request.public_key),
            platform_key=self._kernel.keys.public_pem(),
            keys_serial=self.keyring.serial,
        )

    def authenticate(self, authorization: str | None) -> DeviceRow:
        """The device that shows this credential (`Bearer ...`).

        Raises:
            Unauthenticated: nobody has this credential, or it is expired or replaced.
            RetiredDevice: its device was retired.
        """
        mark = self._fleet.standings.mark
        row = self._credentials.holder(authorization)
        if self._fleet.standings.of(row.id) is None:
            self._fleet.standings.keep(standing_of(row, self._latest(row.id)), mark)
        return row

    def recognise(self, authorization: str | None) -> DeviceRow | None:
        """A device that polled lately with this credential; never reads the database."""
        standing = self._fleet.standings.holder(digest(bearer(authorization)))
        if standing is None or (standing.expires is not None and standing.expires < now()):
            return None
        return standing.row

    def renew(self, authorization: str | None, signature: str | None) -> Renewal:
        """A device's next credential, in exchange for the one that it has; see `Credentials`."""
        fresh = self._credentials.renew(authorization, signature)
        return Renewal(credential=fresh, seconds=self._credentials.seconds)

    def desired_now(self, device: int) -> DesiredState:
        """What a device is to serve at this moment.

        Raises:
            RetiredDevice: it was retired.
        """
        mark = self._fleet.standings.mark
        with self._kernel.database.session() as session:
            row = session.get_one(DeviceRow, device)
            newest = session.get(ReportRow, device)
        if row.retired is not None:
            raise RetiredDevice(f"{row.name} was retired.")
        standing = standing_of(row, newest)
        self._fleet.standings.keep(standing, mark)
        return DesiredState(standing.etag, standing.body)

    async def catch_up(self) -> None:
        """See what other processes changed, unless that was done in the last half second."""
        await self._fleet.watch.catch_up()

    async def desired(self, device: int, etag: str | None, wait: float) -> DesiredState | None:
        """What a device is to serve, as soon as it is not what `etag` names.

        Args:
            device: the device's id.
            etag: what it has; None answers at once.
            wait: seconds to wait for a change, at most 60. No thread is held meanwhile.

        Returns:
            None if nothing changed in that time.
        """
        import asyncio

        watch = self._fleet.watch
        await watch.catch_up()
        if not wait:
            state = await self._standing(device)
            return state if state.etag != etag else None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0.0, min(wait, MAX_WAIT_SECONDS))
        with watch.waiting(device) as waiter:
            while True:
                state = await self._standing(device)
                if state.etag != etag:
                    return state
                left = deadline - loop.time()
                if left <= 0 or watch.away or not await waiter.wait(left):
                    return None

    async def _standing(self, device: int) -> DesiredState:
        import asyncio

        known = self._fleet.standings.of(device)
        if known is not None:
            return DesiredState(known.etag, known.body)
        return await asyncio.to_thread(self.desired_now, device)

    def still_there(self, device: int, report: str | None) -> bool:
        """Note that a device that polls is as its newest report said.

        Args:
            device: the device's id.
            report: `boot.sequence` of the report that still holds.

        Returns:
            False if that is not the newest report known here: the device should send one.
        """
        known = self._fleet.standings.of(device)
        if known is None or known.report is None or report != "{}.{}".format(*known.report):
            return False
        self._fleet.presence.mark(device)
        return True

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
        """Take in a device's report; returns once it is on disk.

        Returns:
            False if it is older than, or the same as, one that is known; then nothing changes.

        Raises:
            InvalidInput: it is malformed.
            Unauthenticated: it is not signed with the device's own key.
        """
        return self.hand_in(device, body, signature).result()

    def hand_in(self, device: DeviceRow, body: bytes, signature: str | None) -> Future[bool]:
        """Like `report`, but returns at once; many reports that wait are stored together.

        Raises:
            InvalidInput: it is too large.
        """
        if len(body) > MAX_MESSAGE:
            raise InvalidInput(f"A report has at most {MAX_MESSAGE} bytes.")
        return self._inbox.put(device, body, signature)

    def _taken(self, reports: Sequence[tuple[DeviceRow, DeviceReport]]) -> None:
        for device, report in reports:
            self._go_past(device, report)
        self._fleet.watch.reported()

    def newest_report(self, device: int) -> tuple[int, int] | None:
        """The start and the sequence of the newest report of a device, None without any."""
        newest = self._latest(device)
        return None if newest is None else (newest.boot, newest.sequence)

    def _go_past(self, device: DeviceRow, report: DeviceReport) -> None:
        """Go past a device that has seen more than is desired here.

        That happens when the platform's database was put back to an older state: the device rightly
        ignores what is older than what it has.
        """
        seen = max(report.generation, report.attempted)
        if seen <= device.generation:
            return
        with self._kernel.database.session() as session:
            moved = session.execute(
                update(DeviceRow)
                .where(DeviceRow.id == device.id, DeviceRow.generation < seen)
                .values(generation=seen + 1, touched=now())
                .returning(DeviceRow.id)
            ).first()
        if moved is not None:
            self._fleet.changed([device.id])

    def _join(self, row: DeviceRow, group: GroupRow | None, told: ReportedMachine | None) -> None:
        row.enrolled = now()
        if group is not None and group.baseline:
            machine = None if told is None else Machine.model_validate(told.model_dump())
            serve = joined(view(row, None), load_offers(group.baseline), machine)
            row.serve, row.stage = [model.model_dump() for model in serve], []
            row.generation, row.changed, row.cause = row.generation + 1, now(), "joined the group"

    def _latest(self, device: int) -> ReportRow | None:
        with self._kernel.database.session() as session:
            return session.get(ReportRow, device)

    def _publish(self, tenant: str, kind: str, data: dict[str, Any]) -> None:
        self._kernel.events.publish("devices", kind, data, tenant)


def _group_of(row: DeviceRow) -> Any:
    return select(GroupRow).where(GroupRow.tenant == row.tenant, GroupRow.name == row.group)
