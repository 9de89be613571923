"""The words of an act that nothing accounts for: what they ask for would be dropped in silence.

Every word of an order must be an argument, a name, a filler, a remark on the side, or one that
people use for this very act. `roll back the kiosks and dance` and `roll back the kiosks in berlin`
hold a word that is none of these, and doing the rest would be doing something else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from graphs.understanding.clause import Clause, join, polite
from graphs.understanding.draft import Draft
from graphs.understanding.guards import stems
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.models import model_mentions
from graphs.understanding.names import split_name
from graphs.understanding.router import Sentence
from graphs.understanding.text import Token, phrase_at, tokenise
from graphs.understanding.values import number_at
from graphs.understanding.written import alias_of, read_version
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, Operation, OperationSet

_TEXTS = frozenset(["question", "query", "topic"])
"""Arguments that take the words as they are."""
_CONTENT = frozenset(["word", "path", "quote"])
_ENDINGS = ("ings", "ing", "ers", "er", "ed", "es", "s", "e", "d")
_SHORTEST = 3
_PAUSE = ".pause"
_PARTS = frozenset(".,;:!?–—\n(")
_WHO = frozenset([EntityKind.DEVICE_GROUP, EntityKind.DEVICE, EntityKind.USER])
"""What an act is done to or by whom: a model that is named beside may say what runs there."""


class Leftovers:
    """Knows in which words people ask for each act.

    Args:
        operations: what can be asked for.
        sentences: how people ask for it.
        verbs: the words that begin commands.
    """

    def __init__(
        self, operations: OperationSet, sentences: Sequence[Sentence], verbs: frozenset[str]
    ) -> None:
        self._operations = operations
        self._verbs = verbs
        self._own: dict[str, set[str]] = defaultdict(set)
        for sentence in sentences:
            said = {root(token.low) for token in tokenise(sentence.text)}
            self._own[sentence.label] |= said
            self._own[sentence.label.partition(".")[0]] |= said
        for operation in operations:
            self._own[operation.name] |= field_words(operation)

    def of(self, draft: Draft, answers: Mapping[str, Any]) -> str | None:
        """The first words of a plan's acts that nothing accounts for; None if all are.

        Args:
            draft: the plan with the clauses that it was made of.
            answers: what was answered about it: each stands for a name that was not understood.
        """
        values = {part for step in draft.steps for part in _name_parts(step.arguments)}
        values |= {str(times) for times in Counter(s.operation for s in draft.steps).values()}
        for read in draft.reads:
            known = self._operations.get(read.operation) if read.operation else None
            if known is None or known.effect is Effect.READ:
                continue
            if known.name in _OF_ONE and (every := _every(read.clause)):
                return every
            if not _TEXTS & set(known.input.model_fields):
                answered = sum(key.startswith(f"{known.name}.") for key in answers)
                found = self._strange(read.clause, known, values, read is draft.reads[0])[answered:]
                if found:
                    return _with_neighbours(read.clause, found[0], known)
        return None

    def of_condition(self, draft: Draft) -> str | None:
        """A condition of a plan's acts that speaks of what its measurement knows nothing of.

        Args:
            draft: the plan with the clauses that it was made of.

        Returns:
            The words: `if the weather is fine`, which says nothing of the health of devices.
        """
        steps = {step.id: step for step in draft.steps}
        measured = [steps[s.condition.left.step] for s in draft.steps if s.condition is not None]
        own = {part for step in draft.steps for part in _name_parts(step.arguments)}
        own = own.union(
            _measures(), _RECOMMENDED, *(self._own[step.operation] for step in measured)
        )
        for read in draft.reads:
            said = (read.clause.condition if measured else None) or []
            if any(_strange(said, at, own) for at in _content(said)):
                return join(said)
        return None

    def _strange(
        self, clause: Clause, act: Operation[Any, Any], values: set[str], first: bool
    ) -> list[int]:
        own = self._own[act.name] | values
        if act.effect is not Effect.DANGEROUS:
            own = own | self._own[act.domain] | words("leftover", "plain")
        aside = _asides(clause.tokens, self._verbs) | _held(clause.tokens, act)
        aside |= set(range(clause.told))
        named = _mentioned(clause)
        if _swaps(clause, act):
            return [0]
        if act.effect is Effect.DANGEROUS and (idle := _idle(clause, values) - aside):
            return [min(idle)]
        aside |= named
        return [
            at
            for at, token in enumerate(clause.tokens)
            if token.kind in _CONTENT
            and not (at in aside or clause.claimed[at] or self._leads(clause, at))
            and (
                _changes(clause.tokens, at, act)
                or _either(clause, at, act, values)
                or _strange(clause.tokens, at, own)
            )
        ] or (self._told(clause, first) if act.effect is Effect.DANGEROUS else [])

    def _told(self, clause: Clause, first: bool) -> list[int]:
        """Where something is told of a name that follows an order: `…, the depots are fine`."""
        tokens, found = clause.tokens, list[int]()
        small = words("words", "determiners")
        for at, token in enumerate(tokens):
            begin = _part_begin(tokens, at)
            lead = all(clause.claimed[i] or tokens[i].low in small for i in range(begin, at))
            follows = begin < at and lead and token.low in words("leftover", "finite")
            follows = follows and not _of_what_is_named(tokens[begin:at], tokens[at:])
            if follows and (begin or not first) and not self._orders(tokens[at:]):
                found.append(at - 1)
        return found

    def _orders(self, rest: Sequence[Token]) -> bool:
        """True if a command follows in any form: `… must be rolled back`, `…, undo it`."""
        return any(t.low in self._verbs or set(stems(t.low)) & self._verbs for t in rest)

    def _leads(self, clause: Clause, at: int) -> bool:
        """True for the word that a part begins with, which says what is to be done."""
        before = clause.tokens[at - 1].low if at else ""
        return not at or (before in _PARTS and clause.tokens[at].low in self._verbs)


def _changes(tokens: Sequence[Token], at: int, act: Operation[Any, Any]) -> int:
    """The size of words at `at` that make an act another one: `slowly`, `the others`, `until`."""
    bounds = phrase_at(tokens, at, phrases("leftover", "bounding"))
    dangerous = act.effect is Effect.DANGEROUS
    return bounds or (phrase_at(tokens, at, phrases("leftover", "changing")) if dangerous else 0)


def _either(clause: Clause, at: int, act: Operation[Any, Any], values: set[str]) -> bool:
    """True where a dangerous act leaves open which: `tp-14 or tp-15`, a champion in staging."""
    if act.effect is not Effect.DANGEROUS:
        return False
    alias = alias_of(clause.tokens[at].low) if "alias" in act.input.model_fields else None
    if alias is not None and root(alias) not in values:
        return True
    beside = clause.claimed[at - 1 : at] + clause.claimed[at + 1 : at + 2]
    return clause.tokens[at].low == "or" and len(beside) == 2 and all(beside)


def _strange(tokens: Sequence[Token], at: int, own: set[str]) -> bool:
    token = tokens[at]
    if token.kind == "path":
        return True
    if (said := _number(tokens, at)) is not None:
        return said not in own
    plain = words("words", "stop") | words("words", "determiners") | words("words", "prepositions")
    low = token.low.removesuffix("'s")
    return low not in plain and low not in words("leftover", "fillers") and root(low) not in own


def _number(tokens: Sequence[Token], at: int) -> str | None:
    """A number in words or in a version, as the digits that an argument would have."""
    if isinstance(version := read_version(tokens[at].low), int):
        return str(version)
    found = number_at(tokens, at) if tokens[at].low not in {"one", "a", "an"} else None
    return f"{found[0]:g}" if found else None


def root(word: str) -> str:
    """A word without its ending, so that `variant` and `variants` are one."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word[: -len(ending)]
    return word


