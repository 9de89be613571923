"""`if it beats the champion by two points`: typed, decided at run time on real results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graphs.plan import Condition, Step, StepRef
from graphs.understanding.clause import Clause
from graphs.understanding.conditions_of_results import result_said
from graphs.understanding.lexicon import fields, split_phrases, words
from graphs.understanding.text import Token, phrase_at
from graphs.understanding.values import number_at
from graphs.understanding.written import alias_of, read_version
from tools.kernel.operations import OperationSet

SHARES = frozenset(
    ["accuracy", "macro_f1", "validation_accuracy", "ece", "exact", "error_rate", "recall_at_1",
     "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10", "triplet_accuracy"]
)  # fmt: skip
"""Figures between 0 and 1, which are said in percent as well."""
_LIKELY, _WHOLE = 50, 100
"""A number between these that says of what it is none is an accuracy in percent: `above 90`."""
_MARGIN_UNITS = frozenset(["point", "points", "percent", "%", "percentage", "pp"])
_VERSUS: tuple[tuple[str, Literal[">", "<"]], ...] = (("beats", ">"), ("loses", "<"))
_NOT_REAL = frozenset(
    ["possible", "necessary", "needed", "required", "you can", "that is ok", "that's ok"]
)


_ADVERBS = frozenset(
    ["significantly", "clearly", "really", "actually", "noticeably", "measurably", "markedly",
     "truly", "definitely", "indeed", "substantially", "considerably", "visibly", "demonstrably"]
)  # fmt: skip
_LESS = (
    ("less", "than"), ("at", "most"), ("no", "more", "than"), ("under",), ("up", "to"),
    ("fewer", "than"), ("within",), ("at", "the", "most"), ("by", "at", "most"),
)  # fmt: skip
_NOT_MORE = (("not", "more", "than"), ("not", "over"))
_Op = Literal[">", ">=", "<", "<=", "=="]
TURNED: dict[_Op, _Op] = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "=="}


@dataclass
class Wanted:
    """What a condition compares.

    Attributes:
        compare: words of a comparison of two models, if it is one.
        metric: the figure, if it is a threshold.
        op: the comparison.
        right: the number on the right.
        margin: by how much, as a fraction.
        inverted: True for `unless`, and for `is not better`.
        stated: True for a state in words, which holds its own negation.
        subject: the version or the alias that is said to win, if one is.
        side: the model and the version that this is, once the comparison is known.
        loses: True if it is said to lose.
    """

    compare: list[Token] | None
    metric: str
    op: _Op
    right: float = 0.0
    margin: float = 0.0
    inverted: bool = False
    subject: int | str | None = None
    stated: bool = False
    side: dict[str, Any] = field(default_factory=dict[str, Any])
    loses: bool = False

    def seen_from(self, step: Step) -> Wanted:
        """The same as the step measures it: its difference is its first version's advantage."""
        first, second = (step.arguments.get(n) for n in ("version", "other_version"))
        if self.compare is None or self.subject is None or self.subject == first:
            return self
        if self.subject != second:
            return self
        return replace(self, op=TURNED[self.op], margin=-self.margin, subject=first)


def plain(tokens: Sequence[Token]) -> list[Token]:
    """A condition without what adds nothing to it: `turns out significantly better` as `better`."""
    kept: list[Token] = []
    skipped = 0
    for index, token in enumerate(tokens):
        if skipped:
            skipped -= 1
            continue
        skipped = phrase_at(tokens, index, _PROVES)
        if skipped:
            skipped -= 1
            kept.append(replace(token, text="is", low="is"))
        elif token.low not in _ADVERBS:
            kept.append(token)
    return kept


_PROVES = (
    ("turns", "out", "to", "be"), ("turns", "out"), ("turn", "out"), ("turned", "out"),
    ("proves", "to", "be"), ("proves",), ("comes", "out", "as"), ("is", "shown", "to", "be"),
)  # fmt: skip


def read_condition(tokens: list[Token]) -> Wanted | None:
    """What the words of a condition compare; None if they are not understood."""
    inverted = bool(tokens) and tokens[0].low == "unless"
    clause = Clause(list(tokens))
    for name, op in _VERSUS:
        span = clause.find(split_phrases(fields()["versus"][name]))
        subject = _subject(tokens, span[0]) if span else None
        if span is None or _threshold_follows(tokens, span[1], subject is None):
            continue
        bound = _bound(op, tokens, span[1])
        if bound is None:
            return None
        denied = any(_denies(t) for t in tokens[: span[1]])
        return Wanted(tokens, "difference", bound[0], 0.0, bound[1], inverted != denied, subject)
    told = result_said(tokens)
    if told is not None:
        metric, op, right = told
        denied = metric == "winner" and any(_denies(t) for t in tokens)
        return Wanted(None, metric, op, right, inverted=inverted != denied, stated=True)  # type: ignore[arg-type]
    threshold = _state(clause) or _threshold(clause)
    if threshold is None:
        return None
    denied = not threshold.stated and any(_denies(t) for t in tokens)
    threshold.inverted = inverted != denied
    return threshold


def _bound(op: _Op, tokens: Sequence[Token], end: int) -> tuple[_Op, float] | None:
    """How an advantage stands to what bound: to win by an amount, to lose it, or to lose less.

    `beats it by two points` is at least 0.02, `loses by two points` at most -0.02, and `loses less
    than two points` above -0.02. None for `beats it by less than two points`, which is two bounds.

    Args:
        op: of winning or losing.
        tokens: the condition.
        end: where the word for winning or losing ends.
    """
    margin = _margin(tokens)
    less = any(
        phrase_at(tokens, index, _LESS) or (index >= end and phrase_at(tokens, index, _NOT_MORE))
        for index in range(len(tokens))
    )
    if not margin:
        return None if less else (op, 0.0)
    if op == "<":
        return (">" if less else "<="), -margin
    return None if less else (">=", margin)


