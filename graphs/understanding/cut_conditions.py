"""Where a condition begins and ends in a wish: `if …`, `only when …`, `should it …`."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.lexicon import fields, phrases, split_phrases, words
from graphs.understanding.nothing_done import does_nothing
from graphs.understanding.text import Token, find_phrase, phrase_at

_MEASURED = ("versus", "comparisons", "states")
"""Tables of what is found by measuring, so that `when` before it means `if`."""
NOT_CONDITIONS = frozenset(
    ["me", "know", "check", "see", "wonder", "verify", "out", "what", "as",
     "sure", "ask", "even", "test"]
)  # fmt: skip
_WINDOW = 12


def cut_condition(
    tokens: Sequence[Token], verbs: frozenset[str]
) -> tuple[list[Token] | None, list[Token]]:
    """A part's condition, if it has one, and the rest of it."""
    trimmed = list(tokens)
    while trimmed and trimmed[0].kind == "punctuation":
        trimmed = trimmed[1:]
    start = _start(trimmed)
    if start is None:
        return None, trimmed
    condition, rest = trimmed[start:], trimmed[:start]
    end = _end(condition, verbs)
    rest = rest + condition[end:]
    return [t for t in condition[:end] if t.kind != "punctuation" or t.low in "%<>="], rest


def condition_at(tokens: Sequence[Token], at: int) -> int:
    """How many words begin a condition here; 0 if none does."""
    if size := phrase_at(tokens, at, phrases("segment", "conditions")):
        return size
    word = tokens[at].low if at < len(tokens) else ""
    if word in words("segment", "conditions_if_measured") and _measures(tokens, at + 1):
        after = tokens[at + 1].low if at + 1 < len(tokens) else ""
        inner = at > 1 and after not in {"it", "they", "that", "this"}
        return 0 if word == "should" and (inner or after in {"i", "we", "you"}) else 1
    return 0


def _measures(tokens: Sequence[Token], at: int) -> bool:
    """True if what follows compares something: then `when` means `if`."""
    window = tokens[at : at + _WINDOW]
    table = fields()
    options = [entry for name in _MEASURED for entry in table[name].values()]
    return any(find_phrase(window, p) >= 0 for entry in options for p in split_phrases(entry))


def _start(tokens: Sequence[Token]) -> int | None:
    asks = bool(tokens) and tokens[0].low in _ASKING
    for index, token in enumerate(tokens):
        previous = tokens[index - 1].low if index else ""
        if (asks and index and token.low == "if") or previous in NOT_CONDITIONS:
            continue
        if index and token.low in _WHILE and tokens[0].low in _INTERROGATIVE:
            continue  # `whom must I call when the line is down?`
        if condition_at(tokens, index):
            return index
        if token.low == "assuming" and index and len(tokens) > index + 3:
            following = {t.low for t in tokens[index : index + 4]}
            return index if following & {"it", "that"} else None
    return None


def _end(tokens: Sequence[Token], verbs: frozenset[str]) -> int:
    small = words("words", "determiners") | words("words", "prepositions")
    begun = condition_at(tokens, 0)
    size = phrase_at(tokens, begun, phrases("segment", "affirmed"))
    after = tokens[begun + size].low if begun + size < len(tokens) else ","
    if size and (after in verbs or after in {",", "then", "go"}):
        return begun + size
    for index, token in enumerate(tokens):
        if index > 1 and (token.low == "," or token.low == "then"):
            return index
        denied = token.low in _DENYING and tokens[index + 1 : index + 2]
        if index > begun and denied and tokens[index + 1].low in verbs:
            return index  # `if they are unhealthy don't deploy it`
        if index > begun + 1 and does_nothing(tokens[index:]):
            return index
        following = tokens[index + 1].low if index + 1 < len(tokens) else ""
        is_verb = token.low not in NOUNS or following in OBJECTS
        orders = token.low in verbs and is_verb and tokens[index - 1].low not in small
        if (index > begun + 1 or (index > begun and _bare(tokens[begun:index]))) and orders:
            return index
    return len(tokens)


def _bare(tokens: Sequence[Token]) -> bool:
    """True for the `better` of `if better make it champion`."""
    versus = [p for entry in fields()["versus"].values() for p in split_phrases(entry)]
    return tuple(t.low for t in tokens) in versus


_DENYING = frozenset(["don't", "dont", "never"])
NOUNS = frozenset(
    ["test", "score", "report", "release", "benchmark", "load", "run", "show", "update", "check",
     "measure", "label", "list", "index", "set", "mark", "point", "split", "use", "call", "name",
     "cut", "register", "rollout", "rollback", "canary", "shadow", "staging", "push", "hold",
     "profile", "end", "tag", "tune", "change", "try"]
)  # fmt: skip
"""Verbs of commands that are nouns just as often."""

OBJECTS = frozenset(["it", "the", "them", "that", "this", "a", "all", "me", "both"])
"""What follows a verb; after a noun it hardly does."""

_ASKING = frozenset(
    ["what", "what's", "whats", "how", "which", "would", "will", "who", "is", "are", "could"]
)
"""A question that begins so asks about its `if`; it does not hang on it."""
_WHILE = frozenset(["when", "once", "whenever"])
_INTERROGATIVE = frozenset(
    ["what", "what's", "whats", "who", "who's", "whom", "whose", "how", "how's", "which", "where",
     "why", "when"]
)  # fmt: skip
