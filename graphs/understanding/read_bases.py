"""A base model by its folder or its hub id: `fine-tune org/model on tickets`, `from ./bert`."""

from __future__ import annotations

import re

from graphs.understanding.asking import ask
from graphs.understanding.lexicon import words
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind

_DATA = re.compile(r"\.(?:jsonl?|csv|tsv|parquet|txt|md|pdf|html|docx|log|zip)$", re.I)
_LEADS = words("naming", "before_base")
_FAMILY = (
    "gpt|gpt2|gpt4|gpt3|bert|roberta|distilbert|distilroberta|deberta|albert|electra|llama|llama2|llama3"
    "|mistral|mixtral|qwen|qwen2|qwen3|gemma|phi|t5|flan|bart|xlm|falcon|bloom|claude|mpnet|e5|bge|gte"
    "|minilm|smollm|smollm2|smollm3|deepseek|olmo|pythia|modernbert|xlnet|ernie|mamba|codebert|tinybert"
    "|mobilebert|longformer|opt|sbert|gemini|starcoder|codellama|tinyllama|vicuna|alpaca"
)
_KIND = (
    r"base|small|large|tiny|mini|medium|uncased|cased|multilingual|instruct|chat|it|xl|xxl|turbo|4o|nano"
    r"|all|roberta|llama|t5|bert|l6|l12|h384|v?\d[\d.]*[bmk]?"
)
_BASE = re.compile(rf"(?:all-)?(?:{_FAMILY})(?:[-_. ]?(?:{_KIND}))*", re.I)
"""A base model by its usual name, with nothing in it that says what it is to be trained for."""


def unknown_base(r: Reading, said: str) -> bool:
    """Ask for the base model where `fine-tune gpt-4 on …` names one that is not here.

    Returns:
        True if the words name a base model, and so nothing that is to be made.
    """
    name = "base_model"
    if r.kind(name) is not EntityKind.BASE_MODEL or not _BASE.fullmatch(said):
        return False
    if r.open(name) and name not in r.answered():
        known = f"I know no base model called {said!r}."
        r.out.question = ask(r.operation, name, r.scope.names, said=known)
    return True


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
