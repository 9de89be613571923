"""The platform's signing keys: what they sign, how they are replaced, and how devices hear of it.

Each replacement is a numbered document that lists the keys devices are to trust and is signed by
the key before it, so that a device that missed some takes them over one by one. What the old key
signed is signed anew; the old key itself stays trusted for a while, for devices on their way.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.states import STATE_PREFIX
from edge.trust import KEYS_PREFIX
from edge.verify import MANIFEST, SIGNATURE, SIGNED_PREFIX
from tools.kernel.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tools.kernel.kernel import Kernel

_FILE = "keyring.json"


class Keyring:
    """The documents of one home; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._path = kernel.settings.home / "keys" / _FILE

    def documents(self, after: int = 0) -> list[dict[str, str]]:
        """The documents later than the `after`-th, oldest first, each with its signature."""
        try:
            known: list[dict[str, str]] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return []
        return known[after:]

    @property
    def serial(self) -> int:
        """The number of the newest document; 0 before the first."""
        return len(self.documents())

    def sign(self, manifest: bytes) -> bytes:
        """The signature of a bundle's manifest, as `manifest.sig` holds it."""
        return _signed(self._kernel.keys.signing(), SIGNED_PREFIX + manifest)

    def sign_state(self, public_key: str, state: bytes) -> str:
        """The signature of a desired state, by the key in force, for the device with this key.

        A device asks for each of its states once, so it is made when one is sent.
        """
        signed = STATE_PREFIX + public_key.encode() + state
        return _signed(self._kernel.keys.signing(), signed).decode()

    def replace(self, grace_days: float) -> int:
        """Replace the signing key; answers with the new document's number.

        Args:
            grace_days: for how long devices go on trusting the old key for what is new to them.
        """
        keys = self._kernel.keys
        old, old_pem = keys.signing(), keys.public_pem()
        issued = time.time()
        serial = self.serial + 1
        fresh = keys.fresh_signing()
        listed = [
            {"pem": keys.pem_of(fresh), "expires": None},
            {"pem": old_pem, "expires": issued + grace_days * 86400},
        ]
        document = json.dumps({"serial": serial, "issued": issued, "keys": listed})
        entry = {
            "document": document,
            "signature": _signed(old, KEYS_PREFIX + document.encode()).decode(),
        }
        _write(self._path, json.dumps([*self.documents(), entry]).encode())
        keys.replace_signing(fresh)
        self._sign_anew(old_pem)
        return serial

    def _sign_anew(self, old_pem: str) -> None:
        """Sign every bundle again that the old key had signed and nobody has altered since."""
        from tools.devices.proofs import check_signature

        for folder in (self._kernel.settings.home / "bundles").glob("*"):
            try:
                manifest = (folder / MANIFEST).read_bytes()
                signature = (folder / SIGNATURE).read_text()
                check_signature(old_pem, signature, SIGNED_PREFIX + manifest)
            except (OSError, Unauthenticated):
                continue
            if hashlib.sha256(manifest).hexdigest() == folder.name:
                _write(folder / SIGNATURE, self.sign(manifest))


def _signed(key: Ed25519PrivateKey, data: bytes) -> bytes:
    return base64.b64encode(key.sign(data))


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)
