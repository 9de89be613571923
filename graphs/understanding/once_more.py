"""What is to be done again with another value: `do the same with the kiosks`."""

from __future__ import annotations

from dataclasses import replace

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import phrases
from graphs.understanding.text import phrase_at


def once_more(clause: Clause) -> Clause | None:
    """What follows `do the same with`: the act before, once more, with another value."""
    size = phrase_at(clause.tokens, 0, phrases("references", "once_more"))
    rest = clause.tokens[size:]
    if not size or not rest or clause.condition is not None:
        return None
    if rest[0].kind == "number":
        rest = [replace(rest[0], text="version", low="version", kind="word"), *rest]
    return Clause(rest, clause.link)
