"""Small changes of a text that should not change its class: typing mistakes and rewordings.

Deterministic: the same text and seed give the same change.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Literal

Kind = Literal["typos", "paraphrase", "case", "punctuation"]
KINDS: tuple[Kind, ...] = ("typos", "paraphrase", "case", "punctuation")

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in _ROWS for i, key in enumerate(row)
}
_WORDING = {
    "cannot": "can not",
    "can't": "cannot",
    "won't": "will not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "i'm": "i am",
    "i've": "i have",
    "it's": "it is",
    "what's": "what is",
    "i am": "i'm",
    "do not": "don't",
    "want to": "would like to",
    "need to": "have to",
    "buy": "purchase",
    "get": "obtain",
    "help": "assist",
    "fix": "repair",
    "broken": "not working",
    "begin": "start",
    "quickly": "fast",
    "big": "large",
    "small": "little",
    "wrong": "incorrect",
    "right": "correct",
    "happy": "glad",
    "show": "display",
    "tell": "inform",
    "ask": "enquire",
    "also": "too",
    "but": "however",
    "very": "really",
    "often": "frequently",
    "maybe": "perhaps",
}
_WORDS = re.compile(r"\b(" + "|".join(sorted(_WORDING, key=len, reverse=True)) + r")\b", re.I)
_FRAMES = ("hello, {}", "{} thanks", "hi there. {}", "please note: {}", "{} - any idea?")


def perturb(text: str, kind: Kind, seed: int = 0) -> str:
    """A text with one kind of change.

    Args:
        text: any text.
        kind: `typos` (about one letter in fifteen, at least one), `paraphrase` (contractions,
            common synonyms and a courtesy round it), `case` or `punctuation` (both taken away).
        seed: other changes with another one.
    """
    rng = random.Random(hashlib.sha256(f"{seed}\0{kind}\0{text}".encode()).digest())  # noqa: S311
    if kind == "typos":
        return _typos(text, rng)
    if kind == "paraphrase":
        return rng.choice(_FRAMES).format(_WORDS.sub(lambda m: _WORDING[m[0].lower()], text))
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