def _subject(tokens: Sequence[Token], end: int) -> int | str | None:
    """The version that stands before `is better`: `3`, `v3`, `the champion`; no `two points`."""
    for index in range(end - 1, 0, -1):
        token = tokens[index]
        if isinstance(version := read_version(token.low), int):
            return version
        number = number_at(tokens, index)
        if number and tokens[min(number[1], end)].low not in _MARGIN_UNITS:
            return int(number[0])
        if alias := alias_of(token.low):
            return alias
    return None


def _state(clause: Clause) -> Wanted | None:
    """`none of them is silent`: a count of devices, compared with zero."""
    best: tuple[int, str] | None = None
    for said, options in fields()["states"].items():
        if span := clause.find(split_phrases(options)):
            size = span[1] - span[0]
            if best is None or size > best[0]:
                best = (size, said)
    if best is None:
        return None
    return wanted_state(best[1])


def _denies(token: Token) -> bool:
    return token.low in {"not", "never", "cannot"} or token.low.endswith("n't")


def wanted_state(said: str, denied: bool = False) -> Wanted:
    """`silent == 0` as what is compared."""
    metric, op, right = said.split()
    return Wanted(None, metric, op, float(right), inverted=denied, stated=True)  # type: ignore[arg-type]


def affirmed(tokens: Sequence[Token]) -> bool | None:
    """True for `if so`, False for `unless so`; None for conditions that say what they compare."""
    said = " ".join(t.low for t in tokens[1:])
    if said not in words("segment", "affirmed"):
        return None
    return tokens[0].low != "unless"


def succeeds(tokens: list[Token]) -> bool:
    """True for `if that works`: a step runs only when those that it waits for have succeeded."""
    return " ".join(t.low for t in tokens[1:]) in words("segment", "successes")


def is_courtesy(tokens: list[Token]) -> bool:
    """True for `if possible` and the like, which conditions nothing."""
    return " ".join(t.low for t in tokens[1:]) in _NOT_REAL


def typed(wanted: Wanted, step: str, otherwise: bool = False) -> Condition:
    """The condition on a step's result."""
    return Condition(
        left=StepRef(step=step, field=wanted.metric),
        op=wanted.op,
        right=wanted.right,
        margin=wanted.margin,
        otherwise=otherwise != wanted.inverted,
    )


def step_with(metric: str, steps: list[Step], operations: OperationSet) -> str | None:
    """The newest step whose result has the figure."""
    for step in reversed(steps):
        if metric in operations.get(step.operation).output.model_fields:
            return step.id
    return None


def _threshold(clause: Clause) -> Wanted | None:
    metric = _metric(clause)
    op: Any = None
    begin = end = 0
    for sign, options in fields()["comparisons"].items():
        if span := clause.find(split_phrases(options)):
            op, (begin, end) = sign, span
            break
    # the 3 of `the ece of X 3 is below 0.05` is a version
    number = _number(clause.tokens[end:]) or _last_number(clause.tokens[:end], begin)
    if number is None or op is None:
        return None
    value, share = number
    if metric is None and not (share or 0 < value < 1 or _LIKELY <= value < _WHOLE):
        return None
    metric = metric or "accuracy"
    if metric in SHARES and (share or value > 1):
        value /= 100
    return Wanted(None, metric, op, round(value, 6))


def _metric(clause: Clause) -> str | None:
    best: tuple[int, str] | None = None
    for metric, options in fields()["metrics"].items():
        if span := clause.find(split_phrases(options)):
            size = span[1] - span[0]
            if best is None or size > best[0]:
                best = (size, metric)
    return best[1] if best else None


def _number(tokens: list[Token]) -> tuple[float, bool] | None:
    for index in range(len(tokens)):
        if found := number_at(tokens, index):
            after = tokens[found[1]].low if found[1] < len(tokens) else ""
            return found[0], after in _MARGIN_UNITS or after == "per"
    return None


def _last_number(tokens: list[Token], before: int) -> tuple[float, bool] | None:
    """The number right before a place: the 0.9 of `X 3 is at 0.9 or more`."""
    at = max((i for i in range(min(before, len(tokens))) if number_at(tokens, i)), default=0)
    while at and number_at(tokens, at - 1):
        at -= 1
    return _number(tokens[at:])


def _margin(tokens: Sequence[Token]) -> float:
    for index in range(len(tokens)):
        found = number_at(tokens, index)
        if found is None and tokens[index].low == "a":
            found = 1.0, index + 1
        if found and found[1] < len(tokens) and tokens[found[1]].low in _MARGIN_UNITS:
            return round(found[0] / 100, 6)
        if found and index and tokens[index - 1].low == "by" and found[0] < 1:
            return found[0]
    return 0.0


def _threshold_follows(tokens: list[Token], at: int, alone: bool) -> bool:
    """True for `beats 90 percent`, which is a threshold; the 2 of `beats 2` is a version.

    Args:
        tokens: the condition.
        at: where the word for winning or losing ends.
        alone: True if no version stands before it: `beats 90 in accuracy` is a threshold then.
    """
    found = number_at(tokens, at)
    if found is None:
        return False
    after = tokens[found[1]].low if found[1] < len(tokens) else ""
    version = found[0] >= 1 and found[0] == int(found[0]) and after not in {*_MARGIN_UNITS, "per"}
    return not version or (alone and _metric(Clause(tokens)) is not None)
