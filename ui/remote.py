"""A gateway elsewhere: `PILOTHOUSE_URL` and, to it, `PILOTHOUSE_TOKEN`."""

from __future__ import annotations

import os
import time
from urllib.parse import urlsplit

from tools.kernel.errors import InvalidInput
from ui.home import VERSION, RunState

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def remote() -> RunState | None:
    """The gateway that commands are meant for, if it is not this home's platform.

    Raises:
        InvalidInput: if the address is none, would send the token in the clear, or lacks a token.
    """
    url = os.environ.get("PILOTHOUSE_URL", "").strip().rstrip("/")
    if not url:
        return None
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port:
        raise InvalidInput(
            f"PILOTHOUSE_URL is {url[:200]!r}, which is no address of a gateway.",
            hint="Such as https://pilothouse.example or http://127.0.0.1:8080.",
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise InvalidInput(
            f"{url[:200]} would carry your token in the clear.",
            hint="Use https; the gateway takes PILOTHOUSE_TLS_CERT and PILOTHOUSE_TLS_KEY.",
        )
    token = os.environ.get("PILOTHOUSE_TOKEN", "")
    if not token:
        raise InvalidInput(
            f"{url[:200]} needs a token in PILOTHOUSE_TOKEN.",
            hint="`pilothouse tokens create LABEL` on its machine makes one.",
        )
    return RunState(0, port, url, token, time.time(), VERSION, "")
