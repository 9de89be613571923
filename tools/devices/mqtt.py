"""Waking devices over MQTT, a second way beside the polls that are held open; off by default.

A message says nothing but that it is time to poll, on a topic that only the device and the platform
can work out from the device's public key. Losing one costs the time to the next poll.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from edge.wake import broker_arguments
from tools.devices.credentials import wake_topic
from tools.devices.tables import DeviceRow

if TYPE_CHECKING:
    from tools.kernel.storage import Database

_LOG = logging.getLogger(__name__)
_REST_SECONDS = 2.0
_WAITING = 100_000


class Bell:
    """Publishes to the broker from a thread of its own, which is started at the first message.

    Args:
        database: where the devices' keys are.
        url: the broker, `mqtt://host:1883`; None rings nowhere.
    """

    def __init__(self, database: Database, url: str | None) -> None:
        self._database = database
        self._url = url
        self._topics: queue.Queue[str] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, devices: Sequence[int]) -> None:
        """Wake these devices; returns at once."""
        if self._url is None or not devices:
            return
        query = select(DeviceRow.public_key).where(
            DeviceRow.id.in_(devices), DeviceRow.public_key.is_not(None)
        )
        with self._database.session() as session:
            self._put(wake_topic(key) for key in session.scalars(query) if key is not None)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _put(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if self._topics.full():
                return  # devices poll by themselves; a broker that is away must not fill memory
            self._topics.put_nowait(topic)

    def _run(self) -> None:
        try:
            mqtt: Any = import_module("aiomqtt")
        except ImportError:
            _LOG.error("Waking devices over MQTT needs aiomqtt: install the extra `devices`.")
            return
        asyncio.run(self._publish_forever(mqtt, broker_arguments(self._url or "")))

    async def _publish_forever(self, mqtt: Any, arguments: dict[str, Any]) -> None:
        topic: str | None = None
        while True:
            try:
                async with mqtt.Client(**arguments) as client:
                    while True:
                        topic = topic or await asyncio.to_thread(self._topics.get)
                        await client.publish(topic, b"", qos=1)
                        topic = None
            except (mqtt.MqttError, OSError):
                await asyncio.sleep(_REST_SECONDS)
