"""What a "not" inside a wish forbids: the wish itself, or nothing, where it only tells why.

`archive X, we will not use it` is an order with its reason; `X must not be archived` forbids.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.lexicon import phrases, words
from graphs.understanding.text import Token, find_phrase, phrase_at

_TAKEN_BACK = frozenset(["no", "nope", "nah"])
"""At the end of an order it takes the order back: `roll back the kiosks, no`."""
_SUBORDINATE = frozenset(
    ["why", "because", "since", "as", "that", "which", "who", "whose", "whom", "where", "when",
     "while", "although", "though", "cause", "cuz", "coz"]
)  # fmt: skip
_SUBJECTS = frozenset(
    ["it", "they", "he", "she", "we", "i", "you", "that", "this", "these", "those", "there",
     "people", "customers", "users", "nobody", "its", "their", "someone", "which", "who"]
)  # fmt: skip
_BESIDE = frozenset(
    ["be", "to", "have", "ever", "even", "really", "yet", "any", "longer", "been", "being", "do",
     "just", "want", "wish", "need", "like", "going", "us", "you", "me", "more", "the", "a"]
)  # fmt: skip
_DESCRIBING = frozenset(
    ["use", "see", "get", "look", "run", "make", "take", "keep", "let", "try", "end", "give",
     "read", "tell", "report", "answer", "fit", "finish", "load", "build", "check", "find", "show",
     "continue", "score", "label", "point", "test", "measure", "call", "store", "ask", "save"]
)  # fmt: skip
"""Verbs of commands that, denied of something, describe it: `it does not run any more`."""
_ACTS = frozenset(
    ["rollback", "rollbacks", "deployment", "deployments", "training", "trainings", "rollout",
     "rollouts", "promotion", "release", "releases", "archiving", "retirement", "deletion", "undo",
     "changes", "change", "action", "actions", "way", "need", "reason", "go"]
)  # fmt: skip
_POINTING = frozenset(["it", "that", "this", "them", "yet", "now", "today", "tonight", "there"])


def negated_inside(tokens: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True if a "not" forbids what a clause orders, but for turns of phrase that forbid nothing.

    Args:
        tokens: the clause.
        verbs: the words that begin commands.
    """
    if any(
        at >= 0 and not _tells(tokens, at, at + len(phrase), verbs)
        for phrase in phrases("guards", "negation_future")
        if (at := find_phrase(tokens, phrase)) >= 0
    ):
        return True
    harmless = (*phrases("guards", "negation_harmless"), *phrases("guards", "negation_kept"))
    if any(find_phrase(tokens, phrase) >= 0 for phrase in harmless):
        return False
    future = phrases("guards", "negation_future")
    for index, token in enumerate(tokens):
        if any(phrase_at(tokens, max(index - k, 0), future) > k for k in range(4)):
            continue  # was judged above
        if token.low in words("guards", "negation_inside"):
            if not _tells(tokens, index, index + 1, verbs):
                return True
        elif token.low in _TAKEN_BACK and _forbids(tokens, index, verbs):
            return True
    return False


def _forbids(tokens: Sequence[Token], index: int, verbs: frozenset[str]) -> bool:
    """True for `…, no` at the end, and for `no rollback`; `no password` forbids nothing."""
    following = [t for t in tokens[index + 1 :] if t.kind != "punctuation"]
    if not following:
        return bool(index) and tokens[index - 1].kind != "word"
    if tokens[index].low != "no":
        return False
    head = next((t.low for t in following if t.low not in _BESIDE), "")
    return _acts(head, verbs) or head in _ACTS or not _ordered(tokens[:index], verbs)


def _tells(tokens: Sequence[Token], start: int, end: int, verbs: frozenset[str]) -> bool:
    """True if a "not" after an order only says something about what is ordered."""
    if not _ordered(tokens[:start], verbs):
        return False
    head = next((t.low for t in tokens[end:] if t.low not in _BESIDE), "")
    if tokens[start].low == "without":
        return head.endswith("ing")
    if (unwanted := _unwanted(tokens, start, end)) is not None:
        return not _acts(unwanted, verbs)
    if not head or head in _POINTING:
        return False
    own = any(t.low in _SUBORDINATE for t in tokens[1:start]) or _subject(tokens, start)
    return own and not _acts(head, verbs)


def _unwanted(tokens: Sequence[Token], start: int, end: int) -> str | None:
    """The verb of `…, I don't want it to run`, which tells why; "" for `… want it any more`."""
    tail = [t.low for t in tokens[end:] if t.kind != "punctuation"]
    if tail[:1] != ["want"] or not set(tail[1:2]) & _POINTING or not _subject(tokens, start):
        return None
    rest = [word for word in tail[2:] if word not in {"one", "to", "be", "get"}]
    if not rest or rest[0] in {"any", "anymore"}:
        return "" if rest else None
    return rest[0]


def _subject(tokens: Sequence[Token], start: int) -> bool:
    """True if a subject stands right before a "not": `…, they don't`."""
    before = [t.low for t in tokens[max(start - 3, 0) : start + 1]]
    return any(word in _SUBJECTS for word in before)


def _ordered(tokens: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True if words hold an order already, before anything is denied."""
    return any(_acts(t.low, verbs) or t.low in verbs or t.low in _WISHES for t in tokens)


_WISHES = frozenset(["need", "want", "like"])


def _acts(word: str, verbs: frozenset[str]) -> bool:
    from graphs.understanding.guards import stems

    return any(w in verbs and w not in _DESCRIBING for w in (word, *stems(word)))


__all__ = ["negated_inside"]
