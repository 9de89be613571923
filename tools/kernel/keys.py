"""The home's own keys: made at first use, readable by the owner alone, never logged."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES = 32
SIGNING = "signing.key"


class Keys:
    """Keys under one folder.

    Args:
        folder: where they are kept; files are created with mode 0600.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def seal(self, *parts: str) -> str:
        """An HMAC-SHA256 over the parts, in hex, that nobody without the home's key can make."""
        message = json.dumps(parts).encode()
        return hmac.new(self._seal_key, message, hashlib.sha256).hexdigest()

    def sealed(self, seal: str | None, *parts: str) -> bool:
        """True if `seal` was made by this home over these parts."""
        return seal is not None and hmac.compare_digest(seal, self.seal(*parts))

    def signing(self) -> Ed25519PrivateKey:
        """The private key with which bundles are signed (Ed25519, RFC 8032)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._key(SIGNING))

    def public_pem(self) -> str:
        """The public half of `signing`, as PEM."""
        return self.pem_of(self.signing())

    @staticmethod
    def pem_of(key: Ed25519PrivateKey) -> str:
        """A key's public half, as PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @staticmethod
    def fresh_signing() -> Ed25519PrivateKey:
        """A key that could take the place of `signing`; it is kept nowhere yet."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.generate()

    def replace_signing(self, key: Ed25519PrivateKey) -> None:
        """Sign with this key from now on, in every process of the home; the old one is gone."""
        try:
            fresh = self._written(SIGNING, key.private_bytes_raw())
            os.replace(fresh, self._folder / SIGNING)
        except OSError as error:
            raise Unavailable(f"The signing key cannot be stored: {error.strerror}.") from error

    @cached_property
    def _seal_key(self) -> bytes:
        return self._key("seal.key")

    def _key(self, name: str) -> bytes:
        try:
            key = self._read_or_make(name)
        except OSError as error:
            raise Unavailable(f"The home's key {name} cannot be read: {error.strerror}.") from error
        if len(key) != KEY_BYTES:
            raise Unavailable(f"The home's key {name} is damaged: it has {len(key)} bytes.")
        return key

    def _read_or_make(self, name: str) -> bytes:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        if not path.exists():
            fresh = self._written(name, secrets.token_bytes(KEY_BYTES))
            try:
                with suppress(FileExistsError):  # the first of several processes wins
                    os.link(fresh, path)
            finally:
                fresh.unlink(missing_ok=True)
        return path.read_bytes()

    def _written(self, name: str, key: bytes) -> Path:
        """A key in a file of its own, to be put in the place of `name`."""
        fresh = self._folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return fresh
