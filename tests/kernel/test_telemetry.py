"""Spans cost nothing until they are asked for, hold no secret, and never stop a call."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.kernel.lab import SECRET
from tools.kernel import telemetry
from tools.kernel.errors import OperationFailed


@pytest.fixture
def watched(monkeypatch):
    """A tracer that notes the spans it is asked for."""
    spans = []

    class Tracer:
        @contextmanager
        def start_as_current_span(self, name, attributes):
            spans.append((name, attributes))
            yield

    monkeypatch.setattr(telemetry, "_wants_otel", lambda: True)
    monkeypatch.setattr(telemetry, "_tracer", Tracer)
    return spans


def test_without_an_exporter_nothing_of_it_is_imported():
    code = (
        "import sys; from tools.kernel.telemetry import span\n"
        "with span('x'): pass\n"
        "print([m for m in ('opentelemetry', 'langfuse') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_call_is_a_span_with_its_effect_and_door_and_no_argument(lab, owner, watched):
    lab.gate.call("lab.put", {"value": SECRET}, owner)
    assert watched == [("lab.put", {"effect": "write", "channel": "cli"})]


def test_a_failure_passes_through_a_span_as_it_is(lab, owner, watched):
    with pytest.raises(OperationFailed):
        lab.gate.call("lab.boom", {}, owner)


def test_a_broken_exporter_stops_no_call(lab, owner, world, monkeypatch):
    monkeypatch.setattr(telemetry, "_wants_otel", lambda: True)
    monkeypatch.setattr(telemetry, "_tracer", lambda: 1 / 0)
    lab.gate.call("lab.put", {}, owner)
    assert world.acts == ["put a=x"]
