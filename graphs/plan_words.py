"""Which changes of a drafted plan the person's own words do not name.

A language model may make up an argument that exists. What it made up is shown and confirmed by a
person in any case, and never comes from pasted text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Step, references
from graphs.understanding.text import tokenise
from tools.kernel.entities import fold
from tools.kernel.operations import Effect

if TYPE_CHECKING:
    from graphs.understanding import ConversationState, NameView, Understanding


def unsaid(
    steps: Sequence[Step],
    own: str,
    understanding: Understanding,
    names: NameView,
    state: ConversationState,
) -> list[str]:
    """The steps and arguments (`s1`, `s2.dataset`) of changes that nobody named.

    Args:
        steps: the drafted steps.
        own: the person's own words, without what was pasted.
        understanding: its linker finds the names in them.
        names: the names that exist.
        state: what is in focus counts as named.
    """
    tokens = tokenise(own)
    mentioned = understanding.linker.mentions(tokens, names)
    said = {fold(e.name) for m in mentioned for e in m.names}
    said |= {fold(str(item.value)) for item in state.focus}
    numbers = {t.low for t in tokens if t.kind == "number"}
    words = fold(own)
    found: list[str] = []
    for step in steps:
        if understanding.operations.get(step.operation).effect is Effect.READ:
            continue
        waiting = references(step.arguments)
        given: Mapping[str, Any] = {k: v for k, v in step.arguments.items() if k not in waiting}
        strange = [k for k, v in given.items() if not _said(v, said | numbers, words)]
        found += [f"{step.id}.{name}" for name in strange]
        if not waiting and len(strange) == len(given):
            found.append(step.id)
    return found


def _said(value: Any, named: set[str], words: str) -> bool:
    """True if a value is among what was named or, unless it is a number, stands in the words."""
    spoken = fold(str(value))
    if spoken in named:
        return True
    return not isinstance(value, int | float) and bool(spoken) and spoken in words
