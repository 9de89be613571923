"""Whether a clause really orders an act, in words that are known for it.

The router hears what a clause is about. That is enough to read something; to act, the words must
also be an order, and must be words in which people ask for this act: `format tp-15` is about a
device, but nobody says it for retiring one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from graphs.understanding import guards
from graphs.understanding.clause import Clause, polite
from graphs.understanding.lexicon import fields, phrases, split_phrases, words
from graphs.understanding.negation import negated_inside
from graphs.understanding.router import Sentence
from graphs.understanding.text import Token, find_phrase
from graphs.understanding.unknown_places import unknown_place
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet

_TELLING = frozenset(
    ["show", "list", "explain", "describe", "tell", "check", "look", "display", "print", "read",
     "summarise", "summarize", "give", "find", "inspect", "verify", "see", "get", "ask"]
)  # fmt: skip
"""Verbs with which anything may be asked to be shown."""
_UNDO = "platform.undo"
_UNDOING = frozenset(
    ["undo", "undone", "undoing", "back", "revert", "reverted", "reverse", "reversed", "restore",
     "unwind", "annul", "rollback", "un-do", "redo", "undid", "mistake", "out"]
)  # fmt: skip
_SHARE = 0.5
"""The share of a clause's words that must be known for a dangerous operation."""


class Orders:
    """Knows the words of each operation."""

    def __init__(
        self, operations: OperationSet, sentences: Sequence[Sentence], verbs: frozenset[str]
    ) -> None:
        self._verbs = verbs
        self._operations = operations
        self._words: dict[str, set[str]] = defaultdict(set)
        for sentence in sentences:
            said = re.findall(r"[\w'/-]+", sentence.text)
            self._words[sentence.label].update([*said, *(f"^{word}" for word in said[:1])])
        tables = fields()["operations"].items()
        self._naming = {name for name, table in tables if table.get("name", {}).get("bare")}

    def begins(self, operation: str, word: str) -> bool:
        """True for a word with which people begin an order of an operation."""
        return f"^{word}" in self._words[operation]

    def forbidden(self, operation: str, clause: Clause) -> bool:
        """True if a clause says not to act."""
        if self._operations.get(operation).effect is Effect.READ:
            return False
        denied = negated_inside(clause.order, self._verbs)
        return denied and not self._lifted(operation, clause)

    def _lifted(self, operation: str, clause: Clause) -> bool:
        """True where the "not" is what is wanted: `I don't want X protected any more`."""
        specs = [
            fields()["fields"].get(n, {})
            for n in self._operations.get(operation).input.model_fields
        ]
        said = [spec["false"] for spec in specs if "false" in spec]
        return any(clause.find(split_phrases(entry), free=False) for entry in said)

    def given(self, operation: str, clause: Clause) -> bool:
        """True if a clause orders this operation in words that are known for it."""
        effect = self._operations.get(operation).effect
        first = clause.order[0].low
        if self._elsewhere(operation, clause) or _opposed(operation, clause):
            return False
        rows = any(t.low in {"rows", "lines", "row", "line"} for t in clause.tokens)
        if not (rows and operation == "datasets.add") and any(
            find_phrase(clause.tokens, p) >= 0 for p in phrases("guards", "exceptions")
        ):
            return False  # what is left when some are taken out is not known here
        if guards.narrates(clause.order, self._verbs):
            return False
        if self._opines(clause):
            return False
        if operation == _UNDO and (
            not (clause.mentions or _takes_back(clause))
            or any(m.kind is EntityKind.USER for m in clause.mentions)
        ):
            return False  # `take that` takes nothing back; `what nadia did` is no act of one's own
        if effect is not Effect.READ and self._only_asked(operation, clause):
            return False
        if "question" in self._operations.get(operation).input.model_fields:
            return self._asks(clause)
        if effect is Effect.READ:
            harmless = first not in self._verbs or first in words("words", "stop") | _TELLING
            return harmless or first in self._words[operation]
        if effect is Effect.WRITE:
            return True
        if any(find_phrase(clause.tokens, p) >= 0 for p in phrases("guards", "no_order")):
            return False
        if _keeps(clause):
            return False
        own = self._words[operation]
        group = self._operations.get(operation).slots.get("group")
        place = unknown_place(clause) if group is not None and group.closed else range(0)
        said = [word for word in self._said(clause, place) if not self._named(operation, word)]
        known = sum(word in own or word.removesuffix("s") in own for word in said)
        return not said or known >= _SHARE * len(said)

    def _opines(self, clause: Clause) -> bool:
        """True for `i think v5 feels worse than v4`, which asks for no comparison."""
        low = [t.low for t in clause.tokens if t.kind != "punctuation"]
        while low and low[0] in {"honestly", "well", "hm", "hmm", "personally", "frankly", "so"}:
            low = low[1:]
        thinks = low[:1] == ["i"] and low[1:2] and low[1] in {"think", "feel", "guess", "believe"}
        asks = any(t.low == "?" for t in clause.tokens) or bool(set(low) & self._verbs)
        return bool(thinks) and not asks

    def asked_in(self, operation: str, clause: Clause) -> bool:
        """True if every word of an order is one in which people ask for this operation."""
        own = self._words[operation]
        said = self._said(clause, range(0))
        return all(w in own or w.removesuffix("s") in own for w in said) and bool(said)

    def _named(self, operation: str, word: str) -> bool:
        """True for a word that nobody uses, where a new name is wanted: `add bob and carol`."""
        return operation in self._naming and not any(word in own for own in self._words.values())

    def _only_asked(self, operation: str, clause: Clause) -> bool:
        """True for `how do I roll back the kiosks?`: a question about an act orders none."""
        if self._operations.get(operation).domain == "evaluation":
            return False  # `is v3 better than v2?` is how one asks for a comparison
        low = [t.low for t in clause.order]
        orders = low[0] == "have" and low[1:2] and low[1] not in _PEOPLE  # `have job 7 registered`
        asks = low[0] in words("guards", "asking_first") and low[:2] != ["how", "about"]
        if asks and not orders:
            return True
        return any(find_phrase(clause.tokens, p) >= 0 for p in phrases("guards", "no_order"))

    def _asks(self, clause: Clause) -> bool:
        """True for a question, and for a request to answer one; a statement asks for nothing."""
        low = [t.low for t in clause.tokens]
        if low[0] in words("words", "prepositions") and not set(low) & _QUESTIONS:
            return False  # `in the handbook stands …` tells, `in which case must we …` asks
        return "?" in low or low[0] in words("segment", "questions") | words("segment", "asking")

    def _elsewhere(self, operation: str, clause: Clause) -> bool:
        """True for an act that none can serve, though it is done to something that is known."""
        first = clause.tokens[0]
        named = any(m.start == 0 for m in clause.mentions)
        return (
            len(clause.tokens) > 1
            and not named
            and first.kind == "word"
            and first.low in words("verbs", "elsewhere")
            and f"^{first.low}" not in self._words[operation]
        )

    def _said(self, clause: Clause, place: range) -> list[str]:
        """The words by which an act is asked for: no names, and not where it is to go to."""
        named = {i for m in clause.mentions for i in range(m.start, m.end)} | set(place)
        end = _reason(clause.tokens)
        small = words("words", "determiners") | words("words", "prepositions")
        return [
            token.low
            for index, token in enumerate(clause.tokens[:end])
            if index not in named
            and token.kind == "word"
            and token.low not in small
            and token.low not in _PERSONS
            and (token.low,) not in polite()
            and token.low not in fields()["numbers"]
            and not any(c.isdigit() for c in token.low)
        ]


