"""`and of 3?`, `and with 10?`, `same thing on q3`: the last act once more, with another value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphs.plan import Plan, Step
from graphs.understanding.clause import Clause, strip_leading
from graphs.understanding.conversation import ConversationState
from graphs.understanding.corrections import sibling
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from graphs.understanding.values import number_at
from graphs.understanding.written import read_version
from tools.kernel.entities import EntityKind

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

_SHORT = 10


def gone_on(
    parser: Understanding, clause: Clause, names: NameView, state: ConversationState
) -> Step | None:
    """The last act once more with what an ellipsis says; None if it says something else.

    Args:
        parser: what is understood.
        clause: the ellipsis.
        names: the catalogue.
        state: the plans of before, of which the newest goes on.
    """
    last = state.recent[0]
    return (
        _other_side(clause, last)
        or _searched(clause, last)
        or _of_version(clause, last, names)
        or _with_number(clause, last)
        or _on_group(parser, clause, last, names)
        or _like_the_last(parser, clause, names, state)
    )


def _again(step: Step, **changed: Any) -> Step:
    """A step by itself: it waits for nothing that the last one waited for."""
    return Step(id="s1", operation=step.operation, arguments={**step.arguments, **changed})


def _like_the_last(
    parser: Understanding, clause: Clause, names: NameView, state: ConversationState
) -> Step | None:
    """`same thing on q3` after `chargebacks-q2`: the last step with a name like its own."""
    if clause.mentions or not state.recent or not state.recent[0].steps:
        return None
    last = state.recent[0].steps[-1]
    rest = strip_leading(list(clause.tokens), phrases("dialogue", "ellipsis"))
    operation = parser.operations.get(last.operation)
    said = sibling(rest, last, operation, names, parser.linker)
    if not said:
        return None
    return _again(last, **said)


def _searched(clause: Clause, last: Plan) -> Step | None:
    """`and for ink pressure?` after a search: the same search for other words."""
    step = last.steps[-1]
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    led = (*phrases("dialogue", "ellipsis"), ("for",), ("about",), ("on",))
    rest = strip_leading(kept, led)
    if step.operation != "knowledge.search" or not rest or kept[0].low != "and":
        return None
    query = " ".join(t.text for t in rest)
    return _again(step, query=query)


def asked_on(clause: Clause, last: Plan) -> Step | None:
    """`and about mislabelled ones?` after a question to the documents: the same about these.

    Args:
        clause: the ellipsis.
        last: the plan that it goes on with.
    """
    step = last.steps[-1]
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    rest = strip_leading(kept, (("and",), ("what",), ("how",), ("then",), ("ok",)))
    before = step.arguments.get("question")
    if step.operation != "knowledge.ask" or not isinstance(before, str) or len(rest) < 2:
        return None
    said, prepositions = " ".join(t.text for t in rest), words("words", "prepositions")
    head, found, _ = before.rstrip("? ").rpartition(f" {rest[0].text} ")
    kept_part = head if found and rest[0].low in prepositions else before.rstrip("? ")
    return _again(step, question=f"{kept_part} {said}?")


def _of_version(clause: Clause, last: Plan, names: NameView) -> Step | None:
    """`and of 3?` after a look at a version or a measurement of it: the same of another one."""
    step = last.steps[-1]
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    small = (("of",), ("for",), ("with",), ("on",), ("version",), ("about",), ("what",))
    rest = strip_leading(kept, (*phrases("dialogue", "ellipsis"), *small))
    number = number_at(rest, 0) if rest else None
    model = step.arguments.get("model")
    if number is None or number[1] != len(rest) or not isinstance(model, str):
        return None
    looks = step.operation.startswith(
        ("evaluation.", "registry.describe", "registry.check_promotion")
    )
    known = {n.name for n in version_names(model, names)}
    if not looks or "other_version" in step.arguments or f"{number[0]:g}" not in known:
        return None
    return _again(step, version=int(number[0]))


def _on_group(parser: Understanding, clause: Clause, last: Plan, names: NameView) -> Step | None:
    """`and the same for the phones` after an act on a group: the same on the group that this is."""
    step = last.steps[-1]
    slot = parser.operations.get(step.operation).slots.get("group")
    if slot is None or "group" not in step.arguments or clause.mentions:
        return None
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    small = (("for",), ("on",), ("to",), ("with",), ("the",), ("our",), ("same",))
    rest = strip_leading(kept, (*phrases("dialogue", "ellipsis"), *small))
    rest = rest[:-1] if len(rest) > 1 and rest[-1].low in {"one", "ones"} else rest
    known = parser.linker.partial(EntityKind.DEVICE_GROUP, rest, names) if rest else []
    other = [name.name for name in known if name.name != step.arguments["group"]]
    return _again(step, group=other[0]) if len(known) == 1 == len(other) else None


def _with_number(clause: Clause, last: Plan) -> Step | None:
    """`and with 10?` after an act with one number: the same with that."""
    step = last.steps[-1]
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    rest = strip_leading(kept, (*phrases("dialogue", "ellipsis"), ("with",), ("at",), ("for",)))
    numbers = [
        n
        for n, v in step.arguments.items()
        if isinstance(v, int | float) and not isinstance(v, bool) and n not in _NAMING
    ]
    half = bool(rest) and rest[0].low == "half"
    number = (0.5, 1) if half else number_at(rest, 0) if rest else None
    units = {t.low for t in rest[number[1] :]} if number else set[str]()
    if number is None or not units <= _UNITS or len(numbers) != 1:
        return None
    value = int(number[0]) if number[0] == int(number[0]) else number[0]
    return _again(step, **{numbers[0]: value})


_UNITS = frozenset(["a", "point", "points", "percent", "%", "rows", "epochs", "trials"])
_NAMING = frozenset(["version", "other_version", "job", "experiment"])


def _other_side(clause: Clause, last: Plan) -> Step | None:
    """`and with 4?` after a comparison: the same first version, compared with another."""
    compared = [s for s in last.steps if s.operation == "evaluation.compare"]
    kept = [t for t in clause.tokens if t.kind != "punctuation"]
    rest = strip_leading(kept, (("and",), ("with",), ("to",), ("against",), ("what",), ("about",),
                                ("how",), ("version",), ("now",), ("vs",), ("the",)))  # fmt: skip
    if not compared or len(rest) != 1 or len(kept) > _SHORT:
        return None
    number = number_at(rest, 0)
    version = int(number[0]) if number else read_version(rest[0].low)
    if not isinstance(version, int):
        return None
    arguments = {k: v for k, v in compared[-1].arguments.items() if k != "other_model"}
    return Step(
        id="s1", operation=compared[-1].operation, arguments={**arguments, "other_version": version}
    )
