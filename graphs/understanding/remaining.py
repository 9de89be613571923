"""`delete the dataset X and list the ones that remain`: what is listed is of the kind before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from graphs.understanding.clause import Clause
from graphs.understanding.text import tokenise
from tools.kernel.entities import EntityKind

_REMAINING = re.compile(
    r"(?P<verb>list|show|display|give|tell|print)(?P<whom> me| us)? "
    r"(?:(?:the )?(?:ones|those|them)(?: (?:that|which))?"
    r"(?: (?:remain|are left|still remain|stay|remaining))"
    r"|(?:all )?(?:that|what|whatever|those that) (?:remains?|is left|are left|stays?)(?: over)?"
    r"|what's left(?: over)?|the (?:remaining|other) ones|the (?:rest|remainder)(?: of them)?)"
    r"(?: please| then| now| afterwards)*"
)
_KINDS = {
    EntityKind.DATASET: "datasets",
    EntityKind.DEVICE: "devices",
    EntityKind.DEVICE_GROUP: "devices",
    EntityKind.MODEL: "models",
    EntityKind.DOCUMENT: "documents",
    EntityKind.USER: "users",
    EntityKind.SCHEDULE: "schedules",
}
_NOUNS = {
    "dataset": "datasets", "data": "datasets", "device": "devices", "phone": "devices",
    "laptop": "devices", "server": "devices", "model": "models", "document": "documents",
    "user": "users", "account": "users", "schedule": "schedules", "token": "access tokens",
    "freeze": "freezes", "source": "documents", "file": "documents",
}  # fmt: skip


def name_what_remains(clauses: Sequence[Clause]) -> None:
    """Say of what kind the ones that remain are, where the wish before tells.

    Args:
        clauses: the wishes of a sentence, with what they name.
    """
    for before, clause in pairwise(clauses):
        said = " ".join(t.low for t in clause.tokens if t.kind != "punctuation")
        found = _REMAINING.fullmatch(said)
        noun = _noun(before) if found else None
        if found is None or noun is None:
            continue
        start = clause.tokens[0].start
        clause.tokens = tokenise(" " * start + f"list {noun}")
        clause.claimed = [""] * len(clause.tokens)
        clause.mentions = []


def _noun(clause: Clause) -> str | None:
    said = [noun for t in clause.tokens if (noun := _NOUNS.get(t.low.removesuffix("s")))]
    named = [_KINDS[m.kind] for m in clause.mentions if m.kind in _KINDS and m.how == "exact"]
    kinds = list(dict.fromkeys(said or named))
    return kinds[0] if len(kinds) == 1 else None