def _keeps(clause: Clause) -> bool:
    """True for `keep him` and `he stays`, which end nothing; `keep it out` does."""
    low = [t.low for t in clause.tokens if t.kind != "punctuation"]
    keeps = low[0] in _KEEPING or bool(set(low) & _STAYING)
    return keeps and not set(low) & {"out", "away", "off", "from", "anymore", "no", "not"}


_KEEPING = frozenset(["keep", "leave", "spare"])
_STAYING = frozenset(["stays", "stay", "remains", "remain"])


def _takes_back(clause: Clause) -> bool:
    return bool({t.low for t in clause.tokens} & _UNDOING)


def _opposed(operation: str, clause: Clause) -> bool:
    """True for `take staging off ticket-router`, which is about aliases and promotes nothing."""
    contrary = split_phrases(fields()["opposed"].get(operation, ()))
    return clause.find(contrary) is not None


_PEOPLE = frozenset(["i", "you", "we", "they", "he", "she", "people", "users", "anyone"])
_PERSONS = frozenset(["him", "her", "them", "he", "she", "they"])
"""Who is spoken of: no words by which an act is asked for."""
_BECAUSE = frozenset(["because", "since", "as", "cause", "cuz", "coz", "bc"])
_STATING = words("segment", "remarks") | {"it", "they", "he", "she", "we", "i", "nobody"}
_QUESTIONS = words("segment", "questions") | {"?", "must", "should", "may", "whom", "any"}


def _reason(tokens: Sequence[Token]) -> int:
    """Where a remark after the order begins: `…, she is new`; the end if there is none."""
    for at, token in enumerate(tokens):
        rest = {t.low for t in tokens[at + 1 :]}
        if at > 1 and token.low in _BECAUSE and rest & _STATING:
            return at
        if at > 1 and token.low == "," and rest & words("segment", "remarks"):
            return at
    return len(tokens)
