"""`pause the rollout`, where no group was named yet: the group whose rollout is open."""

from __future__ import annotations

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import fields, phrases
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind


def open_groups(
    operation: str, clause: Clause, names: NameView
) -> tuple[list[str], tuple[int, int]] | None:
    """The groups whose rollouts are open, where a clause speaks of "the rollout".

    Args:
        operation: what is asked for.
        clause: its words.
        names: the catalogue; an open rollout belongs to its group.

    Returns:
        The groups, and the words that point at them; None where no rollout is pointed at, none is
        open, or the operation is on no open one.
    """
    if operation not in fields()["on_open_rollouts"]["operations"]:
        return None
    span = clause.find(phrases("references", "rollout"))
    groups = [entry.of for entry in names.names(EntityKind.ROLLOUT) if entry.of is not None]
    return (list(dict.fromkeys(groups)), span) if span is not None and groups else None
