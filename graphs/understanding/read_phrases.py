"""Words that nothing has claimed: parts of names, misspellings, names that are unknown."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.asking import ask, known_names
from graphs.understanding.clause import Phrase
from graphs.understanding.lexicon import words
from graphs.understanding.models import UNITS
from graphs.understanding.names import covers, split_name
from graphs.understanding.read_models import late_version
from graphs.understanding.reading import Reading
from graphs.understanding.slips import cut_short
from graphs.understanding.values import number_at
from tools.kernel.entities import EntityKind, EntityName, Slot
from tools.kernel.operations import Effect

_NOT_WORDS = frozenset(
    [
        EntityKind.MODEL_VERSION,
        EntityKind.JOB,
        EntityKind.RECEIPT,
        EntityKind.ROLLOUT,
        EntityKind.APPROVAL,
    ]
)


def leftovers(r: Reading) -> None:
    """Words that nothing has claimed: parts of names, misspellings, names that are unknown."""
    for name, slot in _wanting(r):
        skip = r.scope.verbs
        best: tuple[float, Phrase, list[EntityName], bool] | None = None
        for phrase in _unnamed(r, slot.kind, r.clause.phrases(skip)):
            judged = _judge(r, slot, phrase, r.fields[name].is_required())
            if judged and (best is None or judged[0] > best[0]):
                best = judged
        if best is not None:
            _settle(r, name, slot, best)
        if r.out.question is not None:
            return
    _stranger(r)


def _stranger(r: Reading) -> None:
    """Ask about an unknown name that something is to be compared with: it is not the champion."""
    slot = r.slots.get("other_model")
    if slot is None or not (r.open("other_model") and r.open("other_version")):
        return
    for phrase in _unnamed(r, slot.kind, r.clause.phrases(r.scope.verbs)):
        said = r.clause.tokens[phrase.start : phrase.end]
        if phrase.preposition in _VERSUS and any(t.low not in r.scope.known for t in said):
            _unknown(r, "other_model", slot, r.clause.text(phrase.start, phrase.end), [])
            return


_VERSUS = frozenset(["with", "against", "to", "than", "versus", "vs"])


def _unnamed(r: Reading, kind: EntityKind | None, found: list[Phrase]) -> list[Phrase]:
    """Phrases that do not already name a thing of another kind."""
    others = [m for m in r.clause.mentions if m.kind is not kind and m.how == "exact"]
    return [p for p in found if not any(m.start <= p.start and p.end <= m.end for m in others)]


def _wanting(r: Reading) -> list[tuple[str, Slot]]:
    wanting = [
        (name, slot)
        for name, slot in r.slots.items()
        if slot.kind is not None
        and r.open(name)
        and slot.kind not in _NOT_WORDS
        and not (r.spec(name).get("reader") == "new_name" and not r.fields[name].is_required())
        and not (slot.kind is EntityKind.MODEL and not slot.closed)
        and not (name.startswith("other_") or (r.out.needs and slot.kind is EntityKind.MODEL))
        and not (name == "model" and "job" in r.out.arguments)
    ]
    return sorted(wanting, key=lambda pair: not r.fields[pair[0]].is_required())


def _judge(
    r: Reading, slot: Slot, phrase: Phrase, required: bool
) -> tuple[float, Phrase, list[EntityName], bool] | None:
    assert slot.kind is not None  # noqa: S101 - _wanting gives only slots with a kind
    tokens = r.clause.tokens[phrase.start : phrase.end]
    place = r.role(slot.kind, phrase.start, phrase.end)
    found = r.scope.linker.partial(slot.kind, tokens, r.scope.names)
    if found and slot.kind is EntityKind.SCHEDULE and _of_other_act(r, phrase, found):
        return 3 + place, phrase, found, False
    dangerous = r.operation.effect is Effect.DANGEROUS
    if dangerous and len(found) == 1 and cut_short(tokens, found[0].name):
        return 3 + place, phrase, found, False
    if found:
        return (6 if len(found) == 1 else 5) + place, phrase, found, True
    near = r.scope.linker.near(slot.kind, "".join(t.text for t in tokens), r.scope.names)
    near += [n for n in r.scope.linker.akin(slot.kind, tokens, r.scope.names) if n not in near]
    if near and (required or place > 0):
        return 3 + place, phrase, near, False
    for index in range(phrase.start, phrase.end) if phrase.end - phrase.start > 1 else ():
        one = Phrase(index, index + 1, phrase.preposition, phrase.determiner, phrase.head)
        judged = _judge(r, slot, one, required)
        if judged is not None and judged[2]:
            rest = [t.low for t in tokens if t is not r.clause.tokens[index]]
            covered = not dangerous and set(rest) <= r.scope.known
            return judged if covered else (3 + place, phrase, judged[2], False)
    ordinary = place <= 0 and all(t.low in r.scope.known for t in tokens)
    if place >= 2 or (required and not ordinary and (place > 0 or slot.kind is EntityKind.MODEL)):
        return place, phrase, [], False
    return None


def _of_other_act(r: Reading, phrase: Phrase, found: Sequence[EntityName]) -> bool:
    """True for `the nightly evaluation` where only `nightly-training` is scheduled."""
    following = r.clause.tokens[phrase.end].low if phrase.end < len(r.clause.tokens) else ""
    return following in words("schedule", "acts") and not any(
        following in split_name(name.name) for name in found
    )


def _settle(
    r: Reading, name: str, slot: Slot, best: tuple[float, Phrase, list[EntityName], bool]
) -> None:
    _, phrase, found, sure = best
    span = (phrase.start, phrase.end)
    said = r.clause.text(*span)
    if not found and slot.kind and not covers(r.scope.names, slot.kind):
        r.set(name, r.clause.tokens[phrase.start].text, (phrase.start, phrase.start + 1))
    elif sure and len(found) == 1:
        r.set(name, found[0].name, span)
        if name == "model" and "version" in r.fields and r.open("version"):
            _number_after(r, span[1])
        if name == "model" and "version" in r.fields:
            late_version(r, found[0].name)
    elif sure:
        r.ambiguous(name, said, found)
    else:
        _unknown(r, name, slot, said, found)


def _number_after(r: Reading, at: int) -> None:
    """The version in `tr 9`: a bare number right after a part of a model's name."""
    found = number_at(r.clause.tokens, at)
    if (
        found is None
        or r.clause.tokens[at].low == "one"
        or found[0] != int(found[0])
        or not r.clause.free(at, found[1])
    ):
        return
    after = r.clause.tokens[found[1]].low if found[1] < len(r.clause.tokens) else ""
    if after not in UNITS:
        r.set("version", int(found[0]), (at, found[1]))


def _unknown(r: Reading, name: str, slot: Slot, said: str, near: Sequence[EntityName]) -> None:
    kind = (slot.kind or EntityKind.MODEL).value.replace("_", " ")
    text = f"I know no {kind} called {said!r}."
    candidates = [n.name for n in near] or known_names(slot.kind, r.scope.names)
    if near:
        text += f" Did you mean {near[0].name}?"
    r.out.question = ask(r.operation, name, r.scope.names, said=text, candidates=candidates)
