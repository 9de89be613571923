"""The main journey on real device processes: canary, promotion, rollback, all through the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.fleet import FleetUnderTest
from tools.kernel.gate import Outcome

Finished = Callable[..., dict[str, Any]]


def test_a_canary_is_promoted_and_rolled_back_on_real_devices(
    fleet: FleetUnderTest, finished: Finished, call: Callable[..., Outcome]
) -> None:
    for name in ("thinkpad-1", "thinkpad-2", "thinkpad-3"):
        fleet.enroll(name)
    first = fleet.register()
    second = fleet.register(shift=1)

    done = finished(
        "deployment.start", model="ticket-router", version=first, group="thinkpads", strategy="all"
    )
    assert done["state"] == "done"
    assert all(fleet.serving(name) == [("ticket-router", first)] for name in fleet.devices)
    assert fleet.devices["thinkpad-1"].predict("my password")["label"] == "login"

    held = finished(
        "deployment.start", model="ticket-router", version=second, group="the thinkpads"
    )
    assert held["state"] == "canary"
    canary = [d["device"] for d in held["devices"] if d["touched"]]
    assert len(canary) == 1
    assert [fleet.serving(n) == [("ticket-router", second)] for n in canary] == [True]
    others = [n for n in fleet.devices if n not in canary]
    assert all(fleet.serving(n) == [("ticket-router", first)] for n in others)
    answer = fleet.devices[canary[0]].predict("my password")
    assert (answer["label"], answer["version"]) == ("shipping", second)

    finished(
        "deployment.start", model="ticket-router", version=second, group="thinkpads", percent=100
    )
    assert all(fleet.serving(name) == [("ticket-router", second)] for name in fleet.devices)

    back = finished("deployment.rollback", group="thinkpad")
    assert back["state"] == "rolled_back"
    assert all(fleet.serving(name) == [("ticket-router", first)] for name in fleet.devices)
    status = call("deployment.status").result.model_dump(mode="json")
    assert all(d["confirmed"] for d in status["groups"][0]["devices"])
