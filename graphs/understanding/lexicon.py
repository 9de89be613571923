"""The tables of words in `data/`, read once. Words live there, what is done with them does not."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=1)
def lexicon() -> dict[str, Any]:
    """`data/lexicon.toml`: words that give a sentence its shape."""
    return _table("lexicon.toml")


@lru_cache(maxsize=1)
def fields() -> dict[str, Any]:
    """`data/fields.toml`: how arguments are read from words."""
    return _table("fields.toml")


@lru_cache(maxsize=1)
def routes() -> dict[str, Any]:
    """`data/routes.toml`: further sentences for operations, and sentences that none can serve."""
    return _table("routes.toml")


@lru_cache(maxsize=1)
def masked_routes() -> dict[str, list[str]]:
    """`data/routes/`: many more sentences by operation, in which names are masked already."""
    found: dict[str, list[str]] = {}
    for file in (files("graphs.understanding") / "data" / "routes").iterdir():
        for name, sentences in tomllib.loads(file.read_text(encoding="utf-8")).items():
            found.setdefault(name, []).extend(sentences)
    return found


@lru_cache(maxsize=256)
def words(section: str, name: str) -> frozenset[str]:
    """A list of the lexicon as a set."""
    return frozenset(lexicon()[section][name])


@lru_cache(maxsize=256)
def phrases(section: str, name: str) -> tuple[tuple[str, ...], ...]:
    """A list of the lexicon as phrases of words, longest first."""
    return split_phrases(lexicon()[section][name])


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Every word of the lexicon: none of them is a slip of the finger."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.update(value.lower().split())
        elif isinstance(value, dict):
            for key, part in value.items():
                collect(key)
                collect(part)
        elif isinstance(value, list):
            for part in value:
                collect(part)

    collect(lexicon())
    collect(fields())
    return frozenset(found)


def split_phrases(entries: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Phrases as tuples of words, longest first."""
    return _split(tuple(entries))


@lru_cache(maxsize=4096)
def _split(entries: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    from graphs.understanding.text import tokenise

    split = (tuple(token.low for token in tokenise(entry)) for entry in entries)
    return tuple(sorted(set(split), key=lambda phrase: (-len(phrase), phrase)))


def _table(name: str) -> dict[str, Any]:
    text = (files("graphs.understanding") / "data" / name).read_text(encoding="utf-8")
    return tomllib.loads(text)
