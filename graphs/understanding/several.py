"""Whether "it" may be any of several things that the last plan was about alike."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import phrases


def about_several(steps: Sequence[Step]) -> bool:
    """True for steps of one operation on different versions: none of them is "it" alone.

    Args:
        steps: the last plan's; `describe a 4 and b 2`.
    """
    return any(len(found) > 1 for found in _subjects(steps).values())


def nth_of(steps: Sequence[Step], clause: Clause) -> Step | None:
    """The step that `the first one` or `the second one` means of two; None if neither is said.

    Args:
        steps: the last plan's, on two different versions.
        clause: the words that point at one of them.
    """
    sides = [at for at, name in enumerate(("first_side", "second_side"))
             if clause.find(phrases("references", name), free=False)]  # fmt: skip
    own = next((of for of, found in _subjects(steps).items() if len(found) == 2), None)
    alike = [s for s in steps if s.operation == own]
    return alike[sides[0]] if len(sides) == 1 and len(alike) == 2 else None


def _subjects(steps: Sequence[Step]) -> dict[str, set[tuple[str, str]]]:
    subjects: dict[str, set[tuple[str, str]]] = {}
    for step in steps:
        if "model" in step.arguments and "version" in step.arguments:
            subject = (str(step.arguments["model"]), str(step.arguments["version"]))
            subjects.setdefault(step.operation, set()).add(subject)
    return subjects
