"""`how is it going?`: how what runs stands, where nothing else is what was spoken of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Step
from graphs.understanding.conversation import ConversationState
from graphs.understanding.lexicon import fields
from graphs.understanding.names import NameView
from graphs.understanding.text import Token
from tools.kernel.entities import EntityKind, EntityName

_GOING = re.compile(
    r"(?:(?:so|and|ok|okay|well|hi|hey|hello|now) )*"
    r"(?:how(?:'s| is|s| are| 're) (?:it|that|this|everything|things|stuff|all) "
    r"(?:going|doing|coming along|coming on|progressing|getting on|getting along|looking)"
    r"|how far (?:is it|along is it|are they|has it got|is that)|any progress(?: yet)?"
    r"|is it (?:getting anywhere|making progress))"
    r"(?: (?P<what>(?:with|on|in) (?:the |that |my |our |those |this )?"
    r"(?:trainings?|tunings?|fine-?tun(?:ing|e)s?|training runs?|training jobs?|jobs?|runs?)))?"
    r"(?: (?:so far|now|right now|currently|at the moment|today|there|then|please))*"
)
_OPEN = frozenset(["queued", "running"])
_STATUS, _LIST, _JOBS = "training.status", "training.list", "platform.jobs"
_RUNNING = {"status": "running"}


def asks_how_it_goes(tokens: Sequence[Token]) -> bool:
    """True for `how's it going?` and the like, which name nothing."""
    return _meant(tokens) is not None


def what_goes(tokens: Sequence[Token], names: NameView, state: ConversationState) -> Step | None:
    """The look at what runs that such a question means.

    Args:
        tokens: the sentence.
        names: the catalogue, whose jobs say how they stand.
        state: the conversation; what it was about is left to it.

    Returns:
        None for any other sentence, for one about something else, and where nothing runs.
    """
    meant = _meant(tokens)
    if meant is None or _of_the_conversation(state):
        return None
    running = [job for job in names.names(EntityKind.JOB) if job.state in _OPEN]
    trainings = [job for job in running if job.of in fields()["jobs"][_STATUS]]
    if meant["what"] and "job" not in meant["what"]:
        several = len(trainings) > 1
        return _step(_LIST, _RUNNING) if several else _step(_STATUS, _number(trainings))
    if not running:
        return None
    alone = len(running) == 1 and running == trainings
    return _step(_STATUS, _number(trainings)) if alone else _step(_JOBS, _RUNNING)


def _meant(tokens: Sequence[Token]) -> re.Match[str] | None:
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    return _GOING.fullmatch(said)


def _of_the_conversation(state: ConversationState) -> bool:
    """True where the last plan was about a rollout, a training, or a test, which answers itself."""
    last = state.recent[0].steps[-1].operation if state.recent else ""
    follows = last in fields()["jobs"] and last.startswith("training.")
    trains = last in fields()["jobs"][_STATUS]
    return follows or trains or last.startswith("deployment.") or "experiment" in last


def _number(jobs: Sequence[EntityName]) -> dict[str, int]:
    return {"job": int(jobs[0].name)} if jobs and jobs[0].name.isdigit() else {}


def _step(operation: str, arguments: dict[str, int] | dict[str, str]) -> Step:
    return Step(id="s1", operation=operation, arguments=dict(arguments))