def _name_parts(arguments: dict[str, Any]) -> set[str]:
    """The words that the names among arguments are made of: `the field ones`, `phones-field`."""
    said = [str(value) for value in arguments.values() if isinstance(value, str | int)]
    return {root(part) for value in said for part in (value.casefold(), *split_name(value))}


@lru_cache(maxsize=1)
def _measures() -> frozenset[str]:
    """The words for figures and states, and for how they compare."""
    found: set[str] = set()
    for table in ("metrics", "states", "comparisons", "versus"):
        _collect(fields()[table], found)
    return frozenset(root(word) for word in found)


def _content(tokens: Sequence[Token]) -> list[int]:
    """The places of a condition's words; its numbers are what it compares with."""
    content = [at for at, t in enumerate(tokens) if t.kind in _CONTENT]
    return [at for at in content[1:] if _number(tokens, at) is None]


def field_words(act: Operation[Any, Any]) -> set[str]:
    """The words by which the arguments of an act are said, without their endings."""
    found: set[str] = set()
    for name in act.input.model_fields:
        found |= set(name.split("_"))
        _collect(fields()["fields"].get(name, {}), found)
    return {root(word) for word in found}


def _collect(entry: Any, found: set[str]) -> None:
    if isinstance(entry, str):
        found |= set(entry.casefold().split())
    elif isinstance(entry, dict | list):
        for part in entry.values() if isinstance(entry, dict) else entry:  # pyright: ignore[reportUnknownVariableType]
            _collect(part, found)


