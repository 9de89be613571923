"""What is told before an order, in a sentence of its own: `nadia is locked out, let her in again`.

The remark orders nothing. It says what the order is about, and often what its words mean: `let her
in again` is heard together with it, and means nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.no_order import orders_nothing
from graphs.understanding.text import Token, find_phrase
from tools.kernel.entities import EntityKind

_POINTING = frozenset(["it", "him", "her", "them", "that", "this", "his", "their", "its"])
_TELLING = (
    words("leftover", "telling") | words("segment", "remarks") | {"can", "cannot", "could", "may"}
) - {"i", "we", "they", "he", "she", "need", "needs", "want", "wants", "get", "gets", "don't"}
_ORDERING = frozenset(
    ["should", "must", "shall", "ought", "needs", "need", "wants", "want", "please", "if", "unless",
     "when", "once", "until", "only", "except", "instead", "maybe", "will", "but", "then", "?"]
)  # fmt: skip
_NUMBERED = frozenset(
    ["job", "training", "run", "rollout", "schedule", "experiment", "token", "receipt", "version"]
)
"""What is named by a number."""
_ALIASES = frozenset(["alias", "tag"])
_IRREGULAR = frozenset(
    ["should", "'s", "burnt", "stolen", "froze", "hung", "kept", "forgot", "threw", "took",
     "sank", "thinking", "worried", "talking", "ate", "grew", "began", "drank", "caught", "stood",
     "let", "felt", "shut", "slept", "fails"]
)  # fmt: skip
_OF_SEVERAL = frozenset(
    ["answer", "drop", "hang", "crash", "fail", "misroute", "respond", "behave", "act", "lose",
     "give", "send", "do", "say", "label", "produce", "time", "run", "report", "stall", "die"]
)  # fmt: skip
_ABLE = ("should", "be", "able")
_WINDOW = 4


@dataclass(frozen=True, slots=True)
class Knowing:
    """What has to be known of operations to hear an order with the remark before it.

    Attributes:
        verbs: the words that begin commands.
        hear: takes a clause for an operation.
        takes: tells whether an operation takes things of some kinds.
        asked_in: tells whether people ask for an operation in a clause's words.
        acts: tells whether an operation changes something.
    """

    verbs: frozenset[str]
    hear: Callable[[Clause], Read]
    takes: Callable[[str, frozenset[EntityKind]], bool]
    asked_in: Callable[[str, Clause], bool]
    acts: Callable[[str], bool]


def with_remarks(reads: list[Read], known: Knowing) -> tuple[list[Read], list[Clause]]:
    """Reads in which an order is heard together with the remark before it, where that is needed.

    Args:
        reads: the wishes of a sentence with what each is taken for.
        known: what has to be known of operations.

    Returns:
        The reads, of which one that was heard together stands for both, and the remarks that are
        none of them any more.
    """
    found: list[Read] = []
    told: list[Clause] = []
    for read in reads:
        before = found[-1] if found else None
        if before is None or not _remarks_on(before.clause, read.clause, known.verbs):
            found.append(read)
        elif _says_all(before, read, known):
            told.append(found.pop().clause)
            found.append(read)
        elif (joint := _together(before, read, known)) is not None:
            found[-1] = joint
        else:
            found.append(_of_such(before, read, known))
    return found, told


def _remarks_on(clause: Clause, order: Clause, verbs: frozenset[str]) -> bool:
    """True if a clause is a remark on what the order after it points at."""
    if clause.condition or clause.asks or clause.governed or order.mentions:
        return False
    return order.link in ("and", "then", "") and _points(order) and is_remark(clause, verbs)


def _kinds(clause: Clause) -> frozenset[EntityKind]:
    return frozenset(m.kind for m in clause.mentions if m.how == "exact")


def _says_all(before: Read, read: Read, known: Knowing) -> bool:
    """True for `tp-14 fell into the sink. retire it`: the order needs no remark to be clear."""
    if before.operation is not None and known.acts(before.operation):
        return False
    kinds, operation = _kinds(before.clause), read.operation
    if operation is None or not kinds or not known.acts(operation):
        return False
    return known.takes(operation, kinds) and known.asked_in(operation, read.clause)


def _together(before: Read, read: Read, known: Knowing) -> Read | None:
    """A remark and the order after it as one wish; None if each is something by itself."""
    clause, order = before.clause, read.clause
    last = clause.tokens[-1]
    comma = Token(",", ",", last.end, last.end, "punctuation")
    joint = known.hear(Clause([*clause.tokens, comma, *order.tokens], clause.link, order.condition))
    _set_aside(joint.clause, len(clause.tokens) + 1)
    told = before.operation is None or not known.acts(before.operation)
    told = told or before.operation == joint.operation or orders_nothing(clause, known.verbs)
    if joint.operation is None or not told:
        return None
    fits = known.takes(joint.operation, _kinds(clause)) and known.asked_in(joint.operation, order)
    return joint if fits else None


def _set_aside(clause: Clause, told: int) -> None:
    """Keep the words of a remark from being arguments, but for what it names.

    `oskar was an operator, make him a viewer` is about oskar, and about one role only.
    """
    clause.told = told
    named = {i for m in clause.mentions for i in range(m.start, m.end + 1)}
    for at, token in enumerate(clause.tokens[:told]):
        counts = at > 0 and clause.tokens[at - 1].low in _NUMBERED
        code = any(c.isdigit() for c in token.low) and any(c.isalpha() for c in token.low)
        number = any(c.isdigit() for c in token.low) and (counts or at in named)
        inside = any(m.start <= at < m.end for m in clause.mentions)
        after = clause.tokens[at + 1].low if at + 1 < len(clause.tokens) else ""
        number = number or after in _ALIASES  # `its staging alias`
        if not (inside or code or number or token.low in _NUMBERED):
            clause.claim(at, at + 1, "remark")


def _of_such(before: Read, read: Read, known: Knowing) -> Read:
    """The order, for no operation if it would be done to something else than is spoken of."""
    kinds, operation = _kinds(before.clause), read.operation
    acts = before.operation is None and operation is not None and known.acts(operation)
    if acts and kinds and not known.takes(operation or "", kinds):
        read.operation = None
    return read


def is_remark(clause: Clause, verbs: frozenset[str]) -> bool:
    """True for a statement about something, which orders nothing: `nadia mistyped her password`.

    Args:
        clause: its words.
        verbs: the words that begin commands.
    """
    tokens = clause.tokens
    if not tokens or tokens[0].low in verbs | words("segment", "questions"):
        return False
    small = words("words", "determiners")
    at = next((i for i, t in enumerate(tokens) if t.low not in small), 0)
    subject = next((m for m in clause.mentions if m.start <= at), None)
    begin = subject.end if subject is not None else at + 1
    low = [t.low for t in tokens]
    versions = subject is not None or low[at] == "version"
    while versions and begin < len(low) and any(c.isdigit() for c in low[begin]):
        begin += 1  # its version
    ordering = [w for i, w in enumerate(low) if w in _ORDERING and not _unneeded(low, i)]
    if ordering and not (ordering == ["should"] and find_phrase(tokens, _ABLE) >= 0):
        return False
    several = subject is not None and subject.kind is EntityKind.DEVICE_GROUP
    if versions and begin < len(low) and _present(low[begin], several, verbs):
        return True
    said = low[begin : begin + _WINDOW]
    if any(_unneeded(low, i) for i in range(begin, min(begin + _WINDOW, len(low)))):
        return True
    if subject is not None and low[begin - 1].endswith("'s"):
        said = ["'s", *said]
    return any(tells(word) for word in said)


def _unneeded(low: Sequence[str], at: int) -> bool:
    """True for the need of `X doesn't need its alias any more`, which orders nothing."""
    denied = low[at - 1] in {"doesn't", "don't", "longer", "not"} if at else False
    return denied and low[at] in {"need", "needs", "want", "wants"}


def exclaims(clause: Clause, verbs: frozenset[str]) -> bool:
    """True for what is said to oneself before an order: `ugh, that thing again`, `the other way`.

    Args:
        clause: its words.
        verbs: the words that begin commands.
    """
    low = [t.low for t in clause.tokens if t.kind != "punctuation"]
    if clause.mentions or not low:
        return False
    led = low[1:] if len(low) > 1 and low[0] in _EXCLAIMING else low
    if " ".join(led) in _TURNING:
        return True
    return low[0] in _EXCLAIMING and not set(low) & (_ORDERING | _DENYING | verbs)


def states(clause: Clause, verbs: frozenset[str]) -> bool:
    """True for a statement about those spoken of: `they calmed down`, `it looks better now`.

    Args:
        clause: its words.
        verbs: the words that begin commands.
    """
    low = [t.low for t in clause.tokens if t.kind != "punctuation"]
    while len(low) > 2 and low[0] in {
        "ok",
        "okay",
        "well",
        "so",
        "now",
        "good",
        "fine",
        "ah",
        "oh",
    }:
        low = low[1:]
    if len(low) < 2 or low[0] not in _OTHERS or clause.asks or set(low) & _ORDERING:
        return False
    if low[0] == "they" and low[1] in _OF_SEVERAL:
        return True
    return tells(low[1]) or (low[1].endswith("s") and low[1] not in verbs)


_DENYING = frozenset(
    ["no", "not", "don't", "dont", "never", "nope", "nah", "wait", "cannot", "can't", "nothing"]
)
_OTHERS = frozenset(
    ["they", "it", "he", "she", "everything", "everyone", "everybody", "nobody", "things", "that"]
)
_EXCLAIMING = frozenset(
    ["ugh", "argh", "phew", "damn", "gosh", "sigh", "whoa", "yikes", "pff", "meh", "hmpf", "jeez",
     "wow", "oof", "eek", "bah", "dammit", "hm", "hmm", "urgh", "grr", "ouch"]
)  # fmt: skip
_TURNING = frozenset(
    ["other way round", "the other way round", "other way around", "the other way around",
     "the opposite", "wrong way round", "the wrong way round", "i changed my mind",
     "changed my mind", "i have changed my mind", "on second thought", "on second thoughts",
     "long story", "long story short", "you know what", "change of plan", "change of plans",
     "hold that thought", "good enough", "fair enough", "that's good enough", "looks good",
     "sounds good", "makes sense", "not bad", "quick one", "new plan", "small change"]
)  # fmt: skip


def tells(word: str) -> bool:
    """True for a word of what is or was so: `was`, `crashed`, `fell`."""
    past = word.endswith("ed") and word not in words("words", "stop")
    return past or word in _TELLING or word in _IRREGULAR


def _present(word: str, several: bool, verbs: frozenset[str]) -> bool:
    """True for the verb of `v4 drops every second ticket`, `the kiosks answer slowly`."""
    if several and word in _OF_SEVERAL:
        return True
    verb = word.endswith("s") and word.isalpha() and not word.endswith(("'s", "ss"))
    return verb and word not in verbs | words("words", "stop") | words("words", "determiners")


def _points(clause: Clause) -> bool:
    """True for an order about what was spoken of: `let her in again`."""
    pointing = any(t.low in _POINTING for t in clause.tokens)
    return pointing or clause.find(phrases("references", "it"), free=False) is not None
