"""What is still missing when all words are read."""

from __future__ import annotations

import re

from graphs.understanding.asking import ask
from graphs.understanding.conversation import kind_of_field
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.newest import TUNING
from graphs.understanding.open_rollouts import open_groups
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect

_SIDES = 2
_MODELS = (EntityKind.MODEL, EntityKind.MODEL_VERSION)


def missing(r: Reading) -> None:
    """Ask for the first argument that is required and was not found."""
    for name, info in r.fields.items():
        if info.is_required() and r.open(name) and _known_already(r, name):
            continue
        if info.is_required() and r.open(name) and _of_open_rollout(r, name):
            if r.out.question is not None:
                return
            continue
        if info.is_required() and r.open(name) and not _comes_later(r, name):
            of = r.out.arguments.get("model")
            trial = name == "job" and r.clause.find(phrases("references", "trial"), free=False)
            r.out.question = ask(
                r.operation,
                name,
                r.scope.names,
                of=of if isinstance(of, str) else None,
                makers=[TUNING] if trial else None,
            )
            return
    if r.open("job") and (
        (r.operation.name in _ON_ONE_JOB and _names_a_subject(r))
        or (r.operation.name == _CANCEL and not {t.low for t in r.clause.tokens} & _ANY_JOB)
    ):
        r.out.question = ask(r.operation, "job", r.scope.names)
        return  # which of its jobs, if any, the catalogue does not tell
    if r.operation.name == _UNDO and r.open("receipt") and _one_of_several(r):
        r.out.question = ask(r.operation, "receipt", r.scope.names)
        return  # `undo the second one` of a list means none that is known here
    if name := _without_amount(r):
        r.out.question = ask(r.operation, name, r.scope.names)
        return
    if r.operation.effect is Effect.DANGEROUS and "percent" in r.fields and _unread_share(r):
        r.out.question = ask(r.operation, "percent", r.scope.names)
        return
    if r.operation.effect is Effect.DANGEROUS and (name := _narrowed(r)):
        r.out.arguments.pop(name)
        r.out.question = ask(r.operation, name, r.scope.names)
        return
    subject = _whole_is_missing(r)
    if subject:
        r.out.question = ask(r.operation, subject, r.scope.names)


def _known_already(r: Reading, name: str) -> bool:
    """True if what was said before tells an argument, which is set then."""
    return _spoken_of(r, name) or _same_one(r, name) or _as_checked(r, name)


def _as_checked(r: Reading, name: str) -> bool:
    """True for the alias of a promotion whose gate was asked about just before, which it gets."""
    if name != "alias" or r.operation.name != "registry.promote":
        return False
    before = [s for plan in r.scope.conversation.recent[:1] for s in plan.steps]
    last = next(iter([*reversed(r.scope.steps), *reversed(before)]), None)
    alias = last.arguments.get("alias") if last and last.operation == _GATE else None
    if alias is not None:
        r.set(name, alias)
    return alias is not None


_GATE = "registry.check_promotion"


def _one_of_several(r: Reading) -> bool:
    """True where one of a list is meant by its place, but not the last one."""
    return r.clause.find(phrases("references", "second_side"), free=False) is not None or any(
        t.low in _PLACES for t in r.clause.tokens
    )


_UNDO = "platform.undo"
_PLACES = frozenset(["first", "third", "fourth", "fifth", "oldest"])
_MORE = re.compile(
    r"\b(?:more|fewer|less|higher|lower|bigger|smaller|larger|longer|greater)"
    r" (?P<what>epochs?|trials?|rank|learning rate|lr|batch(?: size)?|length)\b(?! than)"
)
_AMOUNTS = {
    "epoch": "epochs", "trial": "trials", "lr": "learning_rate", "learning rate": "learning_rate",
    "batch": "batch_size", "batch size": "batch_size", "length": "max_length", "rank": "rank",
}  # fmt: skip


def _without_amount(r: Reading) -> str | None:
    """The argument of which only more or less is wanted: `retrain it with more epochs`."""
    found = _MORE.search(" ".join(token.low for token in r.clause.tokens))
    if found is None or r.operation.effect is Effect.READ:
        return None
    name = _AMOUNTS.get(found["what"].removesuffix("s"), "")
    return name if name in r.fields and r.open(name) else None


_ON_ONE_JOB = frozenset(["training.cancel", "training.pause", "training.resume"])


