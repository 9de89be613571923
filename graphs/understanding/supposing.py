"""What is only supposed: `if I archived X, what would that touch?` becomes the act, tried dry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.understanding.guards import stems
from graphs.understanding.text import Token, phrase_at

_SUPPOSE = frozenset(
    ["if", "assuming", "suppose", "supposing", "imagine", "say", "assume", "pretend"]
)
_SUBJECTS = frozenset(["i", "we", "you", "someone", "somebody", "one", "they", "that"])
_ASKED = (
    ("what", "would"), ("what'd",), ("how", "would"), ("how'd",), ("would", "that"),
    ("who", "would"), ("would", "it"), ("would", "anything"), ("what", "happens"),
    ("what", "will"), ("will", "it"), ("what", "else"), ("which", "devices", "would"),
    ("what", "changes"), ("what", "breaks"), ("would", "anyone"), ("would", "we"),
    ("does", "that"), ("does", "anything"), ("who'd",), ("what", "is", "the", "effect"),
    ("what", "are", "the", "consequences"), ("what", "then"),
)  # fmt: skip
_PASSIVE = frozenset(["were", "was", "got", "is", "are", "gets"])
_ASKS = frozenset(["what", "what'd", "how", "how'd", "which", "who", "would", "will", "does"])


def supposed(tokens: Sequence[Token], verbs: frozenset[str]) -> list[Token] | None:
    """The act that a sentence only supposes, as an order; None if it supposes none."""
    kept = without_asides(tokens)
    return _asked_after(kept, verbs) or _asked_before(kept, verbs) or _gerund(kept, verbs)


def _asked_after(tokens: list[Token], verbs: frozenset[str]) -> list[Token] | None:
    """`(only hypothetically:) if I archived X, what would …?`."""
    start = next((i for i, t in enumerate(tokens[:5]) if t.low in _SUPPOSE), None)
    if start is None or any(t.low in verbs for t in tokens[:start]):
        return None
    asked = next((i for i in range(start + 3, len(tokens)) if phrase_at(tokens, i, _ASKED)), None)
    return _act(tokens[start + 1 : asked], verbs) if asked is not None else None


def _asked_before(tokens: list[Token], verbs: frozenset[str]) -> list[Token] | None:
    """`which devices would notice if I archived X?`."""
    first = tokens[0].low if tokens else ""
    start = next((i for i, t in enumerate(tokens) if t.low == "if"), 0)
    if not start or first not in _ASKS or not any(t.low in _WOULD for t in tokens[:start]):
        return None
    if any(t.low in _ESTIMATED for t in tokens[:start]):
        return None  # `how long would it take if I trained on X` has an operation of its own
    return _act(tokens[start + 1 :], verbs)


_ESTIMATED = frozenset(["long", "cost", "costs", "take", "money", "time", "expensive", "much"])
_WOULD = frozenset(["would", "what'd", "how'd", "will", "happens", "who'd"])


def _gerund(tokens: list[Token], verbs: frozenset[str]) -> list[Token] | None:
    """`what would deploying X to Y do?`."""
    low = [t.low for t in tokens if t.kind != "punctuation"]
    begun = low[:2] in (["what", "would"], ["what", "will"], ["how", "would"], ["what", "does"])
    if len(low) < _SHORTEST or not begun or low[-1] not in _DO:
        return None
    last = max(i for i, t in enumerate(tokens) if t.low == low[-1])
    verb = _verb(tokens[2], verbs) if tokens[2].low.endswith("ing") else None
    return [verb, *tokens[3:last]] if verb else None


_SHORTEST = 4
_DO = frozenset(["do", "change", "mean", "break", "touch", "cause", "affect", "entail", "imply"])


def _act(tokens: list[Token], verbs: frozenset[str]) -> list[Token] | None:
    """The order in `I archived X`, `we were to archive X`, `X were archived`."""
    while tokens and tokens[-1].kind == "punctuation":
        tokens = tokens[:-1]
    if not tokens:
        return None
    rest = tokens[1:] if tokens[0].low in _SUBJECTS else tokens
    led = rest is not tokens
    while rest and rest[0].low in {"were", "to", "would", "should", "did", "just", "now", "ever"}:
        rest = rest[1:]
    if led and rest and (verb := _verb(rest[0], verbs)):
        return [verb, *rest[1:]]
    for at, token in enumerate(tokens[:-1]):
        if token.low in _PASSIVE and at and (verb := _verb(tokens[at + 1], verbs)):
            return [verb, *tokens[:at], *tokens[at + 2 :]]
    return None


def _verb(token: Token, verbs: frozenset[str]) -> Token | None:
    found = next((s for s in (token.low, *stems(token.low)) if s in verbs), None)
    return replace(token, text=found, low=found) if found else None


def without_asides(tokens: Sequence[Token]) -> list[Token]:
    """The tokens without what stands in brackets, and without `only asking` at the end."""
    kept: list[Token] = []
    depth = 0
    for token in tokens:
        depth += token.low == "("
        if not depth:
            kept.append(token)
        depth -= token.low == ")"
    kept = kept if depth <= 0 else list(tokens)
    for phrase in _ASIDE:
        size = len(phrase)
        said = [t for t in kept if t.kind != "punctuation"]
        if len(said) > size and tuple(t.low for t in said[-size:]) == phrase:
            end = kept.index(said[-size])
            kept = kept[:end]
    return kept


_ASIDE = (
    ("only", "asking"), ("just", "asking"), ("just", "curious"), ("only", "curious"),
    ("purely", "hypothetical"), ("hypothetically", "speaking"), ("hypothetically",),
    ("just", "wondering"), ("asking", "for", "a", "friend"), ("don't", "do", "it"),
    ("do", "not", "do", "it"), ("not", "for", "real"),
)  # fmt: skip

__all__ = ["supposed", "without_asides"]
