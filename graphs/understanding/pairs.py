"""`train X on A and on B, then compare the two`: what the plan has made, each against each other.

A comparison takes two versions; words like "the two" or "them" mean all that was trained, measured
or named before it in the same sentence, never the last of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from graphs.plan import Step
from graphs.understanding.fill import fill
from graphs.understanding.lexicon import phrases
from graphs.understanding.models import model_mentions
from graphs.understanding.read_models import other_side
from graphs.understanding.reading import Filled, Reading
from graphs.understanding.refer import Referrer

COMPARE = "evaluation.compare"
THE_TWO = "compare the two"
"""What is meant where the better of two is acted on, and nothing was said of comparing them."""
_MEASURE = "evaluation.run"
_REGISTER = "registry.register"


def subjects(reading: Reading) -> list[dict[str, Any]]:
    """What "the two" of a comparison are: versions or jobs; empty where it points at no several."""
    if reading.operation.name != COMPARE:
        return []
    pointer = reading.clause.find(phrases("references", "pair"))
    mentions = model_mentions(reading.clause)
    if pointer is None or len(mentions) > 1:
        return []
    found = several(reading.scope.steps, reading.referrer)
    return found if len(found) > 1 else []


def measured(reading: Reading) -> list[dict[str, Any]]:
    """What "both" of a measurement are: jobs and versions of the plan; empty for a single one."""
    pointer = reading.clause.find(phrases("references", "pair"))
    if reading.operation.name != _MEASURE or pointer is None or model_mentions(reading.clause):
        return []
    found = several(reading.scope.steps, reading.referrer)
    return found if len(found) > 1 else []


def each(reading: Reading, sides: Sequence[dict[str, Any]]) -> list[Filled]:
    """One measurement of every side, with what the clause says of all of them."""
    while pointer := reading.clause.find(phrases("references", "pair")):
        reading.clause.claim(*pointer, by="reference")
    reading.out.arguments.update(sides[0])
    filled = fill(reading)
    shared = {name: value for name, value in filled.arguments.items() if name not in sides[0]}
    return [Filled({**shared, **side}, filled.question, evidence=filled.evidence) for side in sides]


def several(steps: Sequence[Step], referrer: Referrer) -> list[dict[str, Any]]:
    """The versions and the unregistered jobs that steps are about, each once, in order."""
    found: list[dict[str, Any]] = []
    for step in steps:
        if step.operation == _REGISTER and (job := {"job": step.arguments.get("job")}) in found:
            found.remove(job)
        pair, job = referrer.pair_of(step), referrer.job_of(step)
        side = {"model": pair[0], "version": pair[1]} if pair else {"job": job} if job else None
        if side and side not in found and step.operation != COMPARE:
            found.append(side)
    return found


def against_each_other(reading: Reading, versions: Sequence[dict[str, Any]]) -> list[Filled]:
    """One comparison for every two of the versions, or for each with the one that is named.

    Args:
        reading: the comparison, with nothing read yet.
        versions: the model and the version of each side.
    """
    while pointer := reading.clause.find(phrases("references", "pair")):
        reading.clause.claim(*pointer, by="reference")
    named = model_mentions(reading.clause)
    reading.out.arguments.update(versions[0])
    if named:
        other_side(reading, named[0])
    filled = fill(reading)
    shared = _dataset(reading.scope.steps)
    if shared is not None and reading.open("dataset"):
        filled.arguments["dataset"] = shared
    if named or filled.question is not None:
        return [_with(filled, version) for version in versions]
    return [_with(filled, first, other) for first, other in combinations(versions, 2)]


def _with(filled: Filled, first: dict[str, Any], other: dict[str, Any] | None = None) -> Filled:
    arguments = {**filled.arguments, **first}
    if other is not None:
        arguments["other_version"] = other["version"]
        if other["model"] != first["model"]:
            arguments["other_model"] = other["model"]
    return Filled(arguments, filled.question, evidence=filled.evidence)


def _dataset(steps: Sequence[Step]) -> Any:
    """The dataset on which everything before was measured, if that was one."""
    measured = [s.arguments.get("dataset") for s in steps if s.operation == _MEASURE]
    return measured[0] if measured and all(d == measured[0] for d in measured) else None
