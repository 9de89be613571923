"""Questions about what can be asked for: they are answered by help, never by doing it.

`how do I roll back the kiosks?` is one, and so is `what can you do with datasets?`.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause, polite, strip_leading
from graphs.understanding.lexicon import phrases
from graphs.understanding.router import Route
from graphs.understanding.text import Token, phrase_at


def asks_for_help(clause: Clause, route: Route | None, given: bool) -> bool:
    """True if a clause asks what can be said or done.

    Args:
        clause: its words.
        route: what it was taken for.
        given: True if it may be planned as that.
    """
    said = strip_leading(clause.tokens, polite())
    if phrase_at(said, 0, phrases("guards", "asking_what")):
        return True
    if given or route is None or route.outside > route.probability:
        return False
    return asks_how(clause.tokens)


def asks_how(tokens: Sequence[Token]) -> bool:
    """True for words that ask how something is done: `can you tell me how to freeze a group`.

    Args:
        tokens: a wish.
    """
    said = strip_leading(list(tokens), _TELLING)
    return bool(phrase_at(said, 0, phrases("guards", "asking_how")))


_TELLING = (
    ("can", "you"), ("could", "you"), ("would", "you"), ("please",), ("tell", "me"),
    ("show", "me"), ("explain", "to", "me"), ("explain",), ("remind", "me"), ("i", "wonder"),
    ("do", "you", "know"), ("i'd", "like", "to", "know"), ("i", "want", "to", "know"),
)  # fmt: skip
