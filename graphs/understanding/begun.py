"""`estimate the training and then do it`: what is begun is what was asked about before."""

from __future__ import annotations

import re
from itertools import pairwise

from graphs.understanding import guards
from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.lexicon import fields
from graphs.understanding.link import Linker, link
from graphs.understanding.names import NameView
from graphs.understanding.once_more import once_more

_STARTS_IT = re.compile(
    r"(?:start|begin|run|launch|train|kick off|do) (?:it|that|this|that one|the training)(?: off)?"
    r"(?: then| now| please)*"
)


def begun(reads: list[Read], linker: Linker, names: NameView) -> list[Read]:
    """Reads in which `do it` after an estimate is what was estimated.

    Args:
        reads: the wishes of a sentence.
        linker: finds names.
        names: the catalogue.
    """
    for before, read in pairwise(reads):
        begins = fields()["begins"].get(before.operation or "")
        said = " ".join(t.low for t in read.clause.tokens if t.kind != "punctuation")
        agreed = said == "it" or guards.act(read.clause.tokens) == "yes"
        if same := once_more(read.clause):
            link(same, linker, names)
            read.operation, read.clause, read.goes_on = before.operation, same, True
        elif begins and (
            (read.operation is None and agreed)
            or (read.operation == begins and _STARTS_IT.fullmatch(said))
        ):
            condition = read.clause.condition
            clause = Clause(list(before.clause.tokens), "then", condition=condition)
            link(clause, linker, names)
            read.operation, read.clause = begins, clause
    return reads
