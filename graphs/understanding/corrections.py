"""Corrections of a number: `3 not 2`, `double it`, `no, 4`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.plan import Step
from graphs.understanding.lexicon import fields, phrases
from graphs.understanding.text import Token, phrase_at
from graphs.understanding.values import number_at

_COUNTED = ("percent", "epochs", "trials", "limit", "batch_size", "rank")


def corrected(tokens: Sequence[Token], step: Step) -> dict[str, Any]:
    """The arguments of a step that a correction of a number changes; empty if it is none."""
    said = [t for t in tokens if t.kind != "punctuation" or t.low in "%"]
    return _scaled(said, step) or _replaced(said, step) or _bare(said, step)


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
        if first is not None and second is not None:
            return next(
                ({n: int(first)} for n, value in step.arguments.items() if value == second), {}
            )
    return {}


def _bare(said: list[Token], step: Step) -> dict[str, Any]:
    """A number and nothing else: the version, else the only number there is."""
    number = _only(said)
    if number is None:
        return {}
    if isinstance(step.arguments.get("version"), int):
        return {"version": int(number)}
    counted = [n for n in _COUNTED if isinstance(step.arguments.get(n), int | float)]
    return {counted[0]: int(number)} if len(counted) == 1 else {}


def _only(said: Sequence[Token]) -> float | None:
    """The number that words are, with at most `v`, `version` or `the` before it."""
    kept = [t for t in said if t.low not in {"version", "v", "the", "rather", "please", "only"}]
    if len(kept) == 1 and kept[0].low[:1] == "v" and kept[0].low[1:].isdigit():
        return float(kept[0].low[1:])
    found = number_at(kept, 0) if kept else None
    return found[0] if found and found[1] == len(kept) else None
