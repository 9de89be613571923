"""Credentials of devices: short-lived, replaced by the device's own key, worthless once replaced.

A renewal is signed with the device's key, so a stolen credential alone cannot be renewed; it ends
when the device first shows its next one. An expired credential is good for one thing, its own
renewal: a device that was away for a week comes back by itself. Whoever renews a credential that
was replaced already holds a copy of the device's key: the device is locked until it is enrolled
anew, and serves on what it has.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from tools.devices.proofs import check_signature
from tools.devices.tables import DeviceRow
from tools.kernel.errors import PolicyDenied, Unauthenticated
from tools.kernel.storage import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tools.kernel.kernel import Kernel

RENEW_PREFIX = b"pilothouse-renew-v1\n"


class RetiredDevice(PolicyDenied):
    """The device was retired: it should stop."""

    code = "device_retired"
    status = 410


class Credentials:
    """Issues, recognises and replaces credentials; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
        changed: told the ids of devices whose credential changed.
    """

    def __init__(self, kernel: Kernel, changed: Callable[[list[int]], object]) -> None:
        self._kernel = kernel
        self._changed = changed

    @property
    def seconds(self) -> float:
        """How long a credential is good for."""
        return self._kernel.settings.device_credential_seconds

    def issue(self, row: DeviceRow, public_key: str) -> str:
        """A first credential for a device that enrols; the caller holds the transaction."""
        credential = secrets.token_urlsafe(32)
        row.public_key, row.locked = public_key, None
        row.credential_hash, row.credential_expires = digest(credential), self._end()
        row.next_hash = row.next_expires = row.previous_hash = None
        return credential

    def holder(self, authorization: str | None) -> DeviceRow:
        """The device that shows this credential (`Bearer ...`).

        Raises:
            Unauthenticated: nobody has it, or it has expired or was replaced.
            RetiredDevice: its device was retired.
        """
        shown = digest(bearer(authorization))
        with self._kernel.database.session() as session:
            row = _find(session, shown)
            taken = row is not None and self._take_up(row, shown)
        if row is None or shown == row.previous_hash:
            raise Unauthenticated("This credential is not known.")
        if row.retired is not None:
            raise RetiredDevice(f"{row.name} was retired.")
        if taken:
            self._changed([row.id])
        if row.credential_expires is not None and row.credential_expires < now():
            raise Unauthenticated("This credential has expired; renew it.")
        return row

    def renew(self, authorization: str | None, signature: str | None) -> str:
        """The next credential of a device, in exchange for the one that it has.

        Repeating it before the next one was shown is safe: an answer may get lost.

        Args:
            authorization: the credential in force, also an expired one (`Bearer ...`).
            signature: the device's own, of `pilothouse-renew-v1\\n` and the credential, base64.

        Raises:
            Unauthenticated: not known, not signed by the device, or replaced already.
            RetiredDevice: the device was retired.
        """
        shown = bearer(authorization)
        fresh = secrets.token_urlsafe(32)
        with self._kernel.database.session() as session:
            row = _find(session, digest(shown))
            if row is None:
                raise Unauthenticated("This credential is not known.")
            check_signature(row.public_key or "", signature or "", RENEW_PREFIX + shown.encode())
            if row.retired is not None:
                raise RetiredDevice(f"{row.name} was retired.")
            self._take_up(row, digest(shown))
            cloned = digest(shown) == row.previous_hash
            if cloned:
                _lock(row)
            else:
                row.next_hash, row.next_expires = digest(fresh), self._end()
        self._changed([row.id])
        if cloned:
            self._told_locked(row)
            raise Unauthenticated("This credential was replaced; its device is locked.")
        return fresh

    def _take_up(self, row: DeviceRow, shown: str) -> bool:
        """Note that a credential is in use: what came before it is spent for good."""
        row.token_hash = None
        if shown != row.next_hash:
            return False
        row.previous_hash = row.credential_hash
        row.credential_hash, row.credential_expires = row.next_hash, row.next_expires
        row.next_hash = row.next_expires = None
        return True

    def _told_locked(self, row: DeviceRow) -> None:
        data = {"device": row.name, "group": row.group, "reason": "its credential was copied"}
        self._kernel.events.publish("devices", "device.locked", data, row.tenant)

    def _end(self) -> datetime:
        return now() + timedelta(seconds=self.seconds)


def digest(secret: str) -> str:
    """The form in which a token or credential is stored: SHA-256 of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def bearer(authorization: str | None) -> str:
    """The credential in an `Authorization` header.

    Raises:
        Unauthenticated: there is none.
    """
    scheme, _, credential = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise Unauthenticated("A device shows its credential as a bearer token.")
    return credential.strip()


def wake_topic(public_key: str) -> str:
    """The MQTT topic on which the device with this key is woken."""
    return f"pilothouse/wake/{hashlib.sha256(public_key.encode()).hexdigest()[:32]}"


def _find(session: Session, shown: str) -> DeviceRow | None:
    columns = (DeviceRow.credential_hash, DeviceRow.next_hash, DeviceRow.previous_hash)
    return session.scalar(select(DeviceRow).where(or_(*(c == shown for c in columns))))


def _lock(row: DeviceRow) -> None:
    row.locked = now()
    row.credential_hash = row.next_hash = row.previous_hash = None
