"""How fast a sentence becomes a plan, with few names and with very many, on one thread.

`OMP_NUM_THREADS=1 python -m benchmarks.understanding [--json]` prints milliseconds of wall clock
and of processor time for catalogues of 500, 5,000 and 200,000 names, and what starting up costs.
Processor time is what a busy machine leaves comparable. Every sentence is new to the router: what
it remembers of clauses is dropped before each (`cpu_p50_known_ms` keeps it). `rss_mb` is what the
process grew by while the names were indexed, the names themselves left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import parse_turns
from tools.catalog import load_operations
from tools.kernel.embedding import get_embedder
from tools.kernel.entities import EntityKind, EntityName

SIZES = (500, 5_000, 200_000)
SENTENCES = (
    "deploy {model} v3 to the {group} as a canary",
    "roll back the {group}",
    "train a model on {dataset}, then evaluate it on the held-out split",
    "compare {model} v2 with v1 on {dataset}",
    "what does the runbook say about rolling back a model?",
    "evaluate {model} v1 and if accuracy is above 90 percent make it champion",
    "write a one-page summary for the board",
    "describe the {dataset} data",
    "deploy {misspelt} v3 to the {group}",
    "how are the {group} doing?",
)
SEVERAL = (
    "train a model on {dataset}, evaluate it on the held-out split and, if it beats the champion by"
    " two points, canary it on the {group}, otherwise tell me why",
    "register it as {model}, make it the challenger, then roll it out to the {group} and show me"
    " how they are doing",
)
TURNS = (
    ["deploy {model} v3 to the {group} as a canary", "make it 20 percent"],
    ["evaluate {model} v1 on {dataset}", "and v2?", "compare them"],
)
_PLACES = ("north", "harbour", "valley", "ridge", "delta", "orchard", "quarry", "meadow")


class Catalogue:
    """Made-up names: four tenths models, four tenths datasets, two tenths groups of devices."""

    def __init__(self, size: int) -> None:
        self._names = {
            EntityKind.MODEL: self._made("router", size * 4 // 10),
            EntityKind.DATASET: self._made("mails", size * 4 // 10),
            EntityKind.DEVICE_GROUP: self._made("fleet", size * 2 // 10),
        }

    @staticmethod
    def _made(stem: str, count: int) -> tuple[EntityName, ...]:
        return tuple(EntityName(f"{_PLACES[i % 8]}-{stem}-{i:06d}") for i in range(count))

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        """All names of a kind."""
        return self._names.get(kind, ())

    def sentence(self, template: str, number: int) -> str:
        """A sentence that names things of this catalogue."""
        picked = {
            "model": self._pick(EntityKind.MODEL, number),
            "dataset": self._pick(EntityKind.DATASET, number),
            "group": self._pick(EntityKind.DEVICE_GROUP, number),
        }
        return template.format(**picked, misspelt=picked["model"].replace("router", "ruoter"))

    def _pick(self, kind: EntityKind, number: int) -> str:
        names = self._names[kind]
        return names[number * 7919 % len(names)].name


def measure(understanding: Understanding, size: int, rounds: int) -> dict[str, float]:
    """Times of single parses against a catalogue of `size` names."""
    catalogue = Catalogue(size)
    before = _resident()
    indexed = _timed(lambda: understanding.prepare(catalogue))[0]
    grown = _resident() - before

    def parsed(text: str) -> None:
        understanding.router.forget()
        understanding.parse(text, catalogue)

    def turns(said: Sequence[str]) -> None:
        understanding.router.forget()
        parse_turns(said, understanding, catalogue)

    single = [catalogue.sentence(t, n) for n in range(rounds) for t in SENTENCES]
    several = [catalogue.sentence(t, n) for n in range(rounds) for t in SEVERAL]
    talks = [[catalogue.sentence(t, n) for t in turn] for n in range(rounds) for turn in TURNS]
    wall, processor = _each(parsed, single)
    return {
        "names": size,
        "index_s": round(indexed / 1000, 2),
        "rss_mb": round(grown / 1e6, 1),
        "p50_ms": _at(wall, 0.5),
        "p95_ms": _at(wall, 0.95),
        "cpu_p50_ms": _at(processor, 0.5),
        "cpu_p95_ms": _at(processor, 0.95),
        "cpu_p50_known_ms": _at(_each(lambda t: understanding.parse(t, catalogue), single)[1], 0.5),
        "cpu_p50_several_steps_ms": _at(_each(parsed, several)[1], 0.5),
        "cpu_p50_whole_conversation_ms": _at(_each(turns, talks)[1], 0.5),
    }


def _each(work: Callable[[Any], object], given: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Milliseconds of wall clock and of processor time, sorted."""
    took = [_timed(lambda one=one: work(one)) for one in given]
    return sorted(w for w, _ in took), sorted(p for _, p in took)


def _at(times: Sequence[float], share: float) -> float:
    return round(times[int(len(times) * share)], 2)


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.understanding")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args(argv)
    operations = load_operations()
    encoder = get_embedder()
    encoder.warm_up()
    made: list[Understanding] = []
    start = _timed(lambda: made.append(Understanding(operations, encoder)))
    result: dict[str, Any] = {
        "start_s": round(start[0] / 1000, 2),
        "start_cpu_s": round(start[1] / 1000, 2),
        "sizes": [measure(made[0], size, options.rounds) for size in SIZES],
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"start {result['start_s']} s ({result['start_cpu_s']} s of processor time)")
    for row in result["sizes"]:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - processor) * 1000


if __name__ == "__main__":
    sys.exit(main())
