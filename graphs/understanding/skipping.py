"""One run of a schedule that is to be left out: `skip tomorrow's run of nightly-training`."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import polite, strip_leading
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.text import Token, phrase_at


def skips_a_run(tokens: Sequence[Token], scheduled: bool) -> bool:
    """True if a sentence asks to leave out a single run of what comes again.

    Args:
        tokens: the sentence.
        scheduled: True if it names a schedule.
    """
    rest = strip_leading(list(tokens), polite())
    size = phrase_at(rest, 0, phrases("schedule", "skipping"))
    low = {token.low.removesuffix("'s") for token in rest[size:]}
    timely = low & words("schedule", "once")
    return bool(size and timely) and (scheduled or bool(low & words("schedule", "turns")))
