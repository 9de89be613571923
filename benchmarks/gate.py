"""What the gate costs: a trivial read and write with everything that belongs to them.

    python -m benchmarks.gate [--calls 500] [--profile]

Prints JSON. A call is timed whole: identity, policy, arguments, preview, audit record(s), receipt.
`cpu_ms` is the processor's time, which other programs on the machine do not stretch. Also: 16
threads that call at once, and a name found among 200,000.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.kernel import entities
from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.operations import (
    Args,
    Call,
    Effect,
    Evidence,
    Operation,
    OperationSet,
    Preview,
    Result,
)
from tools.kernel.settings import Settings

THREADS = 16
NAMES = 200_000


class Number(Args):
    number: int = 1


class Answer(Result):
    number: int


def _answer(args: Number, call: Call) -> Answer:
    return Answer(number=args.number)


def _preview(args: Number, call: Call) -> Preview:
    return Preview(summary=f"Answer {args.number}.")


def _read_back(args: Number, result: Answer, call: Call) -> list[Evidence]:
    return [Evidence(fact="number", value=result.number, source="benchmark")]


def operations() -> OperationSet:
    """A read and a write that do nothing."""
    found = OperationSet()
    found.add(Operation("bench.read", Effect.READ, Number, Answer, _answer, ()))
    hooks: dict[str, Callable[..., Any]] = {"preview": _preview, "read_back": _read_back}
    found.add(Operation("bench.write", Effect.WRITE, Number, Answer, _answer, (), hooks=hooks))
    return found


def _timed(act: Callable[[int], Any], times: int) -> dict[str, float]:
    for number in range(20):
        act(number)
    wall: list[float] = []
    cpu = time.process_time()
    for number in range(times):
        began = time.perf_counter()
        act(number)
        wall.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - cpu) * 1000 / times
    wall.sort()
    return {
        "median_ms": round(statistics.median(wall), 2),
        "p95_ms": round(wall[int(len(wall) * 0.95)], 2),
        "least_ms": round(wall[0], 2),
        "cpu_ms": round(used, 2),
    }


def _at_once(act: Callable[[int], Any], times: int) -> dict[str, float]:
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(act, range(times)))
    return {"calls_per_second": round(times / (time.perf_counter() - began), 1)}


def _names(kernel: Kernel) -> dict[str, float]:
    listed = [EntityName(f"data set {n}") for n in range(NAMES)]
    entities.entity_source(EntityKind.DATASET)(lambda kernel, tenant: listed)
    began = time.perf_counter()
    kernel.catalogue.resolve(EntityKind.DATASET, "data-set-1", "default")
    built = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(0, NAMES, 200):
        kernel.catalogue.resolve(EntityKind.DATASET, f"Data_Set {number}", "default")
    found = (time.perf_counter() - began) / (NAMES / 200)
    return {"index_built_ms": round(built * 1e3, 1), "found_us": round(found * 1e6, 1)}


def measure(kernel: Kernel, times: int) -> dict[str, Any]:
    """All figures."""
    owner = RequestContext(kernel.principals.local())

    def call(name: str) -> Callable[[int], Any]:
        return lambda number: kernel.gate.call(name, {"number": number}, owner)

    return {
        "calls": times,
        "read": _timed(call("bench.read"), times),
        "write": _timed(call("bench.write"), times),
        "reads_by_16_threads": _at_once(call("bench.read"), times),
        "writes_by_16_threads": _at_once(call("bench.write"), times),
        "a_name_among_200000": _names(kernel),
    }


def main() -> None:
    """Measure on a fresh home and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--profile", action="store_true", help="show where a read's time goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        kernel = Kernel(Settings(home=Path(home)), operations())
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        print(json.dumps(measure(kernel, given.calls), indent=1))
        if given.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
        kernel.stop()


if __name__ == "__main__":
    main()
