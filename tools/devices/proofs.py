"""Checking what a device signed with its own key."""

from __future__ import annotations

import base64
import binascii

from tools.kernel.errors import Unauthenticated


def check_signature(public_key: str, signature: str, data: bytes) -> None:
    """Check an Ed25519 signature (RFC 8032).

    Args:
        public_key: PEM.
        signature: base64.
        data: what was signed.

    Raises:
        Unauthenticated: the key or signature cannot be read, or does not fit.
    """
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
