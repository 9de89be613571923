"""Corrections of a number: `3 not 2`, `double it`, `no, 4`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphs.plan import Plan, Step
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import Linker, resolve_alias, version_names
from graphs.understanding.names import NameView, split_name
from graphs.understanding.text import Token, phrase_at
from graphs.understanding.values import number_at
from graphs.understanding.written import alias_of, read_version
from tools.kernel.operations import Operation

_PARTS = 3
_AHEAD = 5
"""A number further ahead of a version than this is no version, where there is an amount too."""
_COUNTED = ("percent", "epochs", "trials", "limit", "batch_size", "rank")


def corrected(tokens: Sequence[Token], step: Step, names: NameView) -> dict[str, Any]:
    """The arguments of a step that a correction of a number changes; empty if it is none."""
    said = [t for t in tokens if t.kind != "punctuation" or t.low in "%"]
    return _scaled(said, step) or _replaced(said, step) or _bare(said, step, names)


_WIDER = re.compile(
    r"^(?:(?:no|actually|sorry|wait|rather|make it|make that|for|on|to|and|i mean|please) )*"
    r"(?:(?:all|every) (?:of )?(?:the |our )?(?:groups?|devices|of them|them|fleet)"
    r"|everything|everywhere|the whole fleet|all of them|every group)"
    r"(?: not (?:just|only) .+| instead| please)*$"
)


def widened(
    tokens: Sequence[Token], step: Step, operation: Operation[Any, Any]
) -> dict[str, Any] | None:
    """The arguments of a step without its group: `actually all groups, not just the kiosks`.

    Returns:
        None if the words say something else, or the act is always on one group.
    """
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    group = operation.input.model_fields.get("group")
    if group is None or group.is_required() or "group" not in step.arguments:
        return None
    if not _WIDER.match(said):
        return None
    return {name: value for name, value in step.arguments.items() if name != "group"}


def sibling(
    tokens: Sequence[Token],
    step: Step,
    operation: Operation[Any, Any],
    names: NameView,
    linker: Linker,
) -> dict[str, Any]:
    """`the 2025 one`, after `chest-reports-2024`: a name that differs from the one said in this."""
    fillers = words("segment", "fillers") | words("words", "determiners")
    fillers |= words("words", "prepositions")
    parts = [t.low for t in tokens if t.kind != "punctuation" and t.low not in fillers]
    if not parts or len(parts) > _PARTS:
        return {}
    for name, slot in operation.slots.items():
        value = step.arguments.get(name)
        if slot.kind is None or not slot.closed or not isinstance(value, str):
            continue
        found = linker.index(slot.kind, names).partial(parts)
        own = set(split_name(value))
        like = [n for n in found if n.name != value and own & set(split_name(n.name))]
        if len(like) == 1:
            return {name: like[0].name}
    return {}


def renamed(tokens: Sequence[Token], step: Step, fresh: Sequence[str]) -> dict[str, Any]:
    """`typo, the name is edge-13`: another name for what is new; `fresh` are its arguments."""
    kept = [t for t in tokens if t.kind != "punctuation"]
    names = [n for n in fresh if isinstance(step.arguments.get(n), str)]
    if len(kept) != 1 or len(names) != 1 or kept[0].kind not in ("word", "quote"):
        return {}
    return {names[0]: kept[0].text}


def _scaled(said: list[Token], step: Step) -> dict[str, Any]:
    """`double it`, `half of that`."""
    words = " ".join(t.low for t in said)
    factor = fields()["scaled"].get(words)
    if factor is None:
        return {}
    for name in _COUNTED:
        value = step.arguments.get(name)
        if isinstance(value, int | float):
            changed = value * factor
            return {name: int(changed) if changed == int(changed) else changed}
    return {}


def _replaced(said: list[Token], step: Step) -> dict[str, Any]:
    """`3 not 2`, `not 2 but 3`, `3 instead of 2`."""
    for index in range(len(said)):
        size = phrase_at(said, index, phrases("dialogue", "rather_than"))
        if not size:
            continue
        first, second = _only(said[:index]), _only(said[index + size :])
        if index == 0:
            cut = next((i for i, t in enumerate(said) if t.low in {"but", ","}), len(said))
            second, first = _only(said[size:cut]), _only(said[cut + 1 :])
        if swapped := _alias_instead(said[:index], said[index + size :], step):
            return swapped
        if first is not None and second is not None:
            return next(
                ({n: int(first)} for n, value in step.arguments.items() if value == second), {}
            )
    return {}


def _alias_instead(first: Sequence[Token], second: Sequence[Token], step: Step) -> dict[str, Any]:
    """`challenger, not champion`: another alias for an act that gives one."""
    wanted, was = (
        [t.low for t in part if t.low not in _SUFFICES and t.kind != "punctuation"]
        for part in (first, second[:1])
    )
    if len(wanted) != 1 or len(was) != 1 or alias_of(was[0]) != step.arguments.get("alias"):
        return {}
    alias = alias_of(wanted[0])
    return {"alias": alias} if alias is not None else {}


def _bare(said: list[Token], step: Step, names: NameView) -> dict[str, Any]:
    """A number and nothing else: the version if there is such, else the only number there is."""
    number = _only(said)
    if number is None:
        return {}
    model = step.arguments.get("model")
    known = {n.name for n in version_names(model, names)} if isinstance(model, str) else set[str]()
    version = step.arguments.get("version")
    counted = [n for n in _COUNTED if isinstance(step.arguments.get(n), int | float)]
    near = not counted or number <= (version if isinstance(version, int) else 0) + _AHEAD
    if isinstance(version, int) and (f"{number:g}" in known or (not known and near)):
        return {"version": int(number)}
    numbered = [n for n in ("experiment", "rollout") if isinstance(step.arguments.get(n), int)]
    only = counted or numbered
    return {only[0]: int(number)} if len(only) == 1 else {}


def of_alias(tokens: Sequence[Token], last: Plan, names: NameView) -> list[Step]:
    """`no, the challenger` of an act on a version: the plan for the one that has this alias now.

    Args:
        tokens: what was said, without the no.
        last: the plan that it changes.
        names: the catalogue, in which aliases stand.

    Returns:
        The steps; none if the words are no alias, or the plan has no version that could be it.
    """
    said = [t for t in tokens if t.kind != "punctuation"]
    kept = [t.low for t in said if t.low not in _SUFFICES | {"its", "their", "one", "instead"}]
    alias = alias_of(kept[0]) if len(kept) == 1 else None
    step = next((s for s in reversed(last.steps) if "version" in s.arguments), None)
    if alias is None or step is None or any("alias" in s.arguments for s in last.steps):
        return []
    model = step.arguments.get("model")
    version = resolve_alias(model, alias, names) if isinstance(model, str) else None
    if version is None:
        return []
    changed = step.model_copy(update={"arguments": {**step.arguments, "version": version}})
    return [changed if s.id == step.id else s for s in last.steps]


def version_of_dataset(tokens: Sequence[Token], last: Plan) -> list[Step]:
    """`only version 2 of it`, of an act on a dataset: the plan for that version of the dataset.

    Args:
        tokens: what was said, without the no.
        last: the plan that it changes.
    """
    found = _OF_DATASET.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation"))
    step = last.steps[-1]
    dataset = step.arguments.get("dataset")
    if found is None or "version" in step.arguments or not isinstance(dataset, str):
        return []
    named = f"{dataset.partition('@')[0]}@{found['version']}"
    changed = step.model_copy(update={"arguments": {**step.arguments, "dataset": named}})
    return [changed if s.id == step.id else s for s in last.steps]


_OF_DATASET = re.compile(
    r"(?:only |just |no |the )*(?:version |v)(?P<version>\d+)(?: of (?:it|that|them|the dataset))?"
    r"(?: please| only| instead)*"
)


def other_version(
    tokens: Sequence[Token], last: Plan, names: NameView
) -> tuple[Step, list[int]] | None:
    """`oops, the other version`: the step that is meant, and which versions its model has beside.

    Args:
        tokens: what was said, without the no.
        last: the plan that it changes.
        names: the catalogue.

    Returns:
        None where the words say anything else.
    """
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    step = next((s for s in reversed(last.steps) if "version" in s.arguments), None)
    if step is None or said not in _OTHER_VERSION:
        return None
    model = step.arguments.get("model")
    known = version_names(model, names) if isinstance(model, str) else []
    numbers = [int(n.name) for n in known if n.name.isdigit()]
    return step, [n for n in numbers if n != step.arguments["version"]]


_OTHER_VERSION = frozenset(
    ["the other version", "the other one", "other version", "its other version", "another version"]
)


def counted(left: Sequence[float], step: Step, read: dict[str, Any]) -> dict[str, Any]:
    """The 8 of `make that the phones, and 8`: the one count that there is; none if unclear."""
    open_ = [
        n for n in _COUNTED if isinstance(step.arguments.get(n), int | float) and n not in read
    ]
    return {open_[0]: int(left[0])} if len(open_) == 1 and len(left) == 1 else {}


def compared_with(tokens: Sequence[Token], last: Plan, names: NameView) -> list[Step]:
    """`no, with the champion` after a comparison: the last plan with another second version.

    Args:
        tokens: what was said, without its marks.
        last: the plan that it may change.
        names: the catalogue, in which aliases stand.
    """
    step = next((s for s in last.steps if s.operation == "evaluation.compare"), None)
    at = next((i for i, t in enumerate(tokens) if t.low in _AGAINST), None)
    if step is None or at is None or at + 1 >= len(tokens):
        return []
    led = {t.low for t in tokens[:at]} - {"now"}
    if not led <= words("dialogue", "leading") | {
        "rather",
        "meant",
        "mean",
        "but",
        "compare",
        "it",
        "the",
        "same",
        "again",
        "once",
        "more",
    }:
        return []
    said = [t for t in tokens[at + 1 :] if t.low not in {"the", "its", "version", "v"}]
    end = next((i for i, t in enumerate(said) if t.low in _ENDS), len(said))
    number = number_at(said, 0) if end == 1 else None
    version = int(number[0]) if number else read_version(said[0].low) if end == 1 else None
    model = step.arguments.get("model")
    if isinstance(version, str) and isinstance(model, str):
        version = resolve_alias(model, version, names) or version
    if version is None or version == step.arguments.get("version"):
        return []
    kept = {k: v for k, v in step.arguments.items() if k != "other_model"}
    changed = step.model_copy(update={"arguments": {**kept, "other_version": version}})
    return [changed if s.id == step.id else s for s in last.steps]


_AGAINST = frozenset(["with", "against", "vs", "versus", "than"])
_ENDS = frozenset(["not", "instead", "please", "rather", "then", "of", "sorry"])


_SUFFICES = frozenset(
    ["version", "v", "the", "rather", "please", "only", "is", "enough", "will", "do", "fine",
     "plenty", "should", "be", "suffices", "would", "just", "are", "it", "that", "that's"]
)  # fmt: skip


def _only(said: Sequence[Token]) -> float | None:
    """The number that words are, with at most `v`, `version` or `the` before it."""
    kept = [t for t in said if t.low not in _SUFFICES]
    if len(kept) == 1 and kept[0].low[:1] == "v" and kept[0].low[1:].isdigit():
        return float(kept[0].low[1:])
    found = number_at(kept, 0) if kept else None
    return found[0] if found and found[1] == len(kept) else None
