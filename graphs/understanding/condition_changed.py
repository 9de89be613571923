"""`make that 0.88`, after `if accuracy is over 0.85, promote it`: a condition's new bound."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.plan import Plan, Step
from graphs.understanding.clause import strip_leading
from graphs.understanding.conditions import SHARES
from graphs.understanding.lexicon import phrases
from graphs.understanding.text import Token
from graphs.understanding.values import number_at

_UNITS = frozenset(["%", "percent", "please", "instead", "accuracy", "at", "least", "the", "bar"])


def rebounded(tokens: Sequence[Token], waits: Plan | None) -> list[Step] | None:
    """The steps of a plan that waits with another number in its one condition.

    Args:
        tokens: the correction.
        waits: the plan that waits for its yes.

    Returns:
        None if the words say anything beside a share, or there is not one such condition.
    """
    if waits is None:
        return None
    bounds = {str(s.condition.right) for s in waits.steps if s.condition and _is_share(s)}
    said = [t for t in tokens if t.kind != "punctuation" or t.low == "%"]
    led = (*phrases("dialogue", "correction"), *phrases("dialogue", "leading"), *_LED)
    rest = strip_leading(said, led)
    found = number_at(rest, 0) if rest else None
    if len(bounds) != 1 or found is None or not {t.low for t in rest[found[1] :]} <= _UNITS:
        return None
    share = found[0] / 100 if found[0] > 1 else found[0]
    percent = any(t.low in {"%", "percent"} for t in rest)
    if not 0 < share <= 1 or (found[0] > 1 and not percent):
        return None
    return [_with_bound(step, round(share, 6)) if _is_share(step) else step for step in waits.steps]


_LED = (
    ("at", "least"), ("above",), ("over",), ("be", "stricter"), ("be", "a", "bit", "stricter"),
    ("stricter",), ("a", "bit", "stricter"), ("make", "it", "stricter"), ("be", "bolder"),
    ("be", "more", "careful"), ("be", "safe"), ("be", "on", "the", "safe", "side"), ("say",),
    ("rather",), ("better",), ("be", "less", "strict"), ("be", "more", "generous"),
)  # fmt: skip


def _is_share(step: Step) -> bool:
    condition = step.condition
    return (
        condition is not None
        and isinstance(condition.right, float)
        and condition.left.field in SHARES
    )


def _with_bound(step: Step, share: float) -> Step:
    moved = step.model_copy(deep=True)
    if moved.condition is not None:
        moved.condition.right = share
    return moved
