"""Arguments that name a dataset, a group, a device, a document, a user, a job or a receipt."""

from __future__ import annotations

import re
from typing import Any

from graphs.understanding import values
from graphs.understanding.asking import ask
from graphs.understanding.clause import Mention
from graphs.understanding.lexicon import fields, lexicon, words
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind, EntityName

_VERSION_FIELDS = frozenset(["version", "other_version", "other_model"])
_NOT_JOBS = frozenset(
    ["%", "percent", "epochs", "epoch", "trials", "times", "minutes", "hours", "days", "passes"]
)


def entities(r: Reading) -> None:
    """Everything in the catalogue but models: datasets, groups, devices, jobs, receipts."""
    for name, slot in r.slots.items():
        if not r.open(name) or slot.kind is None or name in _VERSION_FIELDS:
            continue
        if slot.kind is EntityKind.MODEL and slot.closed:
            continue
        if slot.kind is EntityKind.JOB:
            _job(r, name)
        elif slot.kind is EntityKind.RECEIPT:
            _receipt(r, name)
        elif slot.kind is EntityKind.ROLLOUT:
            _rollout(r, name)
        elif r.spec(name).get("reader") != "new_name":
            _mentioned(r, name, slot.kind)
        if r.out.question is not None:
            return


def _mentioned(r: Reading, name: str, kind: EntityKind) -> None:
    found = [m for m in r.clause.mentions if m.kind is kind and r.clause.free(m.start, m.end)]
    found = [m for m in found if _placed(r, m)]
    if not found:
        return
    scored = sorted(found, key=lambda m: (-r.role(kind, m.start, m.end), m.start))
    best = r.role(kind, scored[0].start, scored[0].end)
    chosen = [
        m for m in scored if r.role(kind, m.start, m.end) >= best - 0.5 or _joined(r, m, scored[0])
    ]
    chosen.sort(key=lambda m: m.start)
    first, *further = chosen
    meant, *others = first.names
    if others:
        r.ambiguous(name, r.clause.text(first.start, first.end), first.names)
        return
    r.set(name, meant.name, (first.start, first.end))
    for mention in further:
        r.clause.claim(mention.start, mention.end, name)
    rest = [m.names[0].name for m in further if m.names[0] != meant]
    if (spoken := _it_and(r, kind, first)) is not None and spoken != meant.name:
        rest = [meant.name, *rest]
        r.set(name, spoken, (first.start - 2, first.end))
        meant = EntityName(spoken)
    rest += _shortened(r, name, kind, chosen[-1], {meant.name, *rest})
    rest += _shortened_before(r, name, kind, chosen[0], {meant.name, *rest})
    if rest:
        _more(r, name, [meant.name, *rest])


def _it_and(r: Reading, kind: EntityKind, first: Mention) -> str | None:
    """The thing spoken of last, where a list begins with it: `retire it and hh-33`."""
    before = [t.low for t in r.clause.tokens[max(first.start - 2, 0) : first.start]]
    if len(before) != 2 or before[0] not in {"it", "that", "this"} or before[1] not in {"and", "&"}:
        return None
    found = r.scope.conversation.newest(kind)
    return found.value if found is not None and isinstance(found.value, str) else None


def _shortened(
    r: Reading, name: str, kind: EntityKind, last: Mention, known: set[str]
) -> list[str]:
    """Further names of which a list says only a part: `edge-dc1 and dc2`."""
    tokens, at, found = r.clause.tokens, last.end, list[str]()
    led = tokens[max(last.start - 1, 0)].low
    while at + 1 < len(tokens) and tokens[at].low in {"and", ",", "&", "or", "plus"}:
        if tokens[at + 1].low == led and at + 2 < len(tokens):
            at += 1  # the preposition is said again
        token = tokens[at + 1]
        if token.kind != "word" or not r.clause.free(at + 1, at + 2):
            break
        meant = r.scope.linker.partial(kind, [token], r.scope.names)
        if token.low in r.scope.known or len(meant) != 1 or meant[0].name in known:
            break
        found.append(meant[0].name)
        r.clause.claim(at, at + 2, name)
        at += 2
    return found


def _shortened_before(
    r: Reading, name: str, kind: EntityKind, first: Mention, known: set[str]
) -> list[str]:
    """A name of which a list says only a part before a whole one: `the kiosks and the tp-lab`."""
    tokens, small = r.clause.tokens, words("words", "determiners")
    joined = first.start - 1
    while joined > 0 and tokens[joined].low in small:
        joined -= 1
    if joined < 1 or tokens[joined].low not in {"and", "&", ","}:
        return []
    for begin in range(max(joined - 2, 0), joined):
        if not r.clause.free(begin, joined) or tokens[begin].low in small | _PREPOSITIONS:
            continue
        meant = r.scope.linker.partial(kind, tokens[begin:joined], r.scope.names)
        if len(meant) == 1 and meant[0].name not in known:
            r.clause.claim(begin, joined + 1, name)
            return [meant[0].name]
    return []


