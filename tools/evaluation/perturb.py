"""Small changes of a text that should not change its class: typing mistakes and rewordings.

Deterministic: the same text and seed give the same change.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Literal

from tools.evaluation.paraphrase import paraphrase

Kind = Literal["typos", "paraphrase", "case", "punctuation"]
KINDS: tuple[Kind, ...] = ("typos", "paraphrase", "case", "punctuation")

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in _ROWS for i, key in enumerate(row)
}


def perturb(text: str, kind: Kind, seed: int = 0) -> str:
    """A text with one kind of change.

    Args:
        text: any text.
        kind: `typos` (about one letter in fifteen, at least one), `paraphrase` (see
            `tools.evaluation.paraphrase`), `case` or `punctuation` (both taken away).
        seed: other changes with another one.
    """
    rng = random.Random(hashlib.sha256(f"{seed}\0{kind}\0{text}".encode()).digest())  # noqa: S311
    if kind == "typos":
        return _typos(text, rng)
    if kind == "paraphrase":
        return paraphrase(text, rng)
    if kind == "case":
        return text.upper() if text.islower() else text.lower()
    return " ".join(re.sub(r"[^\w\s]", " ", text).split()) or text


def _typos(text: str, rng: random.Random) -> str:
    letters = [i for i, c in enumerate(text) if c.isalpha()]
    chosen = set(rng.sample(letters, min(len(letters), max(1, len(letters) // 15))))
    made: list[str] = []
    for place, letter in enumerate(text):
        made.append(_slip(letter, rng) if place in chosen else letter)
    return "".join(made)


def _slip(letter: str, rng: random.Random) -> str:
    """A letter left out, doubled, or replaced by its neighbour on the keyboard."""
    near = _NEIGHBOURS.get(letter.lower(), "")
    how = rng.randrange(3 if near else 2)
    return ("", letter * 2, rng.choice(near) if near else "")[how]
