"""What an agent's step costs: AssistantAgent + workbench + in-memory MCP, then with the gate too.

    python -m benchmarks.agents [--steps 300]

Prints JSON: milliseconds, median and 95th percentile, of one step with a trivial operation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agents.team import PlannedCall, Team
from mcp_servers.caller import Caller, CallOutcome, LocalCaller
from mcp_servers.memory import LocalServers
from tools.kernel.identity import Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

OWNER = RequestContext(Principal("owner", frozenset(Role)))
STEP = PlannedCall(operation="platform.whoami", plan="p", step="s1")


class Trivial:
    """A caller that answers at once: what is left is the way there and back."""

    async def call(self, name: str, *_: Any, **__: Any) -> CallOutcome:
        result = {
            "name": "owner", "tenant": "default", "roles": [], "scopes": [], "channel": "cli",
            "local": True,
        }  # fmt: skip
        return CallOutcome(result, {"id": "r", "number": 1, "status": "done", "says": "You."})


async def _timed(act: Callable[[], Awaitable[Any]], times: int) -> dict[str, float]:
    for _ in range(10):
        await act()
    spent: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await act()
        spent.append((time.perf_counter() - began) * 1000)
    spent.sort()
    return {
        "median_ms": round(statistics.median(spent), 2),
        "p95_ms": round(spent[int(len(spent) * 0.95)], 2),
    }


async def _steps(kernel: Kernel, caller: Caller, times: int) -> tuple[dict[str, float], float]:
    team = Team(LocalServers(kernel.operations, caller))

    async def step() -> None:
        outcome = await team.run_step(STEP, OWNER, lambda event: None)
        if outcome.error is not None:
            raise RuntimeError(outcome.error)

    alone = await _timed(step, times)
    began = time.perf_counter()
    await asyncio.gather(*(step() for _ in range(50)))
    each = (time.perf_counter() - began) / 50 * 1000
    await team.close()
    return alone, round(each, 2)


async def measure(kernel: Kernel, times: int) -> dict[str, Any]:
    """All figures, in milliseconds."""
    local = LocalCaller(kernel.gate)
    way, way_at_once = await _steps(kernel, Trivial(), times)
    whole, whole_at_once = await _steps(kernel, local, times)

    async def gate() -> None:
        await local.call("platform.whoami", {}, OWNER)

    alone = await _timed(gate, times)
    local.close()
    return {
        "steps": times,
        "step_without_gate": way,
        "step_without_gate_50_at_once_ms_each": way_at_once,
        "step_with_gate": whole,
        "step_with_gate_50_at_once_ms_each": whole_at_once,
        "gate_alone": alone,
    }


def main() -> None:
    """Measure on a fresh home and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    times = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as home:
        kernel = Kernel(Settings.model_validate({"home": Path(home)}))
        print(json.dumps(asyncio.run(measure(kernel, times)), indent=1))
        kernel.stop()


if __name__ == "__main__":
    main()