def _mentioned(clause: Clause) -> set[int]:
    versions = (m for m in model_mentions(clause) if m.mention is not None)
    named = [*clause.mentions, *versions]
    return {at for m in named for at in range(m.start, m.end)}


def _swaps(clause: Clause, act: Operation[Any, Any]) -> bool:
    """True for `swap champion and challenger`, of which one act would do a half."""
    aliases = {alias_of(token.low) for token in clause.tokens} - {None}
    exchanges = clause.tokens[0].low in words("leftover", "exchanging")
    return exchanges and "alias" in act.input.model_fields and len(aliases) > 1


def _idle(clause: Clause, values: set[str]) -> set[int]:
    """The places of names that no step of the plan takes in: `protect the kiosks from nadia`."""
    found: set[int] = set()
    for mention in clause.mentions:
        if mention.kind not in _WHO:
            continue
        known = [{root(part) for part in split_name(name.name)} for name in mention.names]
        owner = clause.tokens[mention.end - 1].low.endswith("'s")
        if known and not owner and not any(parts <= values for parts in known):
            found |= set(range(mention.start, mention.end))
    return found


def _asides(tokens: Sequence[Token], verbs: frozenset[str]) -> set[int]:
    """The places of what is told beside the order: remarks, reasons and what is polite."""
    found: set[int] = set()
    begin = 0
    for at in range(len(tokens) + 1):
        if at < len(tokens) and tokens[at].low not in _PARTS:
            continue
        if _remark(tokens[begin:at], verbs):
            found |= set(range(begin, at))
        begin = at + 1
    for at in range(len(tokens)):
        fixed = (*polite(), *phrases("leftover", "fixed"))
        found |= set(range(at, at + phrase_at(tokens, at, fixed)))
        if phrase_at(tokens, at, phrases("leftover", "reasons")):
            found |= set(range(at, _part_end(tokens, at)))
    return found


def _held(tokens: Sequence[Token], act: Operation[Any, Any]) -> set[int]:
    """The places of how long something is held: a pause lasts until somebody ends it anyway.

    A pause does not end by itself: a day or an hour at which it should is no such place.
    """
    if not act.name.endswith(_PAUSE):
        return set()
    bounds = phrases("leftover", "bounding")
    begins = [at for at in range(len(tokens)) if phrase_at(tokens, at, bounds)]
    ends = {at: _part_end(tokens, at) for at in begins}
    kept = [at for at in begins if not {t.low for t in tokens[at : ends[at]]} & _DATES]
    return {place for at in kept for place in range(at, ends[at])}


_DATES = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tomorrow",
     "tonight", "noon", "midnight", "week", "weekend", "month", "hour", "hours", "o'clock"]
)  # fmt: skip


_OF_ONE = frozenset(["training.cancel", "training.pause", "training.resume", "platform.cancel_job"])
"""Acts on one job: `cancel all trainings` is not done to one of them."""


