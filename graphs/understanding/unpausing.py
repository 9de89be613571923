"""`carry on` after a pause: what was paused goes on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Step
from graphs.understanding.conversation import ConversationState
from graphs.understanding.text import Token

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

_PAUSE, _RESUME = ".pause", ".resume"
_ON = re.compile(
    r"(?:(?:ok|okay|now|and|so|please|alright|right|good|fine|yes|then) )*"
    r"(?:carry on|go on|continue|keep going|proceed|resume|let it (?:run|go on|continue)"
    r"|(?:start|begin|run) (?:it |that )?again|unpause|off you go|on it goes"
    r"|(?:continue|resume|unpause|restart) (?:it|that|with (?:it|that)))"
    r"(?: now| then| please| again)*"
)


_SURELY = frozenset(["resume", "unpause"])
"""Words that are no yes to a pause that waits."""


def unpaused(
    parser: Understanding, tokens: Sequence[Token], state: ConversationState
) -> Step | None:
    """The step that lets go on what the last plan paused.

    Args:
        parser: what is understood.
        tokens: the sentence.
        state: the conversation; where a plan waits, the words are its yes.

    Returns:
        None if nothing was paused last, or the words say something else.
    """
    no_yes = bool({t.low for t in tokens} & _SURELY)
    waits = state.proposed is not None and not no_yes
    if waits or state.pending is not None or not state.recent:
        return None
    if not _ON.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation")):
        return None
    last = state.recent[0].steps[-1]
    resume = last.operation.removesuffix(_PAUSE) + _RESUME
    if state.recent[0].dry_run or not last.operation.endswith(_PAUSE):
        return None
    taken = parser.operations.get(resume).input.model_fields
    arguments = {name: value for name, value in last.arguments.items() if name in taken}
    return Step(id="s1", operation=resume, arguments=arguments)
