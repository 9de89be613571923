"""A network between a device and the platform that cuts, slows, corrupts, repeats and outdates.

Devices make one request a connection, so that a connection here is one request with its answer.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from enum import StrEnum

_TIMEOUT = 40.0
_SLOW_BYTES, _SLOW_SECONDS = 4096, 0.02


class Mode(StrEnum):
    """What the network does to the requests of a device."""

    WELL = "well"
    CUT = "cut"
    SLOW = "slow"
    CORRUPT = "corrupt"
    STALE = "stale"
    TWICE = "twice"


class FaultyProxy:
    """One device's way to the platform.

    Args:
        port: where the platform listens.
        seed: decides which bytes are corrupted and where a transfer is cut.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._target = port
        self._drawn = random.Random(seed)
        self._stale: bytes | None = None
        self.mode = Mode.WELL
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(client,), daemon=True).start()

    def _guarded(self, client: socket.socket) -> None:
        with client:
            client.settimeout(_TIMEOUT)
            try:
                self._pass_on(client)
            except OSError:
                return  # either side is gone: to the device a broken connection, as meant

    def _pass_on(self, client: socket.socket) -> None:
        mode = self.mode
        request = _whole_request(client)
        desired = b"/desired" in request.split(b"\r\n", 1)[0]
        if mode is Mode.CUT:
            return
        if mode is Mode.STALE and desired and self._stale is not None:
            client.sendall(self._stale)
            return
        if mode is Mode.TWICE and b"/reports" in request.split(b"\r\n", 1)[0]:
            self._exchange(request, None, Mode.WELL)
        answer = self._exchange(request, client, mode)
        if desired and b"200 OK" in answer[:64] and self._drawn.random() < 0.3:
            self._stale = answer

    def _exchange(self, request: bytes, client: socket.socket | None, mode: Mode) -> bytes:
        kept = bytearray()
        with socket.create_connection(("127.0.0.1", self._target), _TIMEOUT) as server:
            server.settimeout(_TIMEOUT)
            server.sendall(request)
            while data := server.recv(65_536):
                if len(kept) < 65_536:
                    kept += data
                if client is not None:
                    self._send(client, data, mode)
        return bytes(kept)

    def _send(self, client: socket.socket, data: bytes, mode: Mode) -> None:
        if mode is Mode.CORRUPT and len(data) > 200 and self._drawn.random() < 0.5:
            changed = bytearray(data)
            changed[self._drawn.randrange(150, len(data))] ^= 0x20
            data = bytes(changed)
        if mode is not Mode.SLOW:
            client.sendall(data)
            return
        for start in range(0, len(data), _SLOW_BYTES):
            if self.mode is Mode.CUT:
                return
            client.sendall(data[start : start + _SLOW_BYTES])
            time.sleep(_SLOW_SECONDS)


def _whole_request(client: socket.socket) -> bytes:
    """A request with its body, told to close after the answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = client.recv(65_536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body
