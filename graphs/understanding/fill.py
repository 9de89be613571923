"""The arguments of one operation from the words of one clause, or the one question that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo

from graphs.plan import Question, Step
from graphs.understanding import values
from graphs.understanding.asking import ask, known_names
from graphs.understanding.clause import Clause, Mention, Phrase, join
from graphs.understanding.conversation import ConversationState, kind_of_field
from graphs.understanding.lexicon import fields, lexicon, split_phrases, words
from graphs.understanding.link import Linker, resolve_alias, version_names
from graphs.understanding.models import ModelMention, model_mentions
from graphs.understanding.names import NameView, covers
from graphs.understanding.refer import Referrer
from graphs.understanding.text import slug
from tools.kernel.entities import EntityKind, EntityName, Slot
from tools.kernel.operations import Effect, Operation

_MODELS = (EntityKind.MODEL, EntityKind.MODEL_VERSION)


@dataclass
class Evidence:
    """Which words led to an argument."""

    slot: str
    start: int
    end: int
    text: str


@dataclass
class Filled:
    """What was read.

    Attributes:
        arguments: the arguments found.
        question: what is missing or unclear, if anything is.
        several: for one argument, further values that make further steps.
        needs: a kind that must be made before the step can run, and what there is for it.
        evidence: the words behind each argument.
    """

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    question: Question | None = None
    several: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    needs: tuple[EntityKind, dict[str, Any]] | None = None
    evidence: list[Evidence] = field(default_factory=list[Evidence])


@dataclass
class Scope:
    """Beside the words: the catalogue, the conversation, the steps before, what was answered."""

    names: NameView
    linker: Linker
    conversation: ConversationState
    steps: list[Step]
    answers: dict[str, Any]
    verbs: frozenset[str]
    operations: Any
    known: frozenset[str] = frozenset()
    whole: str = ""


class Filler:
    """Reads one operation's arguments; made anew for each clause."""

    def __init__(self, operation: Operation[Any, Any], clause: Clause, scope: Scope) -> None:
        self.operation = operation
        self.clause = clause
        self.scope = scope
        self.out = Filled()
        self.fields: dict[str, FieldInfo] = operation.input.model_fields
        self.slots = operation.slots
        self.referrer = Referrer(
            operation, clause, scope.steps, scope.conversation, scope.operations
        )

    def fill(self) -> Filled:
        """Read everything there is to read."""
        for name, value in self._answered().items():
            self.out.arguments[name] = value
        for reader in (
            self._texts, self._choices_first, self._models, self._numbers, self._choices,
            self._entities, self._references, self._phrases, self._new_names,
        ):  # fmt: skip
            reader()
            if self.out.question is not None:
                return self.out
        self._missing()
        if isinstance(model := self.out.arguments.get("model"), str):
            self._late_version(model)
        return self.out

    def read_said(self, models: bool = True) -> None:
        """Read only what the words say: nothing is asked for, nothing pointed at is looked up."""
        readers = [self._periods, self._numbers, self._choices, self._entities, self._phrases]
        for reader in [self._models, *readers] if models else readers:
            reader()
            if self.out.question is not None:
                return

    def _periods(self) -> None:
        for name in self.fields:
            if self._spec(name).get("reader") == "period":
                if period := values.read_period(self.clause):
                    self._set(name, *period)

    # what was answered

    def _answered(self) -> dict[str, Any]:
        prefix = f"{self.operation.name}."
        return {
            key.removeprefix(prefix): value
            for key, value in self.scope.answers.items()
            if key.startswith(prefix)
        }

    def _spec(self, name: str) -> dict[str, Any]:
        table = fields()
        own = table["operations"]
        return (
            own.get(self.operation.name, {}).get(name)
            or own.get(self.operation.domain, {}).get(name)
            or table["fields"].get(name, {})
        )

    def _set(self, name: str, value: Any, span: tuple[int, int] | None = None) -> None:
        self.out.arguments[name] = value
        if span is not None and span[1] > span[0]:
            self.clause.claim(span[0], span[1], name)
            text = self.clause.text(*span)
            first, last = self.clause.tokens[span[0]], self.clause.tokens[span[1] - 1]
            self.out.evidence.append(Evidence(name, first.start, last.end, text))

    def _open(self, name: str) -> bool:
        return name not in self.out.arguments

    # readers, in the order in which they claim words

    def _texts(self) -> None:
        for name in self.fields:
            reader = self._spec(name).get("reader")
            if not self._open(name):
                continue
            if reader == "path" and (found := values.read_path(self.clause)):
                self._set(name, *found)
            elif reader == "new_name" and (
                given := values.read_new_name(self.clause, self._names_with_as(name))
            ):
                if given[0] not in _ALIAS_WORDS:
                    self._set(name, self._known_as(name, given[0]), given[1])
            elif reader == "whole":
                self._set(name, self.scope.whole.strip())
            elif reader == "query":
                self._query(name)
            elif reader == "period" and (period := values.read_period(self.clause)):
                self._set(name, *period)
            elif reader == "flag" and (flag := values.read_flag(self.clause, self._spec(name))):
                self._set(name, *flag)
            elif reader == "topic":
                self._topic(name)

    def _names_with_as(self, name: str) -> bool:
        return bool(self._spec(name).get("as")) or self.operation.name == "datasets.add"

    def _known_as(self, name: str, said: str) -> str:
        slot = self.slots.get(name)
        if slot is None or slot.kind is None:
            return said
        from tools.kernel.entities import fold

        exact = self.scope.linker.index(slot.kind, self.scope.names).exact(fold(said))
        return exact[0].name if exact else said

    def _query(self, name: str) -> None:
        tokens = self.clause.tokens
        quoted = next((i for i, t in enumerate(tokens) if t.kind == "quote"), None)
        if quoted is not None:
            self._set(name, tokens[quoted].text, (quoted, quoted + 1))
            return
        span = self.clause.find(_SEARCHING)
        start = span[1] if span else 0
        while start < len(tokens) and tokens[start].kind == "punctuation":
            start += 1
        end = len(tokens)
        for number in range(start, end):
            if tokens[number].low in {"top", "best", "limit"} and number > start:
                end = number
                break
        while end > start and tokens[end - 1].kind == "punctuation":
            end -= 1
        if end > start:
            tail = self.clause.find(_IN_DOCUMENTS)
            if tail and tail[1] >= end and tail[0] > start:
                end = tail[0]
            self._set(name, join(tokens[start:end]), (start, end))

    def _topic(self, name: str) -> None:
        span = self.clause.find(_HELP_ON)
        if span and span[1] < len(self.clause.tokens):
            end = len(self.clause.tokens)
            while end > span[1] and self.clause.tokens[end - 1].kind == "punctuation":
                end -= 1
            if end > span[1]:
                self._set(name, join(self.clause.tokens[span[1] : end]), (span[1], end))

    def _choices_first(self) -> None:
        """A required choice claims its words before models do (`make it the challenger`)."""
        for name, info in self.fields.items():
            if self._open(name) and info.is_required() and values.choices_of(info):
                self._choice(name, info)

    def _choices(self) -> None:
        for name, info in self.fields.items():
            if self._open(name) and values.choices_of(info):
                self._choice(name, info)

    def _choice(self, name: str, info: FieldInfo) -> None:
        if name == "alias" and self._last_alias(name, info):
            return
        found = values.read_choice(self.clause, name, values.choices_of(info))
        if found:
            self._set(name, *found)

    def _last_alias(self, name: str, info: FieldInfo) -> bool:
        """`promote the challenger to champion`: the alias after `to` is what is set."""
        tokens = self.clause.tokens
        found: list[tuple[str, tuple[int, int]]] = []
        for index in range(len(tokens)):
            part = Clause(tokens[index : index + 1])
            if one := values.read_choice(part, name, values.choices_of(info)):
                found.append((one[0], (index, index + 1)))
        if len(found) < 2:
            return False
        by_to = [f for f in found if self.clause.preposition(f[1][0]) in {"to", "as", "into"}]
        chosen = by_to[-1] if by_to else found[-1]
        after = {t.low for t in tokens[chosen[1][1] :]}
        if not by_to and "should" in {t.low for t in tokens}:
            chosen = found[0] if "of" in after and found[0][1][0] < 3 else found[-1]
        self._set(name, *chosen)
        return True

    def _models(self) -> None:
        if EntityKind.MODEL not in {s.kind for s in self.slots.values()}:
            return
        if not self.slots.get("model", Slot()).closed:
            return
        if "model" not in self.slots:
            return
        found = model_mentions(self.clause)
        pairs = [("model", "version"), ("other_model", "other_version")]
        pairs = [p for p in pairs if p[0] in self.fields]
        subject_said = self.referrer.points_at(*_MODELS)
        if len(pairs) == 2:
            self._two_models(found, subject_said)
            return
        if not found or not self._open("model"):
            return
        self._model_into("model", "version", found[0])
        further = [f for f in found[1:] if f.mention or f.version is not None]
        if self.out.question is None and further and "version" in self.fields:
            self._several_models(further)

    def _two_models(self, found: list[ModelMention], subject_said: bool) -> None:
        if len(found) == 1 and subject_said:
            self._other_model(found[0], None)
            return
        if not found:
            return
        self._model_into("model", "version", found[0])
        if len(found) > 1 and self.out.question is None:
            self._other_model(found[1], found[0])

    def _other_model(self, item: ModelMention, first: ModelMention | None) -> None:
        same = first is not None and item.mention is first.mention
        if item.mention is not None and not same:
            self._model_into("other_model", "other_version", item)
            if self.out.arguments.get("other_model") == self.out.arguments.get("model"):
                self.out.arguments.pop("other_model", None)
            return
        if item.version is not None:
            model = self.out.arguments.get("model")
            version = self._version_value(model, item.version, "other_version")
            if self.out.question is None:
                self._set("other_version", version, (item.start, item.end))

    def _model_into(self, slot: str, version_slot: str, item: ModelMention) -> None:
        model: Any = None
        if item.mention is not None:
            if len(item.mention.names) > 1:
                self._ambiguous(
                    slot, self.clause.text(item.mention.start, item.mention.end), item.mention.names
                )
                return
            model = item.mention.names[0].name
            if not self.clause.free(item.mention.start, item.mention.end) and slot == "model":
                return
            self._set(slot, model, (item.mention.start, item.mention.end))
        if item.version is not None and version_slot in self.fields and self._open(version_slot):
            if model is None and slot == "model":
                model = self._model_for_version(item.version)
            version = self._version_value(model, item.version, version_slot)
            if self.out.question is None:
                self._set(version_slot, version, (item.start, item.end))

    def _model_for_version(self, version: int | str) -> Any:
        """The model of a version that was said without it: the one just spoken of."""
        found = self.referrer.model_of_version()
        if found is not None and self._open("model"):
            self.out.arguments["model"] = found
        return self.out.arguments.get("model")

    def _version_value(self, model: Any, version: int | str, slot: str) -> Any:
        names = self.scope.names
        if isinstance(version, str):
            made = self.referrer.alias_set_earlier(version)
            if made is not None:
                return made
            if isinstance(model, str):
                number = resolve_alias(model, version, names)
                return number if number is not None else version
            return version
        if isinstance(model, str):
            known = version_names(model, names)
            if known and all(entry.name != str(version) for entry in known):
                said = f"{model} has no version {version}."
                self.out.question = ask(self.operation, slot, names, said=said, of=model)
        return version

    def _several_models(self, further: Sequence[ModelMention]) -> None:
        several: list[Any] = []
        for item in further:
            name = item.mention.names[0].name if item.mention else self.out.arguments.get("model")
            version = item.version
            if isinstance(version, str) and isinstance(name, str):
                version = resolve_alias(name, version, self.scope.names) or version
            if name == self.out.arguments.get("model") and version in (
                None,
                self.out.arguments.get("version"),
            ):
                continue
            if isinstance(version, str) or self._is_aside(item):
                continue
            several.append({"model": name} | ({"version": version} if version is not None else {}))
            self.clause.claim(item.start, item.end, "model")
        if several:
            self.out.several["model"] = several

    def _is_aside(self, item: ModelMention) -> bool:
        """True for a model that is only compared with: `instead of v2`, `against the champion`."""
        return self.clause.preposition(item.start) in {
            "of",
            "against",
            "than",
            "with",
            "from",
            "over",
        }

    def _numbers(self) -> None:
        for name, info in self.fields.items():
            if not self._open(name):
                continue
            spec = self._spec(name)
            if spec.get("reader") == "percent":
                if found := values.read_percent(self.clause):
                    self._set(name, values.as_number(found[0], info), found[1])
            elif values.bare_type(info) in (int, float) and self._kind(name) is None and spec:
                if read := values.read_number(self.clause, spec):
                    self._set(name, values.as_number(read[0], info), read[1])

    def _kind(self, name: str) -> EntityKind | None:
        slot = self.slots.get(name)
        return slot.kind if slot else None

    def _entities(self) -> None:
        for name, slot in self.slots.items():
            if not self._open(name) or slot.kind is None or name in _VERSION_FIELDS:
                continue
            if slot.kind is EntityKind.MODEL and slot.closed:
                continue
            if slot.kind is EntityKind.JOB:
                self._job(name)
            elif slot.kind is EntityKind.RECEIPT:
                self._receipt(name)
            elif self._spec(name).get("reader") != "new_name":
                self._mentioned(name, slot.kind)
            if self.out.question is not None:
                return

    def _mentioned(self, name: str, kind: EntityKind) -> None:
        found = [
            m for m in self.clause.mentions if m.kind is kind and self.clause.free(m.start, m.end)
        ]
        found = [m for m in found if self._placed(m)]
        if not found:
            return
        scored = sorted(found, key=lambda m: (-self._role(kind, m.start, m.end), m.start))
        best = self._role(kind, scored[0].start, scored[0].end)
        chosen = [
            m
            for m in scored
            if self._role(kind, m.start, m.end) >= best - 0.5 or self._joined(m, scored[0])
        ]
        chosen.sort(key=lambda m: m.start)
        first = chosen[0]
        if len(first.names) > 1:
            self._ambiguous(name, self.clause.text(first.start, first.end), first.names)
            return
        self._set(name, first.names[0].name, (first.start, first.end))
        rest = [m.names[0].name for m in chosen[1:] if m.names[0].name != first.names[0].name]
        for mention in chosen[1:]:
            self.clause.claim(mention.start, mention.end, name)
        if rest:
            self._more(name, [first.names[0].name, *rest])

    def _placed(self, mention: Mention) -> bool:
        """False for a plural guess inside a longer new name: `a ticket router`."""
        if mention.how == "exact":
            return True
        following = (
            self.clause.tokens[mention.end] if mention.end < len(self.clause.tokens) else None
        )
        if following is None or following.kind != "word":
            return True
        return (
            following.low
            in words("words", "stop") | words("words", "prepositions") | self.scope.verbs
        )

    def _joined(self, mention: Mention, other: Mention) -> bool:
        first, second = sorted((mention, other), key=lambda m: m.start)
        between = {t.low for t in self.clause.tokens[first.end : second.start]}
        return between <= {"and", ",", "the", "or", "&", "as", "well", "both"}

    def _more(self, name: str, all_values: list[Any]) -> None:
        if f"{self.operation.name}.{name}" in fields()["single"]["arguments"]:
            said = "I can use only one at a time."
            self.out.arguments.pop(name)
            self.out.question = ask(
                self.operation,
                name,
                self.scope.names,
                said=said,
                candidates=[str(v) for v in all_values],
            )
        else:
            self.out.several[name] = all_values[1:]

    def _role(self, kind: EntityKind, start: int, end: int) -> float:
        entry = lexicon()["kinds"].get(kind.value, {})
        score = float(entry.get("prepositions", {}).get(self.clause.preposition(start), 0))
        if self.clause.head(start, end) in entry.get("heads", []):
            score += 2.5
        return score

    def _job(self, name: str) -> None:
        numbers = self._job_numbers()
        if not numbers:
            return
        known = {entry.name for entry in self.scope.names.names(EntityKind.JOB)}
        first, span = numbers[0]
        if known and str(first) not in known:
            self.out.question = ask(
                self.operation, name, self.scope.names, said=f"There is no job {first}."
            )
            return
        self._set(name, first, span)
        for number, place in numbers[1:]:
            self.clause.claim(*place, by=name)
            self.out.several.setdefault(name, []).append(number)

    def _job_numbers(self) -> list[tuple[int, tuple[int, int]]]:
        tokens, found = self.clause.tokens, []
        heads = {*lexicon()["kinds"]["job"]["heads"], "jobs", "runs", "trainings", "#"}
        index = 0
        while index < len(tokens):
            if tokens[index].low not in heads or not self.clause.free(index, index + 1):
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

    def _receipt(self, name: str) -> None:
        tokens = self.clause.tokens
        for index, token in enumerate(tokens):
            if token.kind == "word" and token.low[:1] == "r" and token.low[1:].isdigit():
                self._set(name, token.text.upper(), (index, index + 1))
                return
            if token.low in {"receipt", "#"} and (number := values.number_at(tokens, index + 1)):
                self._set(name, f"R{int(number[0])}", (index, number[1]))
                return

    def _references(self) -> None:
        """ "it", "that version", "the last job": from the steps before and what is in focus."""
        self.referrer.resolve(self.out)

    def _phrases(self) -> None:
        """Words that nothing has claimed: parts of names, misspellings, names that are unknown."""
        for name, slot in self._wanting():
            skip = self.scope.verbs
            best: tuple[float, Phrase, list[EntityName], bool] | None = None
            for phrase in self._unnamed(slot.kind, self.clause.phrases(skip)):
                judged = self._judge(slot, phrase, self.fields[name].is_required())
                if judged and (best is None or judged[0] > best[0]):
                    best = judged
            if best is not None:
                self._settle(name, slot, best)
            if self.out.question is not None:
                return

    def _unnamed(self, kind: EntityKind | None, found: list[Phrase]) -> list[Phrase]:
        """Phrases that do not already name a thing of another kind."""
        others = [m for m in self.clause.mentions if m.kind is not kind and m.how == "exact"]
        return [p for p in found if not any(m.start <= p.start and p.end <= m.end for m in others)]

    def _wanting(self) -> list[tuple[str, Slot]]:
        wanting = [
            (name, slot)
            for name, slot in self.slots.items()
            if slot.kind is not None
            and self._open(name)
            and slot.kind not in _NOT_WORDS
            and not (slot.kind is EntityKind.MODEL and not slot.closed)
            and not (name.startswith("other_") or self.out.needs)
            and not (name == "model" and "job" in self.out.arguments)
        ]
        return sorted(wanting, key=lambda pair: not self.fields[pair[0]].is_required())

    def _judge(
        self, slot: Slot, phrase: Phrase, required: bool
    ) -> tuple[float, Phrase, list[EntityName], bool] | None:
        assert slot.kind is not None  # noqa: S101 - _wanting gives only slots with a kind
        tokens = self.clause.tokens[phrase.start : phrase.end]
        place = self._role(slot.kind, phrase.start, phrase.end)
        found = self.scope.linker.partial(slot.kind, tokens, self.scope.names)
        if found:
            return (6 if len(found) == 1 else 5) + place, phrase, found, True
        near = self.scope.linker.near(slot.kind, "".join(t.text for t in tokens), self.scope.names)
        if near and (required or place > 0):
            return 3 + place, phrase, near, False
        for index in range(phrase.start, phrase.end) if phrase.end - phrase.start > 1 else ():
            one = Phrase(index, index + 1, phrase.preposition, phrase.determiner, phrase.head)
            judged = self._judge(slot, one, required)
            if judged is not None and judged[2]:
                rest = [t.low for t in tokens if t is not self.clause.tokens[index]]
                covered = (
                    self.operation.effect is not Effect.DANGEROUS and set(rest) <= self.scope.known
                )
                return judged if covered else (3 + place, phrase, judged[2], False)
        if place >= 2 or (required and (place > 0 or slot.kind is EntityKind.MODEL)):
            return place, phrase, [], False
        return None

    def _settle(
        self, name: str, slot: Slot, best: tuple[float, Phrase, list[EntityName], bool]
    ) -> None:
        _, phrase, found, sure = best
        span = (phrase.start, phrase.end)
        said = self.clause.text(*span)
        if not found and slot.kind and not covers(self.scope.names, slot.kind):
            self._set(name, self.clause.tokens[phrase.start].text, (phrase.start, phrase.start + 1))
        elif sure and len(found) == 1:
            self._set(name, found[0].name, span)
            if name == "model" and "version" in self.fields:
                self._late_version(found[0].name)
        elif sure:
            self._ambiguous(name, said, found)
        else:
            self._unknown(name, slot, said, found)

    def _late_version(self, model: str) -> None:
        """A version that was read before its model: an alias becomes its number."""
        version = self.out.arguments.get("version")
        if isinstance(version, str):
            number = resolve_alias(model, version, self.scope.names)
            self.out.arguments["version"] = number if number is not None else version
        elif isinstance(version, int) and any(e.slot == "version" for e in self.out.evidence):
            self._version_value(model, version, "version")

    def _ambiguous(self, name: str, said: str, found: Sequence[EntityName]) -> None:
        text = f"{said!r} may mean several things."
        self.out.question = ask(
            self.operation,
            name,
            self.scope.names,
            said=text,
            candidates=[n.name for n in found[:8]],
        )

    def _unknown(self, name: str, slot: Slot, said: str, near: Sequence[EntityName]) -> None:
        kind = (slot.kind or EntityKind.MODEL).value.replace("_", " ")
        text = f"I know no {kind} called {said!r}."
        candidates = [n.name for n in near] or known_names(slot.kind, self.scope.names)
        if near:
            text += f" Did you mean {near[0].name}?"
        self.out.question = ask(
            self.operation, name, self.scope.names, said=text, candidates=candidates
        )

    def _new_names(self) -> None:
        """Names for what is made: `a ticket router` becomes `ticket-router`."""
        for name in self.fields:
            spec = self._spec(name)
            if not self._open(name) or spec.get("reader") != "new_name":
                continue
            if spec.get("of") == "verb object":
                self._object_name(name)
            elif spec.get("bare"):
                self._bare_name(name)

    def _object_name(self, name: str) -> None:
        known = [
            m
            for m in self.clause.mentions
            if m.kind is EntityKind.MODEL and self.clause.free(m.start, m.end)
        ]
        if known and known[0].how == "exact":
            self._set(name, known[0].names[0].name, (known[0].start, known[0].end))
            return
        tokens = self.clause.tokens
        making = self._spec(name)["after"]
        index = next((i + 1 for i, t in enumerate(tokens) if t.low in making), len(tokens))
        while index < len(tokens) and tokens[index].low not in words("words", "determiners"):
            if tokens[index].low in words("words", "prepositions"):
                return
            if not self.clause.claimed[index] and tokens[index].low not in _EMPTY:
                break
            index += 1
        while index < len(tokens) and tokens[index].low in words("words", "determiners"):
            index += 1
        end = index
        while end < len(tokens) and tokens[end].kind == "word" and not self.clause.claimed[end]:
            if tokens[end].low in _NAME_ENDS:
                break
            end += 1
        said = [t.low for t in tokens[index:end]]
        while said and said[0] in _NOT_IN_NAMES:
            said, index = said[1:], index + 1
        if said and len(said) < 5 and not set(said) <= _GENERIC:
            self._set(name, slug(said), (index, end))

    def _bare_name(self, name: str) -> None:
        tokens = self.clause.tokens
        candidates: list[tuple[float, int]] = []
        for index, token in enumerate(tokens):
            if self.clause.claimed[index] or token.kind not in ("word", "quote"):
                continue
            if token.low in _EMPTY or token.low in self.scope.verbs or token.low in _GENERIC:
                continue
            score = 2.0 if any(c in token.text for c in "-_0123456789") else 0.0
            before = tokens[index - 1].low if index else ""
            score += 1.5 if before in {"user", "device", "account", "for", ":", *_PROFILES} else 0.0
            score += 0.5 if index <= 3 else 0.0
            candidates.append((score, -index))
        if candidates:
            best = -max(candidates)[1]
            self._set(name, tokens[best].text, (best, best + 1))

    def _missing(self) -> None:
        for name, info in self.fields.items():
            if info.is_required() and self._open(name) and not self._comes_later(name):
                of = self.out.arguments.get("model")
                self.out.question = ask(
                    self.operation, name, self.scope.names, of=of if isinstance(of, str) else None
                )
                return
        subject = self._whole_is_missing()
        if subject:
            self.out.question = ask(self.operation, subject, self.scope.names)

    def _comes_later(self, name: str) -> bool:
        return self.out.needs is not None and kind_of_field(self.operation.name, name) in _MODELS

    def _whole_is_missing(self) -> str | None:
        """The slot to ask for where one of several would do, and none was said."""
        if {"model", "job"} <= set(self.fields) and not self.fields["model"].is_required():
            if not {"model", "job"} & set(self.out.arguments) and not self.out.needs:
                if not self.fields["job"].is_required():
                    return "model"
        return None


