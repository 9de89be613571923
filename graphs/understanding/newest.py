"""`register the last run`, `deploy the newest version of it`: the newest that the catalogue has."""

from __future__ import annotations

from collections.abc import Collection

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind


def newest_job(
    clause: Clause, makers: Collection[str], names: NameView
) -> tuple[int, tuple[int, int]] | None:
    """The newest job that a clause points at by its age.

    Args:
        clause: the words.
        makers: the operations whose jobs are meant; an empty collection means any.
        names: the catalogue. A job of it that does not say which operation it is of may be meant.

    Returns:
        The job's number, and the words that point at it; None without such words or such a job.
    """
    span = clause.find(phrases("references", "newest_job"))
    if span is None:
        return None
    fitting = [
        int(entry.name)
        for entry in names.names(EntityKind.JOB)
        if entry.name.isdigit() and (entry.of is None or not makers or entry.of in makers)
    ]
    return (max(fitting), span) if fitting else None


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
    span = clause.find(phrases("references", "newest_version"), free=False)
    if span is None or not isinstance(model, str):
        return None
    known = [int(n.name) for n in version_names(model, names) if n.name.isdigit()]
    return (max(known), span) if known else None
