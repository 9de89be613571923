"""What is told, asked or excluded of a thing: `tp-2 is fine`, `phones rolled back?`, `keep v2`.

An act is planned for what somebody orders. A name alone, a statement about it, a participle ("the
kiosks rolled back by mistake") and an exclusion ("not the phones") order nothing, whatever act was
spoken of before them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from graphs.understanding.clause import Clause, Mention
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token
from tools.kernel.entities import EntityKind

_LEADING = frozenset(
    ["ok", "okay", "oh", "hm", "hmm", "and", "but", "well", "so", "good", "fine", "no", "yes",
     "wait", "actually", "please", "ah", "right", "sorry", "now"]
)  # fmt: skip
_KEEPING = frozenset(
    ["keep", "keeps", "leave", "leaves", "spare", "ask", "asks", "read", "maybe", "perhaps",
     "except", "anywhere", "everywhere", "wrong", "worse"]
)  # fmt: skip
_ASKING = (words("segment", "questions") - {"do", "have"}) | {
    "is", "are", "was", "were", "does", "did", "has", "had", "whats", "what's", "who's",
    "isn't", "aren't", "whos", "hows", "how's",
}  # fmt: skip
_ELLIPSIS = (("what", "about"), ("how", "about"), ("what", "of"))
_HANGING = frozenset(["if", "unless", "provided", "assuming", "whenever"])
_HANGING_PHRASES = (("as", "long", "as"), ("so", "long", "as"), ("only", "when"), ("like", "we"))
_TELLING = frozenset(
    ["is", "are", "was", "were", "has", "had", "isn't", "aren't", "wasn't", "looks", "look",
     "seems", "seem", "failed", "fails", "crashed", "works", "worked", "broke", "said", "says",
     "agrees", "agreed", "told", "did", "got", "still", "stays", "no"]
)  # fmt: skip
_PAST = re.compile(
    r"^(?:rolled|retired|archived|removed|promoted|deployed|revoked|deleted|frozen|froze|paused"
    r"|cancell?ed|stopped|trained|retrained|registered|undone|aborted|enrolled|rotated|forgotten"
    r"|protected|unprotected|resumed|scheduled|forgot)$"
)
_WISHING = frozenset(
    ["get", "want", "wants", "need", "needs", "like", "wish", "should", "must", "be", "let",
     "let's", "please", "see", "shall", "gets", "being", "when", "after", "once", "before", "if",
     "until", "which", "that", "who", "what", "list", "show", "why", "how"]
)  # fmt: skip


_VERSION = re.compile(r"v\d+|champion|challenger|staging")


def excluded(tokens: Sequence[Token], mentions: Sequence[Mention]) -> bool:
    """True if a short sentence in a conversation tells, asks or excludes, and changes nothing.

    Args:
        tokens: the sentence.
        mentions: the names in it.
    """
    said = [t for t in tokens if t.kind != "punctuation"]
    kept = list(said)
    while len(kept) > 1 and kept[0].low in _LEADING:
        kept = kept[1:]
    low = [t.low for t in kept]
    if not low:
        return False
    if tuple(low[:2]) in _ELLIPSIS:
        return False
    if low[0] == "wrong" and {"mean", "meant", "ment"} & set(low):
        return False  # `wrong file, i meant b.md` says what is right
    if low[0] in _KEEPING or low[0] in _ASKING or low[0] == "once" or set(low) & _HANGING:
        return True
    if any(tuple(low[i : i + len(p)]) == p for p in _HANGING_PHRASES for i in range(len(low))):
        return True
    if low[0] == "better" and low[1:2] == ["than"]:
        return True
    if ("too" in low and {"is", "would", "be"} & set(low)) or low[-3:] == ["from", "now", "on"]:
        return True
    if low[0] == "make" and low[1:2] != ["it"] and {"the", "an", "a"} & set(low[2:4]):
        return True  # `make tp-2 the new one` is another act
    return _only_denies(low, [t.low for t in tokens]) or _is_told_of(tokens, mentions)


def _only_denies(low: Sequence[str], marked: Sequence[str]) -> bool:
    """True for `not the phones`, which says what is not wanted and nothing else."""
    if low[0] not in {"not", "never"}:
        return False
    after = marked[marked.index(low[0]) + 1 :]
    return not {"but", ","} & set(after) and not (after and after[0] in _MEASURING)


_MEASURING = frozenset(["more", "less", "over", "above", "below", "longer", "fewer", "later"])


def _is_told_of(tokens: Sequence[Token], mentions: Sequence[Mention]) -> bool:
    """True for `tp-2 is fine`, `nadia's ok with it`, `phones no`: a name and what it is like."""
    for token, following in pairwise(tokens):
        if _VERSION.fullmatch(token.low) and following.low in _TELLING:
            return True
    for mention in mentions:
        after = [t for t in tokens[mention.end : mention.end + 2] if t.kind != "punctuation"]
        owner = tokens[mention.end - 1].low.endswith("'s")
        if after and (owner or after[0].low in _TELLING):
            return True
    return False


_NOUNS = frozenset(["step", "steps", "thing", "things"])


def orders_nothing(clause: Clause, verbs: Collection[str]) -> bool:
    """True if a clause that was taken for an act only names, tells or asks about something.

    Args:
        clause: its words.
        verbs: the words that begin commands.
    """
    said = [t for t in clause.tokens if t.kind != "punctuation"]
    if not said:
        return False
    low = [t.low for t in said]
    small = words("words", "determiners")
    if set(low) <= small | _NOUNS:
        return True  # `next step` names no act
    named = {i for m in clause.mentions for i in range(m.start, m.end)}
    rest = [
        t.low for i, t in enumerate(clause.tokens) if i not in named and t.kind != "punctuation"
    ]
    if len(clause.mentions) == 1 and all(word in small for word in rest):
        return True
    gerund = low[0].endswith("ing") and {"is", "was", "would"} & set(low)
    if gerund or _begins_with_what_is_told(clause, verbs):
        return True
    return _participle(low, verbs)


def _begins_with_what_is_told(clause: Clause, verbs: Collection[str]) -> bool:
    """True for `nightly-training is great`, `v2 is in use`, `champion is v2 right now`."""
    at = 0
    while at < len(clause.tokens) and clause.tokens[at].low in words("words", "determiners"):
        at += 1
    first = next((m for m in clause.mentions if m.start <= at), None)
    end = first.end if first is not None else at + 1
    if _order_follows(clause.tokens[end:], verbs):
        return False  # `tp-14 got stolen, lock it out`
    wished = _WISHING & {t.low for t in clause.tokens}
    of_user = first is not None and first.kind is EntityKind.USER
    telling = _TELLING | _LEAVING if of_user else _TELLING
    if wished or end >= len(clause.tokens) or clause.tokens[end].low not in telling:
        return False
    return first is not None or _VERSION.fullmatch(clause.tokens[at].low) is not None


_LEAVING = frozenset(["left", "leaves", "quit", "quits", "resigned", "moved", "joined", "retired"])
"""What is told of people: `matteo left the company` removes nobody yet."""


def _order_follows(tokens: Sequence[Token], verbs: Collection[str]) -> bool:
    """True where a command begins in the words: after a mark, before `it`, or at the very end."""
    orders = {*verbs, *words("verbs", "elsewhere"), "shut", "cut", "lock", "go"}
    for at in range(1, len(tokens)):
        apart = tokens[at].start - tokens[at - 1].end > 1 or tokens[at - 1].kind == "punctuation"
        ends = at == len(tokens) - 1
        them = not ends and tokens[at + 1].low in _THEM
        if tokens[at].low in orders and (apart or ends or them):
            return True
    return False


_THEM = frozenset(["it", "them", "him", "her", "that", "this", "their", "his", "its", "everything"])


def _participle(low: Sequence[str], verbs: Collection[str]) -> bool:
    """True for `phones rolled back?`, `retired tp-1 yesterday`, `could he have archived v1?`."""
    small = words("words", "determiners")
    past = [i for i, w in enumerate(low) if _PAST.match(w) and not (i and low[i - 1] in small)]
    if not past:
        return False
    at = past[0]
    orders = {*verbs, *words("verbs", "elsewhere")}
    ordered = any(word in orders and not _PAST.match(word) for word in low[:at])
    if low[at] == "forgot" or (at and low[at - 1] in _HAVING and not ordered):
        return True
    return not ordered and low[0] != "have" and not _WISHING & set(low)


_HAVING = frozenset(["have", "has", "had", "was", "were", "been"])


def restricts(tokens: Sequence[Token]) -> bool:
    """True for words without which a plan that waits must not be done: `but not on friday`."""
    low = [t.low for t in tokens if t.kind != "punctuation"]
    while len(low) > 1 and low[0] in _LEADING - {"but", "no"}:
        low = low[1:]
    return any(tuple(low[: len(p)]) == p for p in _RESTRICTING) or bool(set(low) & _HANGING)


_RESTRICTING = (
    ("only",), ("but",), ("not",), ("as", "long", "as"), ("so", "long", "as"), ("except",),
    ("ask",), ("wrong",), ("the", "other"), ("anywhere",), ("everywhere",), ("keep",), ("leave",),
    ("spare",), ("wait",), ("maybe",), ("without",), ("instead",), ("no",), ("once",),
)  # fmt: skip
