"""The fleet in the terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from ui.fleet_view import drawn


def device(name: str, **more: Any) -> dict[str, Any]:
    plain = {"touched": True, "confirmed": True, "excluded": False, "step": 1, "state": "online"}
    served = {"desired": [], "reported": [], "reported_at": None, "error": None}
    return {"device": name, **plain, **served, **more}


def test_devices_that_were_put_back_by_themselves_are_no_part_of_a_rollouts_bar() -> None:
    rollout = {
        "rollout": 2,
        "model": "ticket-router",
        "version": 2,
        "strategy": "all",
        "state": "running",
        "paused": False,
        "hold": None,
        "reason": None,
        "judged": None,
        "steps": [100],
        "step": 1,
        "devices": [device("laptop-1"), device("phone-1", excluded=True)],
    }
    group = {"group": "shop", "protected": False, "rollout": rollout, "devices": []}
    counts = dict.fromkeys(("online", "silent", "pending", "unhealthy"), 0)
    out = io.StringIO()
    shown = drawn({"groups": [group], "health": {**counts, "devices": []}})
    Console(file=out, width=140).print(shown)
    assert "1/1" in out.getvalue()
