"""Spans around every call. OpenTelemetry when an exporter is configured, Langfuse when keys exist.

Nothing leaves the machine unless one of the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, or
`LANGFUSE_PUBLIC_KEY` with `LANGFUSE_SECRET_KEY`) asks for it; without them a span costs a
microsecond and neither library is imported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

log = logging.getLogger(__name__)


@contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[None]:
    """Time a piece of work under a name; attributes must hold no secret and no document text."""
    with ExitStack() as stack:
        try:
            if _wants_otel():
                stack.enter_context(_tracer().start_as_current_span(name, attributes=attributes))
            if _wants_langfuse():
                stack.enter_context(
                    _langfuse().start_as_current_observation(name=name, metadata=attributes)
                )
        except Exception as error:  # what only watches must not stop what it watches
            log.warning("no span for %s: %s", name, error)
        yield


@cache
def _wants_otel() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


@cache
def _wants_langfuse() -> bool:
    return bool(os.environ.get("LANGFUSE_PUBLIC_KEY") and os.environ.get("LANGFUSE_SECRET_KEY"))


@cache
def _tracer() -> Any:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "pilothouse"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("pilothouse")


@cache
def _langfuse() -> Any:
    from langfuse import get_client

    return get_client()
