"""`/metrics`: what Prometheus reads. Labels are bounded and name no tenant, person or thing.

Only an answer to a request from this machine, unless `PILOTHOUSE_METRICS` says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.kernel.errors import PilothouseError, PolicyDenied
from ui.api.door import Door
from ui.auth import identify

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOCAL = frozenset({"127.0.0.1", "::1", "testclient"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def add_to(app: FastAPI, door: Door) -> None:
    """Count from now on, and answer `/metrics`."""
    figures = Figures(door)
    app.add_middleware(Timed, figures=figures)

    @app.get("/metrics", response_class=Response, tags=["platform"])
    async def metrics(request: Request) -> Response:
        """The figures, in Prometheus' text format."""
        await run_in_threadpool(_authorise, request, door)
        told = await run_in_threadpool(generate_latest, figures.registry)
        return Response(told, media_type=CONTENT_TYPE_LATEST)


class Figures:
    """What is counted in this process.

    Args:
        door: whose gate and turns are watched.
    """

    def __init__(self, door: Door) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "pilothouse_request_seconds",
            "Time to a request's full answer; streams count when they end.",
            ("method", "route", "status"),
            registry=self.registry,
            buckets=SECONDS,
        )
        self._operations = Histogram(
            "pilothouse_operation_seconds",
            "Time of a call through the gate, by what came of it.",
            ("operation", "outcome"),
            registry=self.registry,
            buckets=SECONDS,
        )
        self._plans = Histogram(
            "pilothouse_plan_seconds",
            "Time from a sentence to its plan.",
            registry=self.registry,
            buckets=SECONDS,
        )
        self._turns = Histogram(
            "pilothouse_turn_seconds",
            "Time of a turn of a conversation, by how it ended.",
            ("status",),
            registry=self.registry,
            buckets=SECONDS,
        )
        self.registry.register(Standing(door))
        door.kernel.gate.observers.append(self._called)
        door.turns.observers.append(self._turned)

    def _called(self, operation: str, outcome: str, seconds: float) -> None:
        self._operations.labels(operation, outcome).observe(seconds)

    def _turned(self, kind: str, status: str, seconds: float) -> None:
        if kind == "plan":
            self._plans.observe(seconds)
        else:
            self._turns.labels(status).observe(seconds)


class Standing(Collector):
    """What is read when it is asked for: jobs by state, turns that run, readers of events."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterable[Metric]:
        """The gauges as they stand."""
        jobs = GaugeMetricFamily("pilothouse_jobs", "Jobs, by state.", labels=("state",))
        try:
            for state, count in self._door.kernel.jobs.counts().items():
                jobs.add_metric((state,), count)
        except PilothouseError:  # the database is away, which /readyz tells; the rest is still told
            return
        yield jobs
        yield GaugeMetricFamily(
            "pilothouse_turns_running", "Turns that run now.", value=len(self._door.turns)
        )
        yield GaugeMetricFamily(
            "pilothouse_event_followers",
            "Streams that follow events.",
            value=len(self._door.notifier),
        )

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: it would have to be read."""
        return ()


class Timed:
    """Times every request by its route's pattern; what matches none is one route."""

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note method, route, status and time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            seconds = time.perf_counter() - began
            self._figures.requests.labels(method, _route(scope), str(status)).observe(seconds)


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


def _authorise(request: Request, door: Door) -> None:
    wanted = door.kernel.settings.metrics
    if wanted == "open":
        return
    local = request.client is not None and request.client.host in LOCAL
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if wanted == "loopback" and local and not forwarded:
        return
    if "authorization" not in request.headers and wanted == "loopback":
        raise PolicyDenied("The figures are read from this machine, or with a token.")
    identify(request)
