"""Several corrections in one sentence: `make that 6, and take summaries instead`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphs.plan import Plan, Step
from graphs.understanding.conversation import ConversationState
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.text import Token

_BETWEEN = frozenset([",", ";", ".", "and", "but", "plus"])
_MOST = 4

Amend = Callable[[Sequence[Token], ConversationState], ParsedPlan | None]


def each_change(
    tokens: Sequence[Token], state: ConversationState, amend: Amend
) -> ParsedPlan | None:
    """The last plan with every part of a sentence put in, one after the other.

    Args:
        tokens: the sentence.
        state: the plans of before.
        amend: changes the newest of a state's plans as one part says.

    Returns:
        None unless every part changes something of the same steps, and none what another did.
    """
    parts = _parts(tokens)
    bare = any(len(part) == 2 and part[1].kind == "number" for part in parts[1:])
    if not 1 < len(parts) <= _MOST or bare or not state.recent:
        return None  # of which figure a number alone is, only the whole sentence tells
    plan: Plan = state.recent[0]
    done, result = set[tuple[str, str]](), None
    if tokens[0].low in _AGAIN and (again := amend(parts[0][1:], state)) and again.steps:
        plan, parts = again, parts[1:]
    for part in parts:
        changed = amend(part, state.model_copy(update={"recent": [plan], "proposed": None}))
        fresh = _changes(plan.steps, changed.steps) if changed and not changed.question else None
        if changed is None or not fresh or fresh & done:
            return None
        done |= fresh
        plan = result = changed
    return result


_AGAIN = frozenset(["same", "ditto", "likewise"])


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.low in _BETWEEN:
            parts.append([])
        else:
            parts[-1].append(token)
    kept = [part for part in parts if part and not {t.low for t in part} <= _LEADING]
    no = Token("no", "no", tokens[0].start, tokens[0].start, "word")
    return [[no, *part] for part in kept]


_LEADING = frozenset(["no", "actually", "sorry", "wait", "oh", "ok", "okay", "hm", "well", "oops"])


def _changes(before: Sequence[Step], after: Sequence[Step]) -> set[tuple[str, str]] | None:
    """The arguments that differ, by step; None if the steps are others."""
    if [(s.id, s.operation) for s in before] != [(s.id, s.operation) for s in after]:
        return None
    return {
        (old.id, name)
        for old, new in zip(before, after, strict=True)
        for name in {*old.arguments, *new.arguments}
        if old.arguments.get(name) != new.arguments.get(name)
    }


def carried(before: Sequence[Step], after: Sequence[Step]) -> list[Step]:
    """Steps of which a change of one's version is that of all that were about the same version.

    `evaluate reader 3, then roll it out`, corrected by `take version 2`, measures 2 as well.

    Args:
        before: the steps that were changed.
        after: the same steps with the change; others stay as they are.
    """
    if [(s.id, s.operation) for s in before] != [(s.id, s.operation) for s in after]:
        return list(after)
    moved = {
        _subject(old): _subject(new)
        for old, new in zip(before, after, strict=True)
        if _subject(old) != _subject(new)
    }
    if len(moved) != 1 or None in (*moved, *moved.values()):
        return list(after)
    [(was, now)] = moved.items()
    return [_about(step, now) if _subject(step) == was else step for step in after]


def _subject(step: Step) -> tuple[str, int] | None:
    model, version = step.arguments.get("model"), step.arguments.get("version")
    return (model, version) if isinstance(model, str) and isinstance(version, int) else None


def _about(step: Step, subject: tuple[str, int] | None) -> Step:
    model, version = subject or ("", 0)
    arguments = {**step.arguments, "model": model, "version": version}
    return step.model_copy(update={"arguments": arguments})