_VERSION_FIELDS = frozenset(["version", "other_version", "other_model"])
_NOT_WORDS = frozenset(
    [EntityKind.MODEL_VERSION, EntityKind.JOB, EntityKind.RECEIPT, EntityKind.ROLLOUT, EntityKind.APPROVAL]
)  # fmt: skip
_ALIAS_WORDS = frozenset(["champion", "challenger", "staging", "production"])
_NOT_JOBS = frozenset(
    ["%", "percent", "epochs", "epoch", "trials", "times", "minutes", "hours", "days", "passes"]
)
_PROFILES = frozenset(["phone", "laptop", "server", "named", "called", "name", "user"])
_GENERIC = frozenset(
    ["model", "models", "classifier", "classifiers", "network", "training", "run", "fine-tune", "tune",
     "full", "head", "only", "quick", "new", "it", "one", "job", "version", "lora", "hyperparameter",
     "good", "better", "small", "something", "text", "last", "same", "adapter", "device", "user",
     "laptop", "phone", "server", "engineer", "somebody", "access", "settings", "best", "sweep", "search",
     "another", "learning", "rate", "hyperparameters", "baseline", "bit", "couple", "few", "fresh"]
)  # fmt: skip
_NOT_IN_NAMES = frozenset(
    [
        "new",
        "fresh",
        "small",
        "good",
        "quick",
        "better",
        "little",
        "first",
        "simple",
        "decent",
        "fine-tuned",
        "full",
        "whole",
    ]
)
_NAME_ENDS = words("words", "prepositions") | frozenset(
    [
        "and",
        "then",
        "or",
        "but",
        "that",
        "which",
        "to",
        "trained",
        "called",
        "w",
        "w/",
        "named",
        "if",
        "please",
        "'s",
        "again",
        "out",
        "now",
    ]
)
_EMPTY = words("words", "stop") | words("words", "determiners") | words("words", "prepositions")
_SEARCHING = split_phrases(
    ["search the documents for", "search the docs for", "search our docs for", "search our documents for", "search the knowledge base for",
     "search the handbook for", "search for", "search", "find passages about", "find passages on", "find documents about", "find documents on",
     "find everything about", "find everything on", "find the section on", "find the passage on", "find the passage about", "find", "look up", "look for anything on",
     "look for anything about", "look for", "which documents mention", "grep the runbooks for", "grep the docs for", "grep for",
     "search knowledge base", "search the knowledge for", "anything about", "passages about", "passages on", "documents about", "search the runbooks for", "which docs mention", "search in the docs for", "everything our documents have on", "everything on", "everything about", "the ten best passages about"]
)  # fmt: skip
_IN_DOCUMENTS = split_phrases(
    ["in the docs", "in the documents", "in our docs", "in our documents", "in the knowledge base",
     "in the runbooks", "in our runbooks", "in our policies", "in the handbook", "in the policies"]
)  # fmt: skip
_HELP_ON = split_phrases(
    [
        "help on",
        "help with",
        "help about",
        "help me with",
        "help for",
        "what can i ask about",
        "what can you tell me about",
        "what can i do with",
        "how do i",
        "how can i",
        "how does",
        "how to",
        "explain how to",
    ]
)
