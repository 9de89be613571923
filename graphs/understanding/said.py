"""What words themselves say about an operation's arguments; nothing is looked up or asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphs.plan import Step
from graphs.understanding import values
from graphs.understanding.clause import Clause, polite
from graphs.understanding.conversation import ConversationState
from graphs.understanding.fill import fill_said
from graphs.understanding.leftover import field_words, root
from graphs.understanding.lexicon import words
from graphs.understanding.link import version_names
from graphs.understanding.models import model_mentions
from graphs.understanding.names import NameView
from graphs.understanding.reading import Filled, Reading, Scope
from graphs.understanding.written import alias_of
from tools.kernel.operations import Operation


def said_values(
    operation: Operation[Any, Any], clause: Clause, scope: Scope, step: Step
) -> dict[str, Any]:
    """The arguments of an operation that a clause itself says; none if anything is unclear."""
    names = scope.names
    # "the champion" is then the alias to give, not the version that has it
    chosen = says_choice(operation, clause) or _names_alias(operation, clause)
    kept = {} if chosen else _said_version(operation, clause, names, step)
    alone = replace(scope, conversation=ConversationState(), steps=[])
    reading = Reading(operation, clause, alone)
    reading.out = Filled(arguments=dict(kept))
    said = fill_said(reading, with_models="version" not in kept and not chosen)
    if said.question is not None:
        return {}
    free_text = {"question", "query", "topic"}
    return {k: v for k, v in said.arguments.items() if k not in free_text}


def _names_alias(operation: Operation[Any, Any], clause: Clause) -> bool:
    """True for `and for staging?` of an act that is about an alias."""
    said = any(alias_of(token.low) for token in clause.tokens)
    return "alias" in operation.input.model_fields and said and not clause.mentions


def _said_version(
    operation: Operation[Any, Any], clause: Clause, names: NameView, step: Step
) -> dict[str, Any]:
    """The version (and the model, if it is named with it) that a clause says."""
    found = model_mentions(clause)
    if "version" not in operation.input.model_fields or not found or found[0].version is None:
        return {}
    item = found[0]
    model = item.mention.names[0].name if item.mention else step.arguments.get("model")
    known = version_names(model, names) if isinstance(model, str) else []
    said: dict[str, Any] = {}
    if isinstance(item.version, str):
        number = next((n.name for n in known if item.version in n.also), None)
        said["version"] = int(number) if number and number.isdigit() else item.version
    elif not known or any(n.name == str(item.version) for n in known):
        said["version"] = item.version
    if item.mention:
        said["model"] = model
    if said:
        clause.claim(item.start, item.end, "version")
    return said


def says_only_values(
    operation: Operation[Any, Any], clause: Clause, scope: Scope, step: Step
) -> dict[str, Any]:
    """What a clause says, if it says nothing else: `8 epochs and batch size 32`, `on the phones`.

    Returns:
        The arguments; empty if words are left that none of them accounts for.
    """
    said = said_values(operation, clause, scope, step)
    own = field_words(operation) if said else set[str]()
    small = _SUBJECTS | (_LEFT_OUT if "skip_bad_rows" in said else frozenset[str]())
    left = [w for w in unaccounted(clause) if w not in small and root(w) not in own]
    return said if not left else {}


_LEFT_OUT = frozenset(["left", "out", "skipped", "ignored", "dropped", "be", "skip", "go"])
_SUBJECTS = frozenset(
    [
        "rows",
        "whose",
        "which",
        "who",
        "with",
        "have",
        "has",
        "are",
        "is",
        "real",
        "true",
        "only",
        "it",
        "they",
        "them",
        "may",
        "can",
        "should",
        "must",
        "rollout",
        "run",
        "one",
        "ones",
        "those",
    ]
)
"""Small words of a change that says nothing but values: `it may lose 2 points at most`."""


def unaccounted(clause: Clause) -> list[str]:
    """The words of a clause that no argument has used and that carry a meaning of their own."""
    fillers = words("words", "determiners") | words("words", "prepositions")
    fillers |= words("segment", "fillers")
    return [
        token.low
        for token, used in zip(clause.tokens, clause.claimed, strict=True)
        if not used
        and not (token is clause.tokens[0] and token.low in words("segment", "adding"))
        and token.kind != "punctuation"
        and token.low not in fillers
        and (token.low,) not in polite()
    ]


def says_choice(operation: Operation[Any, Any], clause: Clause) -> bool:
    """True if a clause says a value that the operation cannot do without and must be chosen."""
    return any(
        values.read_choice(clause, name, values.choices_of(info)) is not None
        for name, info in operation.input.model_fields.items()
        if info.is_required() and values.choices_of(info)
    )
