"""The one question that is asked when something is missing or unclear."""

from __future__ import annotations

from typing import Any

from graphs.plan import Question
from graphs.understanding.lexicon import fields
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from graphs.understanding.values import choices_of
from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.operations import Operation

_SHOWN = 8


def ask(
    operation: Operation[Any, Any],
    slot: str,
    names: NameView,
    *,
    said: str = "",
    candidates: list[str] | None = None,
    of: str | None = None,
    makers: list[str] | None = None,
) -> Question:
    """The question for one argument, with what may be answered.

    Args:
        operation: whose argument it is.
        slot: the argument.
        names: the catalogue.
        said: a sentence before the question that tells what is wrong.
        candidates: what may be answered; from the catalogue when left out.
        of: the model whose versions are meant.
        makers: the operations whose jobs may be meant; the operation's own when left out.
    """
    info = operation.slots.get(slot)
    text = (info.question if info else None) or _plain_question(slot)
    if candidates is None:
        candidates = choices_of(operation.input.model_fields[slot])
    if not candidates and info and info.kind is EntityKind.MODEL_VERSION:
        candidates = [entry.name for entry in version_names(of, names)[:_SHOWN]] if of else []
        text = f"Which version of {of}?" if of else text
    elif not candidates and info and info.kind is EntityKind.JOB:
        known: list[str] = fields()["jobs"].get(operation.name, [])
        jobs = _fitting_jobs(makers or known, names, not operation.name.startswith("training."))
        jobs = jobs[:_SHOWN]
        candidates = [job.name for job in jobs]
        about = ", ".join(f"{job.name} is {job.about}" for job in jobs if job.about)
        text = f"{text} {about}." if about else text
    elif not candidates and info:
        candidates = known_names(info.kind, names)
    return Question(
        operation=operation.name,
        slot=slot,
        text=f"{said} {text}".strip(),
        candidates=candidates[:_SHOWN],
    )


def _plain_question(slot: str) -> str:
    """The question for an argument that has none of its own; what is counted is asked as such."""
    said = slot.replace("_", " ")
    return f"How many {said}?" if slot.endswith("s") else f"What is the {said}?"


def _fitting_jobs(makers: list[str], names: NameView, used: bool) -> list[EntityName]:
    """The jobs that an operation can be about, newest first where the catalogue is.

    Args:
        makers: the operations that make such jobs; any if empty.
        names: the catalogue.
        used: True if what they made is used, so that those that made nothing are left out.
    """
    jobs = names.names(EntityKind.JOB)
    fitting = [j for j in jobs if j.of is None or not makers or j.of in makers]
    made = [j for j in fitting if j.state not in ("failed", "cancelled")] if used else fitting
    return made or fitting


def known_names(kind: EntityKind | None, names: NameView) -> list[str]:
    """The first names of a kind; older versions of a dataset (`name@2`) are left out."""
    if kind is None:
        return []
    return [n.name for n in names.names(kind)[: _SHOWN * 4] if "@" not in n.name][:_SHOWN]
