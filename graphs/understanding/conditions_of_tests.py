"""`what does the A/B test say? if the challenger is ahead, …`: which arm of the last test is ahead.

After a look at an A/B test, being ahead is about its two arms: the effect is the challenger's share
of successes less the control's. A version that is named counts as ahead once it is recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.plan import Step
from graphs.understanding.conditions import TURNED, Wanted

_TEST, _COMPARE = "deployment.ab_result", "evaluation.compare"
_CONTROL = frozenset(
    ["champion", "control", "old", "older", "former", "previous", "current", "present", "baseline"]
)


def told_by_test(wanted: Wanted, steps: Sequence[Step]) -> tuple[Wanted, Step] | None:
    """A condition on who is ahead as the A/B test before it tells it.

    Args:
        wanted: what the condition compares.
        steps: what is planned before.

    Returns:
        The condition and the look at the test; None where no test was looked at last, or it does
        not tell this.
    """
    last = next((s for s in reversed(steps) if s.operation in (_TEST, _COMPARE)), None)
    if wanted.compare is None or last is None or last.operation != _TEST:
        return None
    if isinstance(wanted.subject, int):
        if wanted.op != ">":
            return None
        told = replace(wanted, compare=None, metric="winner", op="==", right=float(wanted.subject))
        return replace(told, subject=None, stated=True), last
    turned = any(token.low in _CONTROL for token in wanted.compare[: _first_half(wanted)])
    op, margin = (TURNED[wanted.op], 0.0 - wanted.margin) if turned else (wanted.op, wanted.margin)
    told = replace(wanted, compare=None, metric="effect", op=op, margin=margin, subject=None)
    return told, last


def _first_half(wanted: Wanted) -> int:
    """Where what is ahead ends: the control is named before its verb, or is what is beaten."""
    said = wanted.compare or []
    verb = next((i for i, t in enumerate(said) if t.low in _VERBS), len(said))
    return verb


_VERBS = frozenset(
    ["is", "beats", "wins", "won", "leads", "does", "scores", "outperforms", "comes", "loses",
     "better", "ahead", "worse", "has", "performs", "beat", "looks", "tops"]
)  # fmt: skip
