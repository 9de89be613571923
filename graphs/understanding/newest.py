"""`register the last run`, `deploy the newest version of it`: the newest that the catalogue has."""

from __future__ import annotations

from collections.abc import Collection

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind


def newest_job(
    clause: Clause, makers: Collection[str], names: NameView, finished: bool = False
) -> tuple[int, tuple[int, int]] | None:
    """The newest job that a clause points at by its age.

    Args:
        clause: the words.
        makers: the operations whose jobs are meant; an empty collection means any.
        names: the catalogue. A job of it that does not say which operation it is of may be meant.
        finished: True where only one that is done will do, as long as there is one.

    Returns:
        The job's number, and the words that point at it; None without such words or such a job.
    """
    span = clause.find(phrases("references", "newest_job"))
    if span is None:
        return None
    fitting = [
        entry
        for entry in names.names(EntityKind.JOB)
        if entry.name.isdigit() and (entry.of is None or not makers or entry.of in makers)
    ]
    done = [entry for entry in fitting if entry.state in _USABLE]
    meant = done if finished and done else fitting
    return (max(int(entry.name) for entry in meant), span) if meant else None


def made_nothing(job: object, names: NameView) -> bool:
    """True of a job that the catalogue knows to have failed or to have been cancelled."""
    known = (e for e in names.names(EntityKind.JOB) if e.name == str(job))
    return any(entry.state in ("failed", "cancelled") for entry in known)


TUNING = "training.tune"
_USABLE = frozenset(["", "done"])
"""States of a job whose model can be used; a catalogue from a file says none."""


def newest_version(
    clause: Clause, model: object, names: NameView
) -> tuple[int, tuple[int, int]] | None:
    """The newest version of a model, where a clause asks for that.

    Args:
        clause: the words.
        model: the model's name; what is still to be made has no newest version yet.
        names: the catalogue.

    Returns:
        The version's number, and the words for it; None without such words or such a version.
    """
    span = clause.find(phrases("references", "newest_version"), free=False) or _of_age(clause)
    if span is None or not isinstance(model, str):
        return None
    known = [int(n.name) for n in version_names(model, names) if n.name.isdigit()]
    return (max(known), span) if known else None


def _of_age(clause: Clause) -> tuple[int, int] | None:
    """The `newest` right before a model's name: `put the newest ticket-router on the kiosks`."""
    models = {m.start for m in clause.mentions if m.kind is EntityKind.MODEL}
    found = (at - 1 for at in models if at and clause.tokens[at - 1].low in _AGES)
    at = next(found, None)
    return None if at is None else (at, at + 1)


_AGES = frozenset(["newest", "latest"])
