"""The device protocol as the device speaks it: messages, and a client of the server's HTTP.

Routes under `/device/v1`: `POST enroll`, `GET desired` (long poll with ETag), `GET
bundles/<sha>/<file>` (with Range), `POST reports` (signed with the device's own key).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from edge.errors import EdgeError, Refused, Retired, Unreachable
from edge.identity import Identity
from edge.machine import Machine

LONG_POLL_SECONDS = 20
_ANSWER_SECONDS = 10.0
_MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Assignment:
    """A model that the device serves, and the share of requests (percent) that it answers."""

    bundle: str
    model: str
    version: int
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Desired:
    """What the server wants: models to serve, bundles to stage without serving them."""

    generation: int
    serve: tuple[Assignment, ...] = ()
    stage: tuple[Assignment, ...] = ()

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Desired:
        """Read it from JSON.

        Raises:
            Refused: if it is not a desired state.
        """
        try:
            return cls(
                int(data["generation"]),
                tuple(_assignment(item) for item in data["serve"]),
                tuple(_assignment(item) for item in data["stage"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"the desired state is malformed: {error}") from error


def _assignment(data: dict[str, Any]) -> Assignment:
    return Assignment(
        str(data["bundle"]), str(data["model"]), int(data["version"]), int(data["weight"])
    )


@dataclass(slots=True)
class Report:
    """What the device says of itself; traffic counts are totals since the device's boot."""

    boot: int
    sequence: int
    generation: int
    attempted: int
    phase: str
    healthy: bool
    serving: list[Assignment]
    staged: list[str]
    slots: dict[str, Assignment | None]
    error: str | None
    traffic: list[dict[str, Any]]
    p50_ms: float | None
    p95_ms: float | None
    memory_mb: float | None
    free_disk_mb: float | None
    address: str | None
    agent: str
    machine: Machine

    def encode(self) -> bytes:
        """The report as the bytes that are signed and sent."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


class Client:
    """Speaks to the server; safe to use from several threads.

    Args:
        server: base URL of the platform, such as `http://127.0.0.1:8700`.
        identity: who the device is; None only for enrolment.
    """

    def __init__(self, server: str, identity: Identity | None = None) -> None:
        self._base = server.rstrip("/") + "/device/v1"
        self._identity = identity
        self._opener = build_opener(ProxyHandler({}))

    def enroll(self, body: dict[str, Any]) -> dict[str, Any]:
        """Trade the one-time token for a credential.

        Raises:
            Refused: the token is unknown, used or expired.
            Unreachable: the server did not answer.
        """
        request = self._request("enroll", json.dumps(body).encode())
        with self._open(request, _ANSWER_SECONDS) as (_, answer):
            return cast(dict[str, Any], json.loads(answer.read(_MAX_ANSWER)))

    def desired(self, etag: str | None, wait: float) -> tuple[Desired, str] | None:
        """The desired state with its ETag, or None if it is still what `etag` names.

        Args:
            etag: the ETag of the state that the device has; None asks for whatever there is.
            wait: seconds for which the server may hold the answer until something changes.
        """
        request = self._request(f"desired?wait={wait:g}")
        if etag is not None:
            request.add_header("If-None-Match", etag)
        with self._open(request, wait + _ANSWER_SECONDS) as (status, answer):
            if status == 304:
                return None
            data = json.loads(answer.read(_MAX_ANSWER))
            return Desired.parse(data), str(answer.headers["ETag"])

    @contextmanager
    def bundle_file(
        self, bundle: str, name: str, start: int
    ) -> Iterator[tuple[bool, HTTPResponse]]:
        """A file of a bundle from byte `start`; True if the server honoured the start.

        Raises:
            Refused: there is no such file.
        """
        request = self._request(f"bundles/{bundle}/{name}")
        if start:
            request.add_header("Range", f"bytes={start}-")
        with self._open(request, _ANSWER_SECONDS) as (status, answer):
            yield status == 206, answer

    def report(self, report: bytes) -> None:
        """Send a report, signed with the device's key."""
        request = self._request("reports", report)
        if self._identity is not None:
            signature = self._identity.sign(b"pilothouse-report-v1\n" + report)
            request.add_header("X-Device-Signature", base64.b64encode(signature).decode())
        with self._open(request, _ANSWER_SECONDS) as (_, answer):
            answer.read(_MAX_ANSWER)

    def _request(self, path: str, body: bytes | None = None) -> Request:
        request = Request(f"{self._base}/{path}", data=body)  # noqa: S310 - the operator's URL
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._identity is not None:
            request.add_header("Authorization", f"Bearer {self._identity.credential}")
        return request

    @contextmanager
    def _open(self, request: Request, timeout: float) -> Iterator[tuple[int, HTTPResponse]]:
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                yield answer.status, answer
        except HTTPError as error:
            with error:
                if error.code == 304:
                    yield 304, cast(HTTPResponse, error)
                    return
                raise _meaning(error, self._identity is None) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error


def _meaning(error: HTTPError, enrolling: bool) -> EdgeError:
    text = error.read(2000).decode("utf-8", "replace")
    if error.code == 410:
        return Retired("the server says that this device is retired")
    if error.code == 401 and enrolling:
        return Refused("the platform does not accept the enrolment token")
    if error.code in (400, 403, 404, 409, 416, 422):
        return Refused(f"the server answered {error.code}: {text}")
    return Unreachable(f"the server answered {error.code}: {text}")
