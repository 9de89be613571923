"""The commands' way to the platform, here or behind `PILOTHOUSE_URL`; standard library only."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from tools.kernel.errors import Unavailable
from ui.errors import from_problem
from ui.home import VERSION, HomeFiles, RunState
from ui.launch import ensure_running

ANSWER_SECONDS = 120.0
LOOK_SECONDS = 0.5
STREAM_SECONDS = 60.0  # the platform sends a blank line every few seconds while nothing happens

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_servers.caller import CallOutcome, Progress
    from tools.kernel.identity import RequestContext

Json = dict[str, Any]


class NotSent(Unavailable):
    """No platform took the request, so that it can be made again without harm."""


def connect(*, channel: str = "cli", start: bool = True) -> Client:
    """A client of the gateway that `PILOTHOUSE_URL` names, or else of this home's platform.

    That one is started when it is absent.

    Args:
        channel: the door that requests are said to come through.
        start: False to fail instead of starting the platform.

    Raises:
        InvalidInput: if the address or the token for it is wrong or missing.
        Unavailable: if there is no platform and none could be started.
    """
    from ui.launch import running
    from ui.remote import remote

    far = remote()
    if far is not None:
        return Client(far, channel=channel).introduced()
    files = HomeFiles()
    state = ensure_running(files, _say) if start else running(files)
    if state is None:
        raise Unavailable(f"No platform runs on {files.home}.", hint="`pilothouse up` starts it.")
    if state.version != VERSION:
        _say(
            f"The platform runs version {state.version}, this command is {VERSION}: "
            "`pilothouse down` and `pilothouse up` bring them together."
        )
    return Client(state, token=os.environ.get("PILOTHOUSE_TOKEN"), channel=channel)


class Client:
    """One principal's requests to one platform; safe to use from several threads.

    Args:
        state: the platform.
        token: a principal's token; the owner's when not given.
        channel: the door that requests are said to come through.
    """

    def __init__(self, state: RunState, token: str | None = None, channel: str = "cli") -> None:
        self.state = state
        self._address = urlsplit(state.url)
        self._headers = {
            "Authorization": f"Bearer {token or state.token}",
            "Content-Type": "application/json",
            "X-Pilothouse-Channel": channel,
        }

    @property
    def is_remote(self) -> bool:
        """True if the platform is behind `PILOTHOUSE_URL` and has none of the files here."""
        return self.state.pid == 0

    def introduced(self) -> Client:
        """The same, once a gateway elsewhere has said what it is."""
        told = self.get("/api/v1/status")
        self.state = replace(self.state, version=told["version"], currency=told["currency"])
        return self

    def upload(self, path: Path) -> str:
        """Bring a file along; the path that operations are called with to have it read.

        Raises:
            PilothouseError: what the platform answered.
        """
        with path.open("rb") as file, closing(self._connect(ANSWER_SECONDS)) as connection:
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(path.stat().st_size),
            }
            target = f"/api/v1/uploads/{quote(path.name, safe='')}"
            response = self._exchange(connection, "PUT", target, file, headers)
            return json.loads(response.read())["path"]

    def get(self, path: str, **query: Any) -> Any:
        """Read a resource.

        Raises:
            PilothouseError: what the platform answered, of the same class as over there.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(
        self,
        path: str,
        body: Json | None = None,
        timeout: float = ANSWER_SECONDS,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Ask for something to be done.

        Raises:
            PilothouseError: what the platform answered, of the same class as over there.
        """
        return self._call("POST", path, body or {}, timeout, headers)

    def call(
        self, operation: str, arguments: Json, *, idempotency_key: str | None = None, **more: Any
    ) -> Json:
        """Call one operation; `{result, receipt, job}`, or `{preview}` with `dry_run=True`."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        path = f"/api/v1/operations/{quote(operation)}"
        return self.post(path, {"arguments": arguments, **more}, headers=headers)

    def stream(
        self, method: str, path: str, body: Json | None = None
    ) -> Generator[Json, None, None]:
        """Follow a resource that answers with a line of JSON for each event.

        Raises:
            PilothouseError: what the platform answered, also in the middle of the stream.
        """
        with closing(self._connect(STREAM_SECONDS)) as connection:
            response = self._send(connection, method, path, body)
            for line in self._lines(response):
                event = json.loads(line)
                if event.get("kind") == "error":
                    raise from_problem(event["error"])
                yield event

    def ask(
        self, text: str, thread: str | None = None, auto_confirm: bool = False
    ) -> Generator[Json, None, None]:
        """Say a sentence; the assistant's events."""
        body = {"text": text, "thread": thread, "auto_confirm": auto_confirm}
        return self.stream("POST", "/api/v1/ask", body)

    def resume(self, thread: str, **answer: Any) -> Generator[Json, None, None]:
        """Go on with a thread that waits, with `confirmed=` or `approval=`."""
        return self.stream("POST", f"/api/v1/conversations/{quote(thread)}/resume", answer)

    def follow_job(self, job: int, after: int = 0) -> Generator[Json, None, None]:
        """A job's events until it ends, beginning with how it stands."""
        return self.stream("GET", f"/api/v1/jobs/{job}/events?after={after}")

    def _call(
        self,
        method: str,
        path: str,
        body: Json | None,
        timeout: float = ANSWER_SECONDS,
        headers: dict[str, str] | None = None,
    ) -> Any:
        with closing(self._connect(timeout)) as connection:
            response = self._send(connection, method, path, body, headers)
            try:
                return json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _lost() from error

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "127.0.0.1", self._address.port
        if self._address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Json | None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        return self._exchange(connection, method, path, data, headers)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        data: bytes | IO[bytes] | None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        target = self._address.path.rstrip("/") + path
        try:
            connection.connect()
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            connection.request(method, target, data, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            if response.status < 400:
                return response
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _lost() from error
        raise from_problem(_problem(answer, response.status))

    def _unreachable(self, error: OSError) -> NotSent:
        if self.is_remote:
            why = error.strerror or str(error)
            told = f"{self.state.url} does not answer: {why}."
            return NotSent(told, hint="Is PILOTHOUSE_URL right?")
        return NotSent("The platform does not answer.", hint="`pilothouse up`")

    @staticmethod
    def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
        while True:
            try:
                line = response.readline()
            except (OSError, http.client.HTTPException) as error:
                raise _lost() from error
            if not line:
                return
            if line.strip():
                yield line


def _problem(answer: bytes, status: int) -> Json:
    try:
        data = json.loads(answer)
    except ValueError:
        data = None
    if isinstance(data, dict) and "code" in data:
        return data
    return {"code": "error", "message": f"The platform answered with HTTP status {status}."}


def _lost() -> Unavailable:
    return Unavailable(
        "The platform stopped answering.",
        hint="What was begun goes on when it runs again: repeat the command, or `pilothouse up`.",
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class RemoteCaller:
    """Makes MCP clients' calls through the gate of the platform process (`mcp_servers.Caller`).

    Who calls is decided over there, by the client's token; the context given here is not sent.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(
        self,
        name: str,
        arguments: Json,
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> CallOutcome:
        """See `mcp_servers.caller.Caller.call`."""
        import asyncio

        from mcp_servers.caller import CallOutcome

        more = {"approval": approval, "idempotency_key": idempotency_key}
        answer = await asyncio.to_thread(self._call_again, name, arguments, more)
        return CallOutcome(
            result=answer["result"],
            receipt=answer["receipt"],
            job=answer.get("job"),
            revealed=answer.get("revealed"),
        )

    def _call_again(self, name: str, arguments: Json, more: Json) -> Json:
        """Call; if the platform has gone since, start it and call once more."""
        try:
            return self._client.call(name, arguments, **more)
        except NotSent:
            self._client = connect(channel="mcp")
            return self._client.call(name, arguments, **more)


class RemoteWaiting:
    """Waits for what happens in the platform process (`mcp_servers.waiting.Waiting`).

    It asks now and then, and holds no stream open: a wait that is given up leaves nothing behind.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def job(
        self, job: int, context: RequestContext, progress: Progress, seconds: float
    ) -> None:
        """See `Waiting`."""

        def over(row: Json) -> bool:
            progress(float(row["progress"]), str(row.get("message") or ""))
            return bool(row["ended"])

        await self._wait(f"/api/v1/jobs/{job}", over, seconds)

    async def granted(self, approval: str, context: RequestContext, seconds: float) -> bool:
        """See `Waiting`."""
        path = f"/api/v1/approvals/{quote(approval)}"
        row = await self._wait(path, lambda found: found["status"] != "pending", seconds)
        return row["status"] == "granted"

    def page(self, approval: str, request: Any) -> str:
        """See `Waiting`."""
        return f"{self._client.state.url}/approvals/{approval}"

    async def _wait(self, path: str, over: Callable[[Json], bool], seconds: float) -> Json:
        import asyncio

        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while True:
            found = await asyncio.to_thread(self._client.get, path)
            if over(found) or loop.time() >= ends:
                return found
            await asyncio.sleep(min(LOOK_SECONDS, max(ends - loop.time(), 0.0)))
