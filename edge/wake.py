"""Being woken over MQTT: a message says only that it is time to poll, and is not believed further.

Optional: without `aiomqtt`, or without a broker, the device polls as it would otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from edge.errors import Refused

_BACK_OFF_SECONDS = (0.5, 60.0)
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Waker(threading.Thread):
    """Subscribes to one topic, for as long as the program runs, and reconnects by itself.

    Args:
        url: `mqtt://[user:password@]host[:port]`, or `mqtts://` for TLS.
        topic: the device's own.
        wake: called for every message, and after every new connection, in this thread.

    Raises:
        Refused: the URL is not one, or `aiomqtt` is not installed.
    """

    def __init__(self, url: str, topic: str, wake: Callable[[], None]) -> None:
        super().__init__(name="wake", daemon=True)
        self._arguments = broker_arguments(url)
        try:
            self._mqtt: Any = import_module("aiomqtt")
        except ImportError as error:
            raise Refused("being woken over MQTT needs the package aiomqtt") from error
        self._topic = topic
        self._wake = wake
        self.connected = threading.Event()

    def run(self) -> None:
        """Listen until the program ends."""
        asyncio.run(self._listen_forever())

    async def _listen_forever(self) -> None:
        trouble = 0
        while True:
            try:
                async with self._mqtt.Client(**self._arguments) as client:
                    await client.subscribe(self._topic, qos=1)
                    trouble = 0
                    self.connected.set()
                    self._wake()
                    async for _ in client.messages:
                        self._wake()
            except (self._mqtt.MqttError, OSError):
                trouble += 1
            self.connected.clear()
            first, most = _BACK_OFF_SECONDS
            rest = min(most, first * 2 ** min(trouble, 10))
            await asyncio.sleep(random.uniform(first, rest))  # noqa: S311


def broker_arguments(url: str) -> dict[str, Any]:
    """What `aiomqtt.Client` takes for a broker's URL.

    Raises:
        Refused: it is not `mqtt://host` or `mqtts://host`.
    """
    parts = urlsplit(url)
    port: int | None = None
    with contextlib.suppress(ValueError):
        port = parts.port or _PORTS.get(parts.scheme)
    if port is None or not parts.hostname:
        raise Refused(f"{url!r} is no broker: write mqtt://host:1883 or mqtts://host:8883")
    arguments: dict[str, Any] = {"hostname": parts.hostname, "port": port, "keepalive": 60}
    if parts.username:
        arguments |= {
            "username": unquote(parts.username),
            "password": unquote(parts.password or ""),
        }
    if parts.scheme == "mqtts":
        import ssl

        arguments["tls_context"] = ssl.create_default_context()
    return arguments