_CANCEL = "platform.cancel_job"
_ANY_JOB = frozenset(
    ["job", "task", "it", "that", "this", "running", "whatever", "what", "them", "current", "last"]
)
"""Words for the newest job, whatever it does; `cancel the evaluation` means a certain one."""


def _names_a_subject(r: Reading) -> bool:
    """True for `cancel the training of ticket-router`, where the newest may be another's."""
    subjects = (EntityKind.MODEL, EntityKind.DATASET)
    return any(m.kind in subjects and m.how != "partial" for m in r.clause.mentions)


def _narrowed(r: Reading) -> str | None:
    """The argument that a part of a name was taken for, where more was said: `the old one`."""
    tokens = r.clause.tokens
    small = words("words", "stop") | words("words", "determiners")
    more = any(
        token.low == "one" and before.kind == "word" and before.low not in small and not used
        for before, used, token in zip(tokens, r.clause.claimed, tokens[1:], strict=False)
    )
    named = {n.name for m in r.clause.mentions if m.how in ("exact", "slip") for n in m.names}
    guessed = (
        n
        for n, value in r.out.arguments.items()
        if r.kind(n) and isinstance(value, str) and value not in named
    )
    answered = r.answered()
    return next((name for name in guessed if name not in answered), None) if more else None


def _unread_share(r: Reading) -> bool:
    """True for a split that was said and not understood: `sixty-forty`. A default is no answer."""
    number = fields()["numbers"]
    return r.open("percent") and any(
        len(parts := re.split(r"[-/:]", token.low)) == _SIDES
        and all(p in number or p.isdigit() for p in parts)
        for token, used in zip(r.clause.tokens, r.clause.claimed, strict=True)
        if not used
    )


def _spoken_of(r: Reading, name: str) -> bool:
    """True if what is only read is about the thing spoken of last, which then need not be said."""
    kind = r.kind(name)
    if r.operation.effect is not Effect.READ or kind is None:
        return False
    found = r.scope.conversation.newest(kind)
    if found is None or not isinstance(found.value, str | int):
        return False
    r.out.arguments[name] = found.value
    if kind is EntityKind.MODEL and "version" in r.fields and r.open("version"):
        _of_last_version(r, found.value)
    return True


def _of_last_version(r: Reading, model: str | int) -> None:
    """Take the version that the last plan was about, of the same model: `what were the results?`"""
    last = [step for plan in r.scope.conversation.recent[:1] for step in plan.steps][-1:]
    version = last[0].arguments.get("version") if last else None
    if last and last[0].arguments.get("model") == model and isinstance(version, int):
        r.out.arguments["version"] = version


_NUMBERED = frozenset(["experiment"])
"""What is known by a number alone, and stands in no catalogue."""


def _same_one(r: Reading, name: str) -> bool:
    """Take the number of what was spoken of last: `look at experiment 5 and conclude it`."""
    own = (("the", name), ("that", name), ("this", name))
    span = r.clause.find(phrases("references", "it")) or r.clause.find(own)
    if name not in _NUMBERED or span is None:
        return False
    recent = [s for plan in r.scope.conversation.recent for s in reversed(plan.steps)]
    for step in (*reversed(r.scope.steps), *recent):
        made = step in r.scope.steps and step.operation == "evaluation.declare_experiment"
        value = {"step": step.id, "field": name} if made else step.arguments.get(name)
        if value is not None:
            r.set(name, value, span)
            return True
    return False


def _of_open_rollout(r: Reading, name: str) -> bool:
    """Take the group of the one open rollout that is spoken of, or ask which of several."""
    found = None
    if r.kind(name) is EntityKind.DEVICE_GROUP:
        found = open_groups(r.operation.name, r.clause, r.scope.names)
    if found is None:
        return False
    groups, span = found
    if len(groups) == 1:
        r.set(name, groups[0], span)
    else:
        told = f"{len(groups)} rollouts are open."
        r.out.question = ask(r.operation, name, r.scope.names, said=told, candidates=groups)
    return True


def _comes_later(r: Reading, name: str) -> bool:
    return r.out.needs is not None and kind_of_field(r.operation.name, name) in _MODELS


def _whole_is_missing(r: Reading) -> str | None:
    """The slot to ask for where one of several would do, and none was said."""
    subjects = {"model", "job"}
    if not subjects <= set(r.fields) or any(r.fields[name].is_required() for name in subjects):
        return None
    return None if subjects & set(r.out.arguments) or r.out.needs else "model"
