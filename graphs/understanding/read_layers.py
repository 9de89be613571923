"""Which layers get LoRA's matrices: `on the attention only`, `target modules q_proj, v_proj`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import split_phrases
from graphs.understanding.text import Token

Span = tuple[int, int]
_JOINTS = frozenset([",", "and", "&"])
_PARTS = ("_", ".")
"""What the names of layers have and other words of a list have not."""


def read_layers(clause: Clause, spec: dict[str, Any]) -> tuple[str, Span] | None:
    """The layers that a clause names, as `training.start` takes them."""
    if lead := clause.find(split_phrases(spec["before"])):
        named, end = _names(clause.tokens, lead[1], spec["plain"])
        if named:
            return ", ".join(named), (lead[0], end)
    for value, options in spec["said"].items():
        if span := clause.find(split_phrases(options)):
            return value, span
    return None


def _names(tokens: Sequence[Token], at: int, plain: Sequence[str]) -> tuple[list[str], int]:
    """The names of a list that begins at a place, and where it ends."""
    found: list[str] = []
    end = at
    while at < len(tokens):
        if tokens[at].low in _JOINTS and found:
            at += 1
        elif _is_name(tokens[at], plain) and (not found or tokens[at - 1].low in _JOINTS):
            found.append(tokens[at].text)
            at = end = at + 1
        else:
            break
    return found, end


def _is_name(token: Token, plain: Sequence[str]) -> bool:
    return token.low in plain or any(part in token.text.strip(".") for part in _PARTS)
