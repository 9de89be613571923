"""Fixtures of the rollout tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import DeviceServer, FleetUnderTest
from tools.deployment.workflow import Workflow
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel


@pytest.fixture
def fleet(kernel: Kernel, context: RequestContext, tmp_path: Path) -> Iterator[FleetUnderTest]:
    """A platform that devices can join; silence and baking are short."""
    kernel.settings.device_report_seconds = 4.0
    kernel.get(Workflow).bake_seconds = 0.5
    made = FleetUnderTest(kernel, context, tmp_path, DeviceServer(kernel))
    yield made
    made.close()
