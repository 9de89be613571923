"""Which desired states the device believes: those that the platform signed for its own key."""

from __future__ import annotations

import json
from collections.abc import Callable

from edge.errors import Refused
from edge.trust import Trust
from edge.wire import Desired, Stated

STATE_PREFIX = b"pilothouse-state-v1\n"


class States:
    """Reads the desired states of one device.

    Args:
        trust: the platform's keys.
        public_pem: the device's own public key; a state of another device is not for this one.
        renew_keys: takes over the platform's newer keys.
    """

    def __init__(self, trust: Trust, public_pem: str, renew_keys: Callable[[], None]) -> None:
        self._trust, self._prefix = trust, STATE_PREFIX + public_pem.encode()
        self._renew_keys = renew_keys

    def read(self, stated: Stated) -> Desired:
        """A desired state that the platform signed; its key may have been replaced meanwhile.

        Raises:
            Refused: it is not signed for this device by a key that is trusted, or malformed.
            Unreachable: the newer keys could not be asked for.
        """
        try:
            self._check(stated)
        except Refused:
            self._renew_keys()
            self._check(stated)
        try:
            return Desired.parse(json.loads(stated.content))
        except ValueError as error:
            raise Refused(f"the desired state is malformed: {error}") from error

    def _check(self, stated: Stated) -> None:
        try:
            self._trust.check(stated.signature, self._prefix + stated.content, held=False)
        except Refused as error:
            raise Refused(f"the desired state was refused: {error}") from error
