"""Which keys the device trusts, and what they signed.

It begins with the key that enrolment pinned. The platform replaces its key by a document that lists
the new ones and is signed by one that is trusted already; documents are numbered, and only a later
one is taken. A key has an end: after it nothing new that it signed is taken in, but what the device
holds already stays good, so that no clock can take the last model away.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.errors import Refused
from edge.files import write_atomic

KEYS_PREFIX = b"pilothouse-keys-v1\n"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key in PEM, and the Unix time after which it signs nothing new (None: no end)."""

    pem: str
    expires: float | None = None


class Trust:
    """The keys of one device; safe to use from several threads.

    Args:
        pinned: the platform's key in PEM, as enrolment gave it.
        home: the device's folder, where later keys are kept; None keeps none.
        serial: the number of the document that the pinned key belongs to.
    """

    def __init__(self, pinned: str, home: Path | None = None, serial: int = 0) -> None:
        self._path = home / "keys.json" if home else None
        self.serial = serial
        self._keys = [TrustedKey(pinned)]
        self._known = 0.0
        self._lock = threading.Lock()
        if self._path is not None and self._path.exists():
            self._take(json.loads(self._path.read_bytes()))

    def check(self, signature: bytes, data: bytes, *, held: bool) -> None:
        """Check that a trusted key signed this.

        Args:
            signature: Ed25519, in base64.
            data: what was signed, with its prefix.
            held: True for what the device has had since the key was good.

        Raises:
            Refused: no trusted key did, or one whose time is over.
        """
        for key in self._keys:
            if _signed(key.pem, signature, data):
                if not held and key.expires is not None and self._now() > key.expires:
                    raise Refused("the signature is of a key that has expired")
                return
        raise Refused("the signature is not of a key that this device trusts")

    def adopt(self, document: bytes, signature: bytes) -> bool:
        """Take over a list of keys that a trusted key signed; False if it is not newer.

        Raises:
            Refused: it is not signed by a key that is trusted, or malformed.
        """
        with self._lock:
            return self._adopt(document, signature)

    def _adopt(self, document: bytes, signature: bytes) -> bool:
        self.check(signature, KEYS_PREFIX + document, held=True)
        try:
            data = json.loads(document)
            newer = int(data["serial"]) > self.serial
            if newer:
                self._take(data)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"the list of keys is malformed: {error}") from error
        if newer and self._path is not None:
            write_atomic(self._path, document)
        return newer

    def _take(self, data: dict[str, Any]) -> None:
        keys = [TrustedKey(str(k["pem"]), _time(k["expires"])) for k in data["keys"]]
        if not keys:
            raise ValueError("no keys")
        self._keys, self.serial, self._known = keys, int(data["serial"]), float(data["issued"])

    def _now(self) -> float:
        """The device's clock, but never before a time that the platform has signed."""
        return max(time.time(), self._known)


def _time(value: Any) -> float | None:
    return None if value is None else float(value)


def _signed(pem: str, signature: bytes, data: bytes) -> bool:
    with contextlib.suppress(ValueError, binascii.Error, InvalidSignature):
        key = serialization.load_pem_public_key(pem.encode())
        if isinstance(key, Ed25519PublicKey):
            key.verify(base64.b64decode(signature, validate=True), data)
            return True
    return False
