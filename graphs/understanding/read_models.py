"""Arguments that are models and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphs.understanding.asking import ask
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import resolve_alias, version_names
from graphs.understanding.models import ModelMention, model_mentions
from graphs.understanding.reading import Reading
from tools.kernel.entities import EntityKind, Slot

_MODELS = (EntityKind.MODEL, EntityKind.MODEL_VERSION)


def models(r: Reading) -> None:
    """The model with its version, or the two that are compared."""
    if EntityKind.MODEL not in {s.kind for s in r.slots.values()}:
        return
    if not r.slots.get("model", Slot()).closed:
        return
    if "model" not in r.slots:
        return
    found = _one_with_version(model_mentions(r.clause))
    pairs = [("model", "version"), ("other_model", "other_version")]
    pairs = [p for p in pairs if p[0] in r.fields]
    subject_said = r.referrer.points_at(*_MODELS)
    if len(pairs) == 2:
        _two_models(r, found, subject_said)
        return
    if found and not r.open("model"):
        _version_of_answered(r, found)
        return
    if not found:
        return
    _model_into(r, "model", "version", found[0])
    further = [f for f in found[1:] if f.mention or f.version is not None]
    if r.out.question is None and further and "version" in r.fields:
        _several_models(r, further)


def _version_of_answered(r: Reading, found: Sequence[ModelMention]) -> None:
    """The version that was said with a name that had to be asked about."""
    model = r.out.arguments.get("model")
    for item in found:
        own = item.mention is None or model in {n.name for n in item.mention.names}
        if own and item.version is not None and "version" in r.fields and r.open("version"):
            version = _version_value(r, model, item.version, "version")
            if r.out.question is None:
                r.set("version", version, (item.start, item.end))
            return


def _one_with_version(found: list[ModelMention]) -> list[ModelMention]:
    """A model and its version said apart as one: `the staging alias of X to version 2`."""
    if len(found) != 2 or found[0].mention is None or found[0].version is not None:
        return found
    if found[1].mention is not found[0].mention or found[1].version is None:
        return found
    return [replace(found[0], version=found[1].version, end=found[0].end)]


def _two_models(r: Reading, found: list[ModelMention], subject_said: bool) -> None:
    if len(found) == 1 and subject_said:
        other_side(r, found[0])
        return
    if not found:
        return
    _model_into(r, "model", "version", found[0])
    if len(found) > 1 and r.out.question is None:
        other_side(r, found[1], found[0])


def other_side(r: Reading, item: ModelMention, first: ModelMention | None = None) -> None:
    """The second side of a comparison, from the words that name it."""
    same = first is not None and item.mention is first.mention
    if item.mention is not None and not same:
        _model_into(r, "other_model", "other_version", item)
        if r.out.arguments.get("other_model") == r.out.arguments.get("model"):
            r.out.arguments.pop("other_model", None)
        return
    if item.version is not None:
        model = r.out.arguments.get("model")
        version = _version_value(r, model, item.version, "other_version")
        if r.out.question is None:
            r.set("other_version", version, (item.start, item.end))


def _model_into(r: Reading, slot: str, version_slot: str, item: ModelMention) -> None:
    model: Any = None
    if item.mention is not None:
        first, *others = item.mention.names
        if others:
            said = r.clause.text(item.mention.start, item.mention.end)
            r.ambiguous(slot, said, item.mention.names)
            return
        model = first.name
        if not r.clause.free(item.mention.start, item.mention.end) and slot == "model":
            return
        r.set(slot, model, (item.mention.start, item.mention.end))
    if item.version is not None and version_slot in r.fields and r.open(version_slot):
        if model is None and slot == "model":
            model = _model_for_version(r, item.version)
        version = _version_value(r, model, item.version, version_slot)
        if r.out.question is None:
            r.set(version_slot, version, (item.start, item.end))


def _model_for_version(r: Reading, version: int | str) -> Any:
    """The model of a version that was said without it: the one just spoken of."""
    found = r.referrer.model_of_version()
    if found is not None and r.open("model"):
        r.out.arguments["model"] = found
    return r.out.arguments.get("model")


def _version_value(r: Reading, model: Any, version: int | str, slot: str) -> Any:
    names = r.scope.names
    if isinstance(version, str):
        made = r.referrer.alias_set_earlier(version)
        former = made is not None and r.clause.find(phrases("references", "former")) is not None
        if made is not None and not former:
            return made
        if isinstance(model, str):
            number = resolve_alias(model, version, names)
            if former and number is None:
                r.out.question = ask(r.operation, slot, names, of=model)
            elif number is None and version_names(model, names):
                said = f"{model} has no {version} now."
                r.out.question = ask(r.operation, slot, names, said=said, of=model)
            return number if number is not None else version
        if former:
            r.out.question = ask(r.operation, slot, names)
        return version
    if isinstance(model, str):
        known = version_names(model, names)
        if known and all(entry.name != str(version) for entry in known):
            said = f"{model} has no version {version}."
            r.out.question = ask(r.operation, slot, names, said=said, of=model)
    return version


def _several_models(r: Reading, further: Sequence[ModelMention]) -> None:
    several: list[Any] = []
    for item in further:
        name = item.mention.names[0].name if item.mention else r.out.arguments.get("model")
        version = item.version
        if isinstance(version, str) and name == r.out.arguments.get("model") and _beside(r, item):
            continue
        if isinstance(version, str) and isinstance(name, str):
            version = resolve_alias(name, version, r.scope.names) or version
        if name == r.out.arguments.get("model") and version in (
            None,
            r.out.arguments.get("version"),
        ):
            continue
        if isinstance(version, str) or _is_aside(r, item):
            continue
        if version is not None:
            _version_value(r, name, version, "version")
        if r.out.question is not None:
            return
        several.append({"model": name} | ({"version": version} if version is not None else {}))
        r.clause.claim(item.start, item.end, "model")
    if several:
        r.out.several["model"] = several


def _beside(r: Reading, item: ModelMention) -> bool:
    """True for the `live` of `v4 against what runs there, live`: no further version is meant."""
    before = [t.low for t in r.clause.tokens[: item.start] if t.low not in {"the", "its"}][-1:]
    numbered = isinstance(r.out.arguments.get("version"), int)
    return numbered and not set(before) & {"and", "&", "plus"}


def _is_aside(r: Reading, item: ModelMention) -> bool:
    """True for a model that is only compared with: `instead of v2`, `against the champion`."""
    return r.clause.preposition(item.start) in {
        "of",
        "against",
        "than",
        "with",
        "from",
        "over",
    }


def late_version(r: Reading, model: str) -> None:
    """A version that was read before its model: an alias becomes its number."""
    version = r.out.arguments.get("version")
    if isinstance(version, str):
        found = _version_value(r, model, version, "version")
        r.out.arguments["version"] = found
    elif isinstance(version, int) and any(e.slot == "version" for e in r.out.evidence):
        _version_value(r, model, version, "version")
