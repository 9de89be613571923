"""A base model by its folder or its hub id: `fine-tune org/model on tickets`, `from ./bert`."""

from __future__ import annotations

import re

from graphs.understanding.lexicon import words
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind

_DATA = re.compile(r"\.(?:jsonl?|csv|tsv|parquet|txt|md|pdf|html|docx|log|zip)$", re.I)
_LEADS = words("naming", "before_base")


def base_models(r: Reading) -> None:
    """Read a path or a hub id as the model to start from, where one is meant and no data."""
    name = "base_model"
    if r.kind(name) is not EntityKind.BASE_MODEL or not r.open(name):
        return
    tokens = r.clause.tokens
    for at, token in enumerate(tokens):
        if token.kind != "path" or not r.clause.free(at, at + 1) or _DATA.search(token.text):
            continue
        begin = at
        while begin and tokens[begin - 1].low in _LEADS:
            begin -= 1
        leads = begin < at or (at and tokens[at - 1].low in r.scope.verbs)
        if leads:
            r.set(name, token.text, (begin, at + 1))
            return
