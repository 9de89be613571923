"""A sentence cut into its wishes, with what joins them: then, and, if, otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.understanding.clause import Clause, polite, strip_leading
from graphs.understanding.cut_conditions import NOUNS, OBJECTS, condition_at, cut_condition
from graphs.understanding.helping import asks_how
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.nothing_done import (
    does_nothing,
    inverted,
    leading_negation,
    takes_back,
)
from graphs.understanding.shared_words import (
    POINTING,
    SHOWING,
    SHOWN,
    shared_objects,
    shared_verbs,
)
from graphs.understanding.text import Token, phrase_at
from graphs.understanding.written import alias_of

_ENDS = frozenset(";.!?\n")
_LEADS_ON = frozenset(":-–—")
"""Marks behind which a condition is about what follows it: `compare 4 with 2 - if 4 wins, …`."""
_SETTINGS = frozenset(
    [("label", "smoothing"), ("label", "column"), ("text", "column"), ("use", "dora"),
     ("use", "rslora")]
)  # fmt: skip
"""Words that begin like a command and say a value."""
_BESIDE_SHARES = frozenset(["%", "percent", "pct", ",", "and"])


@dataclass
class _Part:
    link: str
    tokens: list[Token]
    opens: bool = False
    """True if a sentence begins with it."""
    asks: bool = False
    """True if it ends in a question mark."""
    apart: bool = False
    """True if only a comma stands before it."""


class Segmenter:
    """Cuts sentences. `verbs` are the words that begin commands."""

    def __init__(self, verbs: frozenset[str]) -> None:
        self.verbs = verbs

    def clauses(self, tokens: Sequence[Token]) -> list[Clause]:
        """The wishes of a sentence in order; conditions hang on the clause that they govern."""
        parts = self._parts(list(tokens))
        clauses: list[Clause] = []
        waiting: list[Token] | None = None
        governing = False
        for at, part in enumerate(parts):
            condition, rest = cut_condition(part.tokens, self.verbs)
            governing = governing and not part.opens and part.link != "otherwise"
            rest, later = _without_later(strip_leading(rest, polite()))
            if (*(t.low for t in rest),) in polite():
                rest = []
            if condition is not None and not rest:
                if clauses and part is parts[-1] and waiting is None:
                    clauses[-1].condition = clauses[-1].condition or condition
                else:
                    waiting = condition
                continue
            if not rest:
                continue
            hung = condition or waiting
            if hung and (does_nothing(rest) or takes_back(rest, clauses, self.verbs)):
                waiting = None
                if at + 1 < len(parts) and parts[at + 1].link == "otherwise":
                    waiting, parts[at + 1].link = inverted(hung), "and"
                    continue
                if len(clauses) == 1 and clauses[0].condition is None:
                    clauses[0].condition = inverted(hung)
                    continue
            if clauses and condition is None and not part.opens and asks_how(clauses[-1].tokens):
                _ask_on(clauses[-1], tokens, rest)
                continue
            link = "then" if later and clauses and part.link != "otherwise" else part.link
            clause = self._clause(link, rest, hung)
            clause.governed = governing and clause.condition is None
            clause.asks, clause.apart = part.asks, part.apart
            led = waiting or (condition and condition[0].start < rest[0].start)
            governing = bool(led) or clause.governed or link == "otherwise"
            waiting = None
            clauses.append(clause)
        return shared_objects(shared_verbs(self._carried(clauses)), self.verbs)

    def _carried(self, clauses: list[Clause]) -> list[Clause]:
        """A "not" said by itself forbids what follows it: `do NOT, I repeat NOT, purge X`."""
        kept: list[Clause] = []
        denied = False
        for clause in clauses:
            low = [t.low for t in clause.tokens]
            says_not = clause.negated or bool(set(low) & words("guards", "negation_inside"))
            empty = set(low) <= words("guards", "negation_alone")
            if says_not and empty:
                denied = True
                continue
            clause.negated = clause.negated or denied
            denied = False
            kept.append(clause)
        if denied or not kept:
            return clauses
        return kept

    def _clause(self, link: str, tokens: list[Token], condition: list[Token] | None) -> Clause:
        negation, without = leading_negation(tokens), tokens[0].low == "without"
        tokens = strip_leading(tokens[negation:], polite()) or tokens if negation else tokens
        clause = Clause(tokens, link=link, condition=condition, negated=bool(negation))
        clause.without = without
        return clause

    def _parts(self, tokens: list[Token]) -> list[_Part]:
        parts: list[_Part] = []
        link, begin, index, opens, apart = "", 0, 0, False, False
        while index < len(tokens):
            size, next_link = self._boundary(tokens, index, begin)
            if size:
                asks = tokens[index].low == "?"
                parts.append(_Part(link, tokens[begin:index], opens, asks, apart))
                opens, apart = tokens[index].low in _ENDS, tokens[index].low == ","
                link, index = next_link, index + size
                begin = index
            else:
                index += 1
        parts.append(_Part(link, tokens[begin:], opens, apart=apart))
        return [part for part in parts if any(t.kind != "punctuation" for t in part.tokens)]

    def _boundary(self, tokens: list[Token], at: int, begin: int) -> tuple[int, str]:
        """How many tokens separate two clauses here (0: none do), and how they are joined."""
        token = tokens[at]
        if token.low == "." and _abbreviates(tokens, at):
            return 0, ""
        if token.kind == "punctuation" and token.low in _ENDS:
            return self._ended(tokens, at) if at > begin else (0, "")
        if token.low in _LEADS_ON and at > begin and condition_at(tokens, at + 1):
            return 1, "and"
        for link, name in (("otherwise", "otherwise"), ("then", "strong")):
            size = phrase_at(tokens, at, phrases("segment", name))
            if size == 1 and token.low == "else" and at and tokens[at - 1].low in _ELSE:
                continue  # `something else`
            if size and (at > begin or link == "otherwise") and at + size < len(tokens):
                if link == "then" and not self._then(tokens, at, size):
                    continue
                beside = {t.low for t in tokens[at : at + size]} <= _BESIDE
                return size, "and" if beside else link
        if at == begin:
            return 0, ""
        if token.low == "," and self._joint_at(tokens, at + 1):
            return 0, ""
        size = 1 if token.low == "," else phrase_at(tokens, at, phrases("segment", "weak"))
        if size and not _sets(tokens[at + size :]) and self._begins(tokens, at + size, at, begin):
            return size, "and"
        return 0, ""

    def _ended(self, tokens: list[Token], at: int) -> tuple[int, str]:
        """The end of a sentence, with the `then` or `after that` that the next one begins with."""
        size = phrase_at(tokens, at + 1, phrases("segment", "strong"))
        follows = size and at + 1 + size < len(tokens) and self._then(tokens, at + 1, size)
        if not follows or tokens[at].low == "?":
            return 1, "and"
        beside = {t.low for t in tokens[at + 1 : at + 1 + size]} <= _BESIDE
        return 1 + size, "and" if beside else "then"

    def _joint_at(self, tokens: list[Token], at: int) -> bool:
        """True if words that always join clauses follow: `, then …`, `, otherwise …`."""
        size = phrase_at(tokens, at, phrases("segment", "strong"))
        if size and at + size < len(tokens):
            return self._then(tokens, at, size)
        return bool(phrase_at(tokens, at, phrases("segment", "otherwise")))

    def _then(self, tokens: list[Token], at: int, size: int) -> bool:
        if _between_shares(tokens, at, size):
            return False
        if tokens[at].low == "then" and size == 1 and at and tokens[at + 1].low == ",":
            return False  # `fine-tune on it then, 4 epochs`
        if size == 1 and tokens[at].low == "next" and tokens[at + 1].low == "to":
            return False  # `next to what they serve`
        if size == 1 and tokens[at].low in {"next", "also", "plus", "finally"}:
            return self._begins(tokens, at + 1, at, 0)
        return True

    def _begins(self, tokens: list[Token], at: int, before: int, begin: int) -> bool:
        """True if a command, a question or a condition begins at `at`."""
        rest = strip_leading(tokens[at:], polite())
        if not rest:
            return False
        if phrase_at(rest, 0, phrases("segment", "otherwise")):
            return True
        if leading_negation(rest):
            return not _sets_without(rest)
        word = rest[0].low
        if tuple(token.low for token in rest[:2]) in _SETTINGS:
            return False  # `…, label smoothing 0.1` goes on with the wish before
        if condition_at(rest, 0):
            return True
        if self._shown_too(rest, tokens[begin:before]):
            return True
        asks = words("segment", "questions") | _ASKS_SHORT
        if word in asks:
            asked = strip_leading(tokens[begin:before], polite())
            second = bool(asked) and asked[0].low in asks and self._whole_question(rest)
            if tokens[before].low == "," or word in _ASKS_SHORT:
                return second
            if self._goes_on(asked, rest):
                return False
            return len(rest) > 2
        if self._has_outcome(rest):
            return True
        if self._second_alias(rest, tokens[begin:before]):
            return True
        if word not in self.verbs or _names_the_last(rest):
            return False
        return self._is_verb(rest, tokens[begin:before])

    def _goes_on(self, asked: list[Token], rest: list[Token]) -> bool:
        """True for the `and is locked out` of a statement: what is said is said of its subject."""
        first = asked[0].low if asked else ""
        states = bool(asked) and first not in self.verbs | words("segment", "questions")
        following = rest[1].low if len(rest) > 1 else ""
        subject = words("words", "determiners") | words("references", "it") | _THERE
        return states and rest[0].low in _PREDICATES and following not in subject

    def _whole_question(self, rest: list[Token]) -> bool:
        """True for `which approvals are open`, not for `which data`, `when did it last run`."""
        end = next((i for i, t in enumerate(rest) if t.low in {",", "and"}), len(rest))
        low = {t.low for t in rest[:end]}
        verb = rest[0].low in _ASKS_SHORT or bool(low & {"is", "are", "has", "have"})
        return end > 2 and verb and not low & words("references", "it")

    def _has_outcome(self, rest: list[Token]) -> bool:
        """True for `winner becomes champion`, `whichever is best goes to staging`."""
        size = phrase_at(rest, 0, (*phrases("references", "superlative"),
                                   *phrases("segment", "winners")))  # fmt: skip
        return bool(size) and any(t.low in _BECOMES for t in rest[size : size + 3])

    def _second_alias(self, rest: list[Token], left: list[Token]) -> bool:
        """True for `… and challenger of B to v3` after `set staging of A to v2`."""
        first = strip_leading(left, polite())
        alias = alias_of(rest[0].low) is not None and len(rest) > 2 and rest[1].low in _OF
        before = any(alias_of(t.low) is not None for t in left)
        return alias and before and bool(first) and first[0].low in POINTING

    def _shown_too(self, rest: list[Token], left: list[Token]) -> bool:
        """True for `show me the health … and the status …`: a second thing to be shown."""
        first = strip_leading(left, polite())
        nouns = [t.low for t in rest if t.low not in words("words", "determiners")]
        nouns = nouns[2:] if nouns[:2] == ["list", "of"] else nouns
        if first and nouns and nouns[0] in _REPORTS:
            other = {t.low for t in first} & (_REPORTS - {nouns[0]})
            if other:
                return True
        return bool(first and nouns) and first[0].low in SHOWING and nouns[0] in SHOWN

    def _is_verb(self, rest: list[Token], left: list[Token]) -> bool:
        """True if the first word is used as a verb: `and test it`, not `train and test splits`."""
        following = rest[1].low if len(rest) > 1 else ""
        if following in {"split", "splits", "set", "sets", "version", "status", "results"}:
            return following not in {"split", "splits", "set", "sets"} or rest[0].low in {
                "list",
                "show",
            }
        last = left[-1].low if left else ""
        if last in {"the", "a", "an", "of", "between", "both", "with", "champion"}:
            alone = last == "both" and len(left) > 1 and left[-2].low in self.verbs
            return last == "champion" or alone  # `compare both and promote …`
        if rest[0].low in NOUNS:
            if following in OBJECTS or (rest[0].low in _TESTS and following == "on"):
                return True
            named = len(rest) > 1 and rest[1].kind in ("word", "quote", "path")
            return named and following not in words("words", "prepositions")
        return True


_PREDICATES = frozenset(["is", "are", "does", "did", "can"])
_THERE = frozenset(["there", "they", "he", "she", "we", "i", "you", "anyone", "anything"])
_BECOMES = frozenset(["becomes", "goes", "gets", "is", "wins", "takes", "should", "shall"])
_OF = frozenset(["of", "for"])
_ASKS_SHORT = frozenset(["what's", "who's", "how's", "where's", "which's"])
_ELSE = frozenset(["something", "anything", "nothing", "everything", "who", "what", "anyone"])
_BESIDE = frozenset(["and", "also", "plus"])
"""Words after which something more is wanted, in no order."""
_REPORTS = frozenset(["summary", "roi", "risks"])
_TESTS = frozenset(["test", "score", "benchmark"])


def _without_later(tokens: list[Token]) -> tuple[list[Token], bool]:
    """A wish without `afterwards` at its end, and whether it had that."""
    kept = list(tokens)
    while kept and kept[-1].kind == "punctuation" and kept[-1].low not in "%?":
        kept.pop()
    for phrase in phrases("segment", "trailing"):
        start = len(kept) - len(phrase)
        if start > 0 and phrase_at(kept, start, (phrase,)):
            return kept[:start], True
    return tokens, False


def _sets(rest: Sequence[Token]) -> bool:
    """True where a verb only sets how a training goes: `…, stop after 2 epochs`."""
    size = phrase_at(rest, 0, phrases("segment", "setting"))
    return bool(size) and any(t.low in {"epoch", "epochs"} for t in rest[size : size + 3])


def _sets_without(rest: Sequence[Token]) -> bool:
    """True for `without the llm`, a setting of the wish before; `without deploying it` is none."""
    nouns = [t.low for t in rest[1:] if t.low not in words("words", "determiners")]
    return rest[0].low == "without" and bool(nouns) and not nouns[0].endswith("ing")


def _between_shares(tokens: Sequence[Token], at: int, size: int) -> bool:
    """True for `25 then 100 percent`, `25 %, then 50`: steps of one act, not two acts."""
    before = _before_while(tokens, at) - 1
    while before >= 0 and tokens[before].low in _BESIDE_SHARES:
        before -= 1
    after = at + size
    return (
        before >= 0
        and _is_number(tokens, before)
        and after < len(tokens)
        and (_is_number(tokens, after) or _is_rest(tokens, after))
    )


def _before_while(tokens: Sequence[Token], at: int) -> int:
    """Where `for an hour` begins, if it stands right before a place; else the place itself."""
    end = at
    while end and tokens[end - 1].low in {",", "and"}:
        end -= 1
    start = end - 3
    held = start > 0 and tokens[start].low == "for" and tokens[end - 1].low in _WHILES
    return start if held else at


def _is_rest(tokens: Sequence[Token], at: int) -> bool:
    """True for `everyone`, `the rest`, `all of them`, behind which nothing else is done."""
    at += tokens[at].low == "the"
    if at >= len(tokens) or tokens[at].low not in _REST:
        return False
    following = [t.low for t in tokens[at + 1 : at + 3]]
    return not following or following[0] in {".", ",", ";"} or following in _OF_THEM


_WHILES = frozenset(
    ["minute", "minutes", "min", "mins", "hour", "hours", "h", "second", "seconds", "s"]
)
_REST = frozenset(["everyone", "everybody", "all", "everything", "rest"])
_OF_THEM = (["of", "it"], ["of", "them"])


def _is_number(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].kind == "number" or tokens[at].low in fields()["numbers"]


def _abbreviates(tokens: Sequence[Token], at: int) -> bool:
    """True for the point in `no. 7`, `incl. the old ones`."""
    if at > 0 and at + 1 < len(tokens) and tokens[at - 1].low in {"incl", "excl", "approx", "vs"}:
        return True
    number = at + 1 < len(tokens) and tokens[at + 1].kind == "number"
    return number and at > 0 and tokens[at - 1].low in {"no", "nr", "v", "ver", "vers", "rev"}


def _names_the_last(rest: Sequence[Token]) -> bool:
    """True for `call it X`, `optimise for size`: it belongs to what was said before."""
    aim = rest[2].low if len(rest) > 2 and rest[1].low == "for" else ""
    if rest[0].low in {"optimise", "optimize"}:
        return aim in _AIMS
    return rest[0].low in {"call", "name"} and len(rest) > 1


_AIMS = frozenset(["latency", "speed", "size", "quality", "accuracy"])


def _ask_on(question: Clause, tokens: Sequence[Token], part: Sequence[Token]) -> None:
    """Let a part of a sentence belong to the question before it: `how do I roll X back and …`."""
    first, last = question.tokens[0].start, part[-1].end
    question.tokens = [t for t in tokens if first <= t.start and t.end <= last]
    question.claimed = [""] * len(question.tokens)