def _every(clause: Clause) -> str | None:
    """The words that mean several jobs; None if there are none."""
    for at, token in enumerate(clause.tokens):
        if token.low in {"all", "every", "both", "everything"}:
            return join(clause.tokens[at : at + 3])
    return None


_RECOMMENDED = frozenset(["recommend", "recommen"])
"""The roots of what an A/B test does: `if version 4 is recommended`."""
_UNMARKED = frozenset(["its", "theyre", "thats", "hes", "shes", "were", "im", "weve", "theyve"])
"""What people write for `it's`, `they're`, …, at the beginning of what they tell."""


def _remark(part: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True for `customers are calling`, `hh-33 fell into the freezer`: it tells, and orders not."""
    low = [token.low for token in part]
    if not low or low[0] in verbs or set(low) & words("leftover", "limiting"):
        return False
    if low[0] in _UNMARKED and len(low) > 1:
        return True
    if low[0] in _TOO or _happened(low, verbs):
        return True
    return any(word in words("leftover", "telling") or word.endswith("'s") for word in low)


_TOO = frozenset(["too", "so", "such", "way"])
"""What a verbless reason begins with: `too many wrong passwords`."""
_PAST = frozenset(
    ["drove", "ran", "flew", "hit", "tore", "sank", "stole", "ate", "bit", "burnt", "threw", "took",
     "sat", "stood", "slid", "slipped", "froze", "blew", "split", "spilt", "spilled", "dropped",
     "bent", "shook", "swept", "gave", "caught", "found", "went", "grew", "drank", "rolled"]
)  # fmt: skip
_IT = frozenset(["it", "them", "him", "her", "its", "their", "his", "there"])


def _happened(low: Sequence[str], verbs: frozenset[str]) -> bool:
    """True for `a snowcat drove over it`: what somebody did to the thing that is named."""
    subject = next((i for i, w in enumerate(low) if i and (w in _PAST or w.endswith("ed"))), 0)
    small = words("words", "determiners")
    begins = low[0] in small | _IT | {"somebody", "someone"} and subject <= _SUBJECT
    return bool(subject) and begins and bool(set(low[subject:]) & _IT) and low[0] not in verbs


_SUBJECT = 4
_THEY = frozenset(["both", "they", "it", "these", "those", "all", "of", "them", "he", "she"])
_UNWANTED = frozenset(
    ["outdated", "obsolete", "old", "wrong", "broken", "dead", "gone", "lost", "stolen", "useless",
     "superseded", "unused", "stale", "invalid", "expired", "replaced", "retired", "damaged",
     "locked", "out", "idle", "empty", "duplicates", "nonsense", "faulty", "defective", "sold",
     "back", "new", "slow", "bad", "worse"]
)  # fmt: skip


def _of_what_is_named(subject: Sequence[Token], told: Sequence[Token]) -> bool:
    """True for `…, both are outdated`: said of what was named just now, and why it is done."""
    of_them = {t.low for t in subject if t.kind != "punctuation"} <= _THEY
    denied = any(t.low in words("guards", "negation_inside") for t in told)
    return of_them and not denied and bool({t.low for t in told} & _UNWANTED)


def _part_begin(tokens: Sequence[Token], at: int) -> int:
    return next((i + 1 for i in range(at - 1, -1, -1) if tokens[i].low in _PARTS), 0)


def _part_end(tokens: Sequence[Token], at: int) -> int:
    return next((i for i in range(at, len(tokens)) if tokens[i].low in _PARTS), len(tokens))


def _with_neighbours(clause: Clause, at: int, act: Operation[Any, Any]) -> str:
    """The word with the small words before it, or with those that it is said with: `and dance`."""
    small = words("words", "prepositions") | words("words", "determiners") | {"and"}
    told = clause.claimed[at] != ""
    begin, end = at, at + max(1 + told, _changes(clause.tokens, at, act))
    if clause.tokens[at].low in words("leftover", "bounding"):
        end = _part_end(clause.tokens, at)
    while begin and not clause.claimed[begin - 1] and clause.tokens[begin - 1].low in small:
        begin -= 1
    return join(clause.tokens[begin:end])
