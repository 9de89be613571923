"""`compare 3 with 2` after a look at a model: numbers behind a verb are versions of that model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphs.understanding.clause import polite, strip_leading
from graphs.understanding.conversation import ConversationState
from graphs.understanding.link import version_names
from graphs.understanding.models import UNITS
from graphs.understanding.names import NameView
from graphs.understanding.text import Token
from tools.kernel.entities import EntityKind

_FOLLOWS = frozenset(
    ["and", "with", "against", "vs", "versus", "to", "on", "onto", "as", "in", "by", "for", "from",
     "of", "then", ",", ".", "?", "!", ";", "please", "again", "too", "now", "first", "instead"]
)  # fmt: skip
"""What may stand behind a version that is said by its number alone."""
_COMPARING = frozenset(["compare", "pit", "measure", "hold"])
_IT = frozenset(["it", "that", "this"])
_AGAINST = frozenset(["with", "against", "to", "vs", "versus"])
_PARTICLES = frozenset(["out", "back", "up"])
_OF_IT = (("of", "it"), ("of", "that", "one"), ("of", "this", "one"), ("of", "that", "model"),
          ("of", "this", "model"), ("of", "the", "model"), ("of", "that"))  # fmt: skip


def with_versions(
    tokens: Sequence[Token], names: NameView, state: ConversationState, verbs: Collection[str]
) -> list[Token]:
    """The tokens with `version` before a number that can only be one of the model spoken of.

    Args:
        tokens: a sentence; the model may be named in it.
        names: the catalogue.
        state: the conversation, in which a model is spoken of.
        verbs: the words that begin commands.

    Returns:
        The tokens as they are where the number may be anything else: a job, an amount.
    """
    given = list(tokens)
    model = state.newest(EntityKind.MODEL)
    rest = strip_leading(given, (*polite(), ("and",), ("then",), ("ok",), ("now",), (",",)))
    at = len(given) - len(rest) + 1
    if model is None or len(rest) < 2 or rest[0].low not in verbs:
        return given
    at += at < len(given) and given[at].low in _PARTICLES
    compares = rest[0].low in _COMPARING and at + 1 < len(given)
    if compares and given[at].low in _IT and given[at + 1].low in _AGAINST:
        at += 2  # `compare it with 5`
    if not isinstance(model.value, str) or not _is_version(given, at, model.value, names):
        return given
    word = Token("version", "version", given[at].start, given[at].start, "word")
    return [*given[:at], word, *_without_of_it(given[at:])]


def _is_version(tokens: Sequence[Token], at: int, model: str, names: NameView) -> bool:
    """True for a number that is a version of a model, no job, and counts nothing."""
    if at >= len(tokens) or tokens[at].kind != "number":
        return False
    said, after = tokens[at].low, tokens[at + 1].low if at + 1 < len(tokens) else "."
    known = any(name.name == said for name in version_names(model, names))
    if not known or after not in _FOLLOWS or after in UNITS:
        return False
    return not any(job.name == said for job in names.names(EntityKind.JOB))


def _without_of_it(tokens: Sequence[Token]) -> list[Token]:
    """`3 with 2` of `3 with 2 of that one`."""
    low = [t.low for t in tokens]
    for at in range(1, len(low)):
        for phrase in _OF_IT:
            if tuple(low[at : at + len(phrase)]) == phrase and tokens[at - 1].kind == "number":
                return [*tokens[:at], *tokens[at + len(phrase) :]]
    return list(tokens)
