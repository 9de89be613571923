"""Jobs that a wish names without being done to them: `don't cancel job 22, just pause it`."""

from __future__ import annotations

from itertools import pairwise

from graphs.understanding.clause import Clause
from graphs.understanding.conversation import Focus
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind


def jobs_named(clause: Clause, names: NameView) -> list[Focus]:
    """The jobs that a clause names by the word and their number: `job 22`."""
    known = {entry.name for entry in names.names(EntityKind.JOB)}
    numbered = [b for a, b in pairwise(clause.tokens) if a.low in _JOBS and b.low in known]
    return [Focus(kind=EntityKind.JOB, value=int(t.low), via=_TRAINS, made=True) for t in numbered]


_JOBS = frozenset(["job", "training", "run"])
_TRAINS = "training.status"
"""By this a job counts as one that trains, so that it can be paused and registered."""
