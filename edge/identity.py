"""Who the device is: its own key pair, its credential, and the platform's pinned public key."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.files import write_atomic
from edge.machine import Machine


@dataclass(frozen=True)
class Identity:
    """What enrolment gave the device; stored with mode 0600.

    Attributes:
        device: the device's name.
        profile: phone, laptop or server, as the platform enrolled it.
        credential: the secret that the device shows with every request.
        platform_key: the platform's public key in PEM; only bundles signed with it are loaded.
        private_key: the device's own Ed25519 key, raw, in base64.
        seconds: how long the credential was good for when it was given.
        keys_serial: the number of the list of keys that `platform_key` belongs to.
        wake_topic: the MQTT topic on which the device is woken.
    """

    device: str
    profile: str
    credential: str
    platform_key: str
    private_key: str
    seconds: float = 3600.0
    keys_serial: int = 0
    wake_topic: str = ""

    def sign(self, data: bytes) -> bytes:
        """The device's signature of `data`."""
        return self._key.sign(data)

    @property
    def public_pem(self) -> str:
        """The device's public key."""
        return _public_pem(self._key)

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(self.private_key))

    @classmethod
    def load(cls, home: Path) -> Identity | None:
        """The identity in a device's home, or None before enrolment."""
        try:
            return cls(**json.loads((home / "identity.json").read_bytes()))
        except FileNotFoundError:
            return None

    def save(self, home: Path) -> None:
        """Store it in the device's home."""
        write_atomic(home / "identity.json", json.dumps(asdict(self)).encode())

    @staticmethod
    def forget(home: Path) -> None:
        """Remove the identity; the device has to be enrolled again."""
        (home / "identity.json").unlink(missing_ok=True)
        (home / "device.key").unlink(missing_ok=True)
        (home / "keys.json").unlink(missing_ok=True)


def device_key(home: Path) -> Ed25519PrivateKey:
    """The device's key, made at first use.

    It is on disk before enrolment, so that an enrolment cut off half-way can be repeated with the
    same token and the same key.
    """
    path = home / "device.key"
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_atomic(path, base64.b64encode(key.private_bytes_raw()))
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes()))


def enrolment_request(
    name: str, token: str, key: Ed25519PrivateKey, machine: Machine | None = None
) -> dict[str, Any]:
    """An enrolment's body: the public key, and a proof that the device holds its other half.

    Args:
        name: the device's name.
        token: its one-time token.
        key: its key pair.
        machine: what it is; decides in which form it gets what its group serves.
    """
    proof = key.sign(f"pilothouse-enroll-v1\n{name}\n{token}".encode())
    return {
        "name": name,
        "token": token,
        "public_key": _public_pem(key),
        "proof": base64.b64encode(proof).decode(),
        "machine": None if machine is None else asdict(machine),
    }


def _public_pem(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()
