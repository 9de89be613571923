"""The device protocol as the device speaks it: messages, and a client of the server's HTTP.

Routes under `/device/v1`: `POST enroll`, `GET desired` (long poll with ETag), `GET
bundles/<sha>/<file>` (with Range), and, signed with the device's own key, `POST reports` and `POST
credential`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from http.client import HTTPException, HTTPResponse
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from edge.errors import EdgeError, LockedOut, Refused, Retired, Unreachable
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


@dataclass(frozen=True, slots=True)
class Stated:
    """A desired state as it was sent: its JSON, the platform's signature, and its ETag."""

    content: bytes
    signature: bytes
    etag: str


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
    handed_over: int
    hand_over_failed: int
    handed_to: str | None

    def encode(self) -> bytes:
        """The report as the bytes that are signed and sent."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


class Client:
    """Speaks to the server, and renews its credential; safe to use from several threads.

    Args:
        server: base URL of the platform, such as `http://127.0.0.1:8700`.
        identity: who the device is; None only for enrolment.
        keep: stores an identity with a renewed credential before that is used.

    Attributes:
        report_wanted: True if the last poll's answer asked for a report.
    """

    def __init__(
        self,
        server: str,
        identity: Identity | None = None,
        keep: Callable[[Identity], None] = lambda _: None,
    ) -> None:
        self._base = server.rstrip("/") + "/device/v1"
        self._identity = identity
        self._keep = keep
        self._renewing = threading.Lock()
        self._renew_at = time.monotonic()
        self._opener = build_opener(ProxyHandler({}))
        self.report_wanted = False

    def renew_when_due(self) -> None:
        """Replace the credential after half of its time, and once after a start.

        Raises:
            Unreachable: the server did not answer; the credential at hand stays.
            LockedOut: the server does not accept it any more.
        """
        if self._identity is not None and time.monotonic() >= self._renew_at:
            self._renew(self._identity.credential)

    def enroll(self, body: dict[str, Any]) -> dict[str, Any]:
        """Trade the one-time token for a credential.

        Raises:
            Refused: the token is unknown, used or expired.
            Unreachable: the server did not answer.
        """
        request = self._request("enroll", json.dumps(body).encode())
        with self._open(request, _ANSWER_SECONDS) as (_, answer):
            return _whole(answer)

    def desired(self, etag: str | None, wait: float, holds: str | None = None) -> Stated | None:
        """The desired state as it was sent, or None if it is still what `etag` names.

        Args:
            etag: the ETag of the state that the device has; None asks for whatever there is.
            wait: seconds for which the server may hold the answer until something changes.
            holds: `boot.sequence` of the last report, if all that it said still holds.
        """
        request = self._request(f"desired?wait={wait:g}")
        if holds is not None:
            request.add_header("X-Device-Report", holds)
        if etag is not None:
            request.add_header("If-None-Match", etag)
        with self._open(request, wait + _ANSWER_SECONDS) as (status, answer):
            self.report_wanted = answer.headers.get("X-Report-Wanted") == "1"
            if status == 304:
                return None
            signature = answer.headers.get("X-State-Signature", "").encode()
            return Stated(_arrived(answer), signature, str(answer.headers["ETag"]))

    @contextmanager
    def bundle_file(
        self, bundle: str, name: str, start: int, end: int | None = None
    ) -> Iterator[tuple[bool, HTTPResponse]]:
        """A file of a bundle from byte `start` up to `end` (excluded; None for all that follows).

        Yields:
            True if the server sends just that part, and the answer to read from.

        Raises:
            Refused: there is no such file.
        """
        request = self._request(f"bundles/{bundle}/{name}")
        if start or end is not None:
            last = "" if end is None else end - 1
            request.add_header("Range", f"bytes={start}-{last}")
        with self._open(request, _ANSWER_SECONDS) as (status, answer):
            yield status == 206, answer

    def keys(self, after: int) -> list[tuple[bytes, bytes]]:
        """Lists of keys later than the `after`-th, oldest first, each with its signature."""
        with self._open(self._request(f"keys?after={after}"), _ANSWER_SECONDS) as (_, answer):
            data = _whole(answer)
        return [(str(k["document"]).encode(), str(k["signature"]).encode()) for k in data["keys"]]

    def report(self, report: bytes) -> tuple[int, int] | None:
        """Send a report, signed with the device's key.

        Returns:
            None if it was taken in; else the start and the sequence of the report that the server
            regards as the newest.

        Raises:
            Refused: it is not plausible beside the one before.
            Unreachable: the server did not answer.
        """
        request = self._request("reports", report)
        if self._identity is not None:
            signature = self._identity.sign(b"pilothouse-report-v1\n" + report)
            request.add_header("X-Device-Signature", base64.b64encode(signature).decode())
        with self._open(request, _ANSWER_SECONDS) as (_, answer):
            told = _whole(answer)
        newest = told.get("newest")
        return (int(newest[0]), int(newest[1])) if newest else None

    def _renew(self, credential: str) -> None:
        """Replace this credential, unless another thread has done so meanwhile."""
        with self._renewing:
            identity = self._identity
            if identity is None or identity.credential != credential:
                return
            signature = identity.sign(b"pilothouse-renew-v1\n" + credential.encode())
            request = self._request("credential", b"")
            request.add_header("X-Device-Signature", base64.b64encode(signature).decode())
            try:
                with self._once(request, _ANSWER_SECONDS) as (_, answer):
                    given = _whole(answer)
                    fresh, seconds = str(given["credential"]), float(given["seconds"])
            except _Unknown as error:
                raise LockedOut("the platform does not know this device any more") from error
            except (KeyError, TypeError) as error:
                raise Unreachable(f"the renewal is malformed: {error}") from error
            renewed = replace(identity, credential=fresh, seconds=seconds)
            self._keep(renewed)
            self._identity = renewed
            self._renew_at = time.monotonic() + seconds / 2

    def _request(self, path: str, body: bytes | None = None) -> Request:
        request = Request(f"{self._base}/{path}", data=body)  # noqa: S310 - the operator's URL
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._identity is not None:
            request.add_header("Authorization", f"Bearer {self._identity.credential}")
        return request

    @contextmanager
    def _open(self, request: Request, timeout: float) -> Iterator[tuple[int, HTTPResponse]]:
        """Send a request; if the credential is not accepted, renew it and send it once more."""
        identity = self._identity
        with ExitStack() as stack:
            try:
                answer = stack.enter_context(self._once(request, timeout))
            except _Unknown as error:
                if identity is None:
                    raise Refused("the platform does not accept the enrolment token") from error
                shown = (request.get_header("Authorization") or "").removeprefix("Bearer ")
                self._renew(shown)
                identity = self._identity or identity
                request.add_header("Authorization", f"Bearer {identity.credential}")
                answer = stack.enter_context(self._once(request, timeout))
            yield answer

    @contextmanager
    def _once(self, request: Request, timeout: float) -> Iterator[tuple[int, HTTPResponse]]:
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                yield answer.status, answer
        except HTTPError as error:
            with error:
                if error.code == 304:
                    yield 304, cast(HTTPResponse, error)
                    return
                raise _meaning(error) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error


def _whole(answer: HTTPResponse) -> dict[str, Any]:
    """The JSON of an answer that arrived as it was sent."""
    return cast(dict[str, Any], json.loads(_arrived(answer)))


def _arrived(answer: HTTPResponse) -> bytes:
    """An answer that arrived as it was sent (RFC 9530, `Content-Digest`).

    One changed letter would otherwise be kept: as a credential that nobody knows, or as what is
    desired until the next change.

    Raises:
        Unreachable: it is damaged.
    """
    data = answer.read(_MAX_ANSWER)
    sent = answer.headers.get("Content-Digest")
    if sent is not None and sent != content_digest(data):
        raise Unreachable("the answer arrived damaged")
    return data


def content_digest(data: bytes) -> str:
    """The value of the header `Content-Digest` (RFC 9530) for a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


class _Unknown(Unreachable):
    """The server answered 401."""


def _meaning(error: HTTPError) -> EdgeError:
    text = error.read(2000).decode("utf-8", "replace")
    if error.code == 410:
        return Retired("the server says that this device is retired")
    if error.code == 401:
        return _Unknown("the server does not accept the credential")
    if error.code in (400, 403, 404, 409, 416, 422):
        return Refused(f"the server answered {error.code}: {text}")
    return Unreachable(f"the server answered {error.code}: {text}")