_PREPOSITIONS = words("words", "prepositions")


def _placed(r: Reading, mention: Mention) -> bool:
    """False for a plural guess inside a longer new name: `a ticket router`."""
    if mention.how in ("exact", "slip"):
        return True
    following = r.clause.tokens[mention.end] if mention.end < len(r.clause.tokens) else None
    if following is None or following.kind != "word":
        return True
    return following.low in words("words", "stop") | words("words", "prepositions") | r.scope.verbs


def _joined(r: Reading, mention: Mention, other: Mention) -> bool:
    first, second = sorted((mention, other), key=lambda m: m.start)
    between = {t.low for t in r.clause.tokens[first.end : second.start]}
    led = {t.low for t in r.clause.tokens[max(first.start - 1, 0) : first.start]}
    again = led & words("words", "prepositions")
    return between <= {"and", ",", "the", "or", "&", "as", "well", "both"} | again


def _more(r: Reading, name: str, all_values: list[Any]) -> None:
    each = any(t.low in _APART for t in r.clause.tokens) or _said_again(r, all_values)
    if f"{r.operation.name}.{name}" in fields()["single"]["arguments"] and not each:
        said = "I can use only one at a time."
        r.out.arguments.pop(name)
        r.out.question = ask(
            r.operation,
            name,
            r.scope.names,
            said=said,
            candidates=[str(v) for v in all_values],
        )
    else:
        r.out.several[name] = all_values[1:]


_APART = frozenset(["each", "apiece", "respectively", "separately", "both", "parallel", "side"])


def _said_again(r: Reading, all_values: list[Any]) -> bool:
    """True for `on tickets and on mails`: the preposition stands before each."""
    tokens, named = r.clause.tokens, set[str]()
    for mention in r.clause.mentions:
        if mention.start and any(name.name in all_values for name in mention.names):
            named.add(tokens[mention.start - 1].low)
    return len(named) == 1 and named <= words("words", "prepositions")


def _job(r: Reading, name: str) -> None:
    numbers = _job_numbers(r) or _short_jobs(r) or _known_jobs(r)
    if not numbers:
        return
    known = {entry.name for entry in r.scope.names.names(EntityKind.JOB)}
    first, span = numbers[0]
    if known and str(first) not in known:
        r.out.question = ask(r.operation, name, r.scope.names, said=f"There is no job {first}.")
        return
    r.set(name, first, span)
    for number, place in numbers[1:]:
        r.clause.claim(*place, by=name)
        r.out.several.setdefault(name, []).append(number)


def _short_jobs(r: Reading) -> list[tuple[int, tuple[int, int]]]:
    """Jobs written `j27`."""
    low = [t.low for t in r.clause.tokens]
    return [(int(w[1:]), (i, i + 1)) for i, w in enumerate(low) if re.fullmatch(r"j\d+", w)]


def _known_jobs(r: Reading) -> list[tuple[int, tuple[int, int]]]:
    """Numbers that are jobs, where the word is left out: `is 300 still running`."""
    tokens = r.clause.tokens
    return [
        (int(tokens[m.start].low), (m.start, m.end))
        for m in r.clause.mentions
        if m.kind is EntityKind.JOB and r.clause.free(m.start, m.end)
    ]


def _job_numbers(r: Reading) -> list[tuple[int, tuple[int, int]]]:
    tokens, found = r.clause.tokens, []
    heads = {*lexicon()["kinds"]["job"]["heads"], "jobs", "runs", "trainings", "#"}
    index = 0
    while index < len(tokens):
        if tokens[index].low not in heads or not r.clause.free(index, index + 1):
            index += 1
            continue
        at = index + 1
        while at < len(tokens) and tokens[at].low in {
            "job",
            "number",
            "#",
            "no",
            "nr",
            "run",
            "id",
            ".",
        }:
            at += 1
        while at < len(tokens) and (number := values.number_at(tokens, at)):
            after = tokens[number[1]].low if number[1] < len(tokens) else ""
            if after in _NOT_JOBS:
                break
            found.append((int(number[0]), (index, number[1])))
            at = number[1]
            if at < len(tokens) and tokens[at].low in {"and", ",", "&"}:
                at += 1
        index = max(at, index + 1)
    return found


def _rollout(r: Reading, name: str) -> None:
    """A rollout by its number: they are no names of the catalogue."""
    found = values.read_number(r.clause, r.spec(name), name)
    if found is not None:
        r.set(name, int(found[0]), found[1])


def _receipt(r: Reading, name: str) -> None:
    tokens = r.clause.tokens
    for index, token in enumerate(tokens):
        if token.kind == "word" and token.low[:1] == "r" and token.low[1:].isdigit():
            r.set(name, token.text.upper(), (index, index + 1))
            return
        if token.low in {"receipt", "#"} and (number := values.number_at(tokens, index + 1)):
            r.set(name, f"R{int(number[0])}", (index, number[1]))
            return
