"""A rollout as it moves, on its page and in the terminal: steps, figures, devices, buttons."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tests.support.simulated import SimulatedFleet
from tests.ui.gateway import PASSWORD, Gateway, gateway
from tools.deployment.bundles import Bundles
from tools.deployment.workflow import Workflow
from tools.kernel.errors import NeedsApproval
from tools.kernel.identity import RequestContext
from ui.fleet_view import drawn

MODEL = {"model": "ticket-router", "group": "phones"}


class Moving:
    """A gateway over simulated devices that serve version 1."""

    def __init__(self, served: Gateway, folder: Path) -> None:
        self.served = served
        self.context = RequestContext(served.kernel.principals.local())
        self.fleet = SimulatedFleet(served.kernel, self.context)
        for shift in (0, 1):
            files = write_classifier(folder / f"v{shift}", shift=shift, padding=0)
            job = add_training(served.kernel, name="ticket-router", files=files)
            self.call("registry.register", job=job, model="ticket-router")
        self.fleet.enroll(4, requests=20)
        self.end(self.call("deployment.start", **MODEL, version=1, strategy="all"))

    def call(self, name: str, **arguments: Any) -> Any:
        """Call as the owner, who approves."""
        gate = self.served.kernel.gate
        try:
            return gate.call(name, arguments, self.context)
        except NeedsApproval as needed:
            approval = needed.approval
        self.served.kernel.approvals.grant(
            approval["id"], self.context.principal, approval["confirm"]
        )
        return gate.call(name, arguments, self.context, approval=approval["id"])

    def end(self, outcome: Any) -> None:
        """Wait for a job's end."""
        assert self.served.kernel.jobs.wait(outcome.job, timeout=60).status == "done"

    def terminal(self) -> str:
        """What `pilothouse fleet` shows."""
        status = self.call("deployment.status").result.model_dump(mode="json")
        health = self.call("devices.health").result.model_dump(mode="json")
        out = io.StringIO()
        Console(file=out, width=140, markup=False, emoji=False).print(
            drawn({"groups": status["groups"], "health": health})
        )
        return out.getvalue()


@pytest.fixture(scope="module")
def moving(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    folder = tmp_path_factory.mktemp("rollout-pages")
    shutil.copytree(template_home, folder / "home")
    with pytest.MonkeyPatch.context() as patch, gateway(folder / "home") as running:
        patch.setattr(Bundles, "ensure", lambda self, version, job: f"{version.version:064x}")
        running.kernel.get(Workflow).bake_seconds = 0.2
        running.add("ada", "admin")
        made = Moving(running, folder)
        yield made
        made.fleet.close()


@pytest.fixture
def browser(moving: Moving) -> Iterator[httpx.Client]:
    with moving.served.browser(Accept="text/html") as client:
        client.post("/login", data={"name": "ada", "password": PASSWORD, "next": "/"})
        yield client


def test_a_rollout_that_holds_shows_why_and_its_buttons_go_through_the_gate(
    moving: Moving, browser: httpx.Client
) -> None:
    fleet = moving.fleet
    for device in fleet.devices.values():
        device.requests = 0
    moving.call("deployment.start", **MODEL, version=2, steps=[25, 100])
    fleet.until(lambda: "answers" in (fleet.latest().hold or ""), "it holds")
    place = f"/rollouts/{fleet.latest().id}"
    text = browser.get(place).text
    for told in ("25 %", "100 %", "too little data: 0 of 30 answers", "failed answers", "Abort"):
        assert told in text, told
    shown = moving.terminal()
    assert "[25 %] 100 %" in shown and "too little data" in shown and "4 online" in shown
    assert browser.post(f"{place}/pause").status_code == 303
    assert "paused" in browser.get(place).text
    asked = browser.post(f"{place}/abort")
    assert asked.status_code == 303 and asked.headers["location"].startswith("/approvals/")
    moving.end(moving.call("deployment.abort", group="phones"))
    text = browser.get(place).text
    assert "Try again" in text and "rolled back" in text
    assert "rolled back" in moving.terminal()


def test_an_ab_test_shows_its_interval_and_recommendation(
    moving: Moving, browser: httpx.Client
) -> None:
    moving.end(moving.call("deployment.ab_test", **MODEL, version=2, percent=50))
    for number in range(6):
        moving.call("deployment.record_outcome", group="phones", key=f"user-{number}")
    text = browser.get(f"/rollouts/{moving.fleet.latest().id}").text
    assert "Difference with its interval" in text and "Recommended: <strong>wait" in text
    moving.end(moving.call("deployment.rollback", group="phones"))
