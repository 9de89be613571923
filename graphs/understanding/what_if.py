"""Questions about a plan that waits for its yes: what would it do, take or cost? It is tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Step
from graphs.understanding.clause import strip_leading
from graphs.understanding.lexicon import phrases
from graphs.understanding.text import Token

if TYPE_CHECKING:
    from graphs.plan import Plan
    from graphs.understanding.conversation import ConversationState
    from graphs.understanding.understanding import Understanding

_IT = r"(?:it|that|this|(?:the|this|that) plan|all (?:of )?(?:it|that|this)|doing (?:it|that|this))"
_WOULD = r"(?:would|will|does|do|is|could|'s|'ll|'d)"
_ASKED = re.compile(
    rf"""
    what(?:\s{_WOULD})?\s{_IT}\s(?:do|does|change|changes|mean|means|affect|touch|break|cost|take)
    | what\s(?:would|will)\s(?:happen|change|break)
    | what\shappens\s(?:next|if\si\s(?:say\syes|confirm|agree))
    | what\s(?:are|is|'s|would\sbe)\sthe\s(?:risks?|consequences?|effects?|impact)(?:\sof\s{_IT})?
    | (?:any|are\sthere\s(?:any\s)?)\srisks?
    | how\s(?:long|much\stime)(?:\s{_WOULD})?\s{_IT}\s(?:take|need|be)
    | how\s(?:much|many\s\w+|expensive|risky|dangerous|safe|big|costly|slow)
      (?:\s{_WOULD})?\s{_IT}(?:\s(?:cost|be|take|need|use|affect|touch))?
    | (?:is|would|will|'s)\s{_IT}(?:\sbe)?
      \s(?:safe|risky|dangerous|expensive|reversible|a\sgood\sidea)
    | (?:can|could)\s(?:{_IT}\sbe\sundone|i\sundo\s{_IT}|we\sundo\s{_IT})
    | (?:show|tell)\sme\swhat\s{_IT}\s(?:would|will)\s(?:do|change)
    | (?:(?:just|only)\s)?(?:(?:do|make|run|as|try)\s)?(?:(?:it|that)\s)?(?:as\s)?(?:a\s)?
      (?:dry[\s-]?run|simulate|simulation|preview)(?:\s(?:of\s)?{_IT})?
    """,
    re.VERBOSE,
)
_AFTER = re.compile(r"\s(?:first|then|exactly|actually|though|please|pls|roughly|about|now|again)$")


def tried(parser: Understanding, tokens: Sequence[Token], state: ConversationState) -> Plan | None:
    """The plan that waits, to be tried dry; None if the sentence asks for nothing of the kind.

    It goes on waiting: a yes after the answer carries it out.
    """
    waits = state.proposed
    if waits is None or not any(parser.changes(s.operation) for s in waits.steps):
        return None
    plain = strip_leading(list(tokens), phrases("dialogue", "leading"))
    said = " ".join(t.low for t in plain if t.kind != "punctuation")
    said = re.sub(r"\b(what|how|it|that|this)('s|'ll|'d)\b", r"\1 \2", said)
    while (shorter := _AFTER.sub("", said)) != said:
        said = shorter
    return waits if _ASKED.fullmatch(said) else None


_HOW_MUCH = re.compile(
    rf"how (?:long|much|many)\b.*\b{_IT}\b.*"
    r"\b(?:take|takes|need|needs|cost|costs|use|uses|run|last)\b"
    rf"|what(?: all)? (?:would|will|does|do) {_IT} (?:need|require|take|use)\b"
    rf"|(?:does|do|will|would|can|could) {_IT} (?:even |really )?(?:fit|be handled)\b"
    rf"|(?:can|could) (?:this|my|the|our) (?:machine|laptop|box|server) (?:do|handle|take) {_IT}"
)
_ESTIMATE = {"training.start": "training.estimate"}


def estimated(
    parser: Understanding, tokens: Sequence[Token], state: ConversationState
) -> Step | None:
    """The estimate of a training that waits, where it is asked what it takes; else None.

    A yes to the estimate begins the training.
    """
    steps = state.proposed.steps if state.proposed else []
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    by = _ESTIMATE.get(steps[0].operation) if len(steps) == 1 else None
    if by is None or steps[0].schedule is not None or not _HOW_MUCH.search(said):
        return None
    taken = parser.operations.get(by).input.model_fields
    arguments = {n: v for n, v in steps[0].arguments.items() if n in taken}
    return Step(id="s1", operation=by, arguments=arguments)
