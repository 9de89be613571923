"""Language models that are named beside our own: `compare ticket-router with gpt-4o-mini`.

They stand in no catalogue; the families that their names begin with tell them. Only the comparison
of many models takes them in, so that a comparison that names one is that one.
"""

from __future__ import annotations

import re
from dataclasses import replace

from graphs.understanding.asking import ask
from graphs.understanding.clause import Clause, Mention
from graphs.understanding.models import model_mentions
from graphs.understanding.reading import Reading
from graphs.understanding.router import Route

FRONTIER = "evaluation.frontier"
_COMPARES = frozenset([FRONTIER, "evaluation.compare", "evaluation.run"])
_NAME = re.compile(
    r"(?:[\w.-]+/)?(?:(?:gpt|chatgpt|claude|gemini|gemma|llama|mistral|mixtral|ministral|qwen|phi"
    r"|deepseek|command|grok)(?=[-.:\d])[\w.:-]*\w|o[134]-\w+)",
    re.I,
)


def external_models(clause: Clause) -> list[tuple[int, str]]:
    """Where language models are named that nothing here is called, and their names."""
    named = {i for m in clause.mentions for i in range(m.start, m.end)}
    return [
        (i, token.text)
        for i, token in enumerate(clause.tokens)
        if i not in named and token.kind in ("word", "path") and _NAME.fullmatch(token.text)
    ]


def compared_by_name(clause: Clause) -> Clause:
    """A clause that compares with `openai/gpt-4o`, in which that is a name and not a file."""
    paths = {i for i, _ in external_models(clause) if clause.tokens[i].kind == "path"}
    if not paths or not any(t.low in _COMPARING for t in clause.tokens):
        return clause
    tokens = [replace(t, kind="word") if i in paths else t for i, t in enumerate(clause.tokens)]
    return replace(clause, tokens=tokens)


_COMPARING = frozenset(
    ["compare", "compares", "compared", "comparison", "vs", "vs.", "versus", "against", "than",
     "beat", "beats"]
)  # fmt: skip


def with_externals(route: Route, clause: Clause) -> Route:
    """The route of a comparison that names a language model: the one that takes it in."""
    if route.operation not in _COMPARES - {FRONTIER} or not external_models(clause):
        return route
    if route.operation == "evaluation.run" and not model_mentions(clause):
        return route
    return replace(route, operation=FRONTIER)


def externals(r: Reading) -> None:
    """The language models that take part beside our own."""
    if "external_models" not in r.fields or not (found := external_models(r.clause)):
        return
    for at, _ in found:
        r.clause.claim(at, at + 1, "external_models")
    r.out.arguments["external_models"] = list(dict.fromkeys(name for _, name in found))
    versions = [m for m in model_mentions(r.clause) if m.version is not None]
    if versions and r.open("model"):
        _all_versions(r, found[0][1], versions[0].mention)


def _all_versions(r: Reading, external: str, mention: Mention | None) -> None:
    """Ask where one version is to be compared: only all of a model are, and none is passed over."""
    said = f"With {external} I compare all versions of a model, not one of them."
    candidates = [n.name for n in mention.names] if mention is not None else None
    r.out.question = ask(r.operation, "model", r.scope.names, said=said, candidates=candidates)
