"""Where the gateway listens: the loopback address, unless TLS or an explicit word allows more."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

LOOPBACK = "127.0.0.1"


def check_address(settings: Settings) -> None:
    """Refuse an address that others reach, without TLS and without an explicit word.

    Raises:
        InvalidInput: for such an address; for half a pair of TLS files, or one that is not there.
    """
    cert, key = settings.tls_cert, settings.tls_key
    if (cert is None) != (key is None):
        raise InvalidInput(
            "TLS needs both a certificate and its key.",
            hint="Set PILOTHOUSE_TLS_CERT and PILOTHOUSE_TLS_KEY.",
        )
    for name, path in (("PILOTHOUSE_TLS_CERT", cert), ("PILOTHOUSE_TLS_KEY", key)):
        if path is not None and not path.is_file():
            raise InvalidInput(f"{name}: there is no file {path}.")
    if cert is not None or settings.plain_http or is_loopback(settings.host):
        return
    raise InvalidInput(
        f"Others could read along: {settings.host} is no loopback address, and there is no TLS.",
        hint="Set PILOTHOUSE_TLS_CERT and PILOTHOUSE_TLS_KEY, or, behind a proxy that has TLS,"
        " PILOTHOUSE_PLAIN_HTTP=true (or --plain-http).",
    )


def is_loopback(host: str) -> bool:
    """True for `localhost` and the addresses that stay on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listeners(settings: Settings, last_port: int = 0) -> tuple[socket.socket, socket.socket | None]:
    """The socket that commands of this home speak to, and the public one if it is another.

    Args:
        settings: where to listen; port 0 leaves the choice.
        last_port: the one to choose again if it is free, so that devices which know the address
            find the platform after a restart.

    Raises:
        Conflict: if an address or port cannot be used.
    """
    if settings.tls_cert is None and settings.host in (LOOPBACK, "localhost"):
        return _bind_again(LOOPBACK, settings.port, last_port), None
    public = _bind_again(settings.host, settings.port, last_port)
    return bind(LOOPBACK, 0), public


def _bind_again(host: str, port: int, last_port: int) -> socket.socket:
    if port == 0 and last_port:
        try:
            return bind(host, last_port)
        except Conflict:
            return bind(host, 0)
    return bind(host, port)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        Conflict: if the address or port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Conflict(
            f"Port {port} on {host} cannot be used: {error.strerror or error}.",
            hint="Set PILOTHOUSE_PORT (or --port) to a free port, or to 0 to have one chosen.",
        ) from error
    listener.listen(1024)
    return listener


def public_address(settings: Settings, listener: socket.socket) -> str:
    """What a browser is pointed at."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if settings.tls_cert else "http"
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = LOOPBACK
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


def tls(settings: Settings) -> dict[str, Any]:
    """uvicorn's settings for HTTPS; none without a certificate."""
    if settings.tls_cert is None:
        return {}
    return {"ssl_certfile": str(settings.tls_cert), "ssl_keyfile": str(settings.tls_key)}
