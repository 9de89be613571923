"""Passwords: hashed with argon2id (RFC 9106), generated where none is chosen, kept as hashes."""

from __future__ import annotations

import secrets
import threading
from functools import cache
from typing import TYPE_CHECKING

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 256
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_AT_ONCE = threading.Semaphore(2)
"""Each check takes 64 MiB; strangers must not be able to make us take more of them."""


def generated() -> str:
    """A random password of 80 bits, in groups that can be read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def hash_password(password: str) -> str:
    """The argon2id hash of a password that a person may have.

    Raises:
        InvalidInput: if it is shorter than 12 or longer than 256 characters.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.")
    with _AT_ONCE:
        return _hasher().hash(password)


def verify(stored: str | None, password: str) -> bool:
    """True if the password is the one whose hash is stored; takes as long when none is stored."""
    from argon2.exceptions import InvalidHashError, VerifyMismatchError

    with _AT_ONCE:
        try:
            _hasher().verify(stored or _decoy(), password[: LONGEST + 1])
        except (VerifyMismatchError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """True if the hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(stored)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
