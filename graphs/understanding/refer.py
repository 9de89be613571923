"""What "it", "that version" or "the last job" points at: an earlier step, or a thing in focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.conversation import ConversationState, Focus, kind_of_field
from graphs.understanding.lexicon import fields, lexicon, phrases
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from graphs.understanding.newest import TUNING, made_nothing, newest_job, newest_version
from graphs.understanding.several import about_several, nth_of
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, Operation, OperationSet

if TYPE_CHECKING:
    from graphs.understanding.reading import Filled

_MODEL, _VERSION, _JOB = EntityKind.MODEL, EntityKind.MODEL_VERSION, EntityKind.JOB
_GROUP = EntityKind.DEVICE_GROUP
_OTHERS = frozenset(["dataset", "data", "group", "devices", "machines"])
"""Nouns that make `that …` point at no model."""


class Referrer:
    """Looks backwards: through the plan's own steps first, then through the conversation."""

    def __init__(
        self,
        operation: Operation[Any, Any],
        clause: Clause,
        steps: list[Step],
        conversation: ConversationState,
        operations: OperationSet,
        names: NameView,
    ) -> None:
        self.operation = operation
        self.clause = clause
        self.steps = steps
        self.conversation = conversation
        self.operations = operations
        self.names = names
        self.makers: list[str] | None = fields()["jobs"].get(operation.name)

    def points_at(self, *kinds: EntityKind) -> bool:
        """True if the clause has words that point back at a thing of one of the kinds."""
        return self._pointer(*kinds) is not None

    def resolve(self, out: Filled) -> None:
        """Fill what is not said but pointed at; nothing is filled without a pointer or a step."""
        slots = self.operation.slots
        model = slots.get("model")
        subjects = {"model"} if model and model.closed and model.kind is _MODEL else set[str]()
        if "job" in slots and slots["job"].kind is _JOB:
            subjects.add("job")
        if subjects and not subjects & set(out.arguments):
            self._subject(out)
        elif "model" in out.arguments and "version" in slots and "version" not in out.arguments:
            self._version_of_said_model(out)
        for name, slot in slots.items():
            person = slot.kind is EntityKind.USER  # of another tenant they are in no catalogue
            if slot.kind is None or name in out.arguments or name in _SUBJECT:
                continue
            if not (slot.closed or person):
                continue
            self._single(name, slot.kind, out)

    def model_of_version(self) -> Any:
        """The model that a bare version belongs to: the one spoken of last."""
        for step in reversed(self.steps):
            if "model" in step.arguments:
                return step.arguments["model"]
            if pair := self.pair_of(step):
                return pair[0]
        for item in self.conversation.focus:
            if item.kind is _VERSION and item.of is not None:
                return item.of
            if item.kind is _MODEL and (self._known(item) or not self._unregistered(item)):
                return item.value
        return None

    def _known(self, item: Focus) -> bool:
        """True for a model of which the catalogue knows versions."""
        return isinstance(item.value, str) and bool(version_names(item.value, self.names))

    def alias_set_earlier(self, alias: str) -> dict[str, str] | None:
        """The version that a step before in the plan gives the alias to."""
        for step in reversed(self.steps):
            if step.operation == "registry.promote" and step.arguments.get("alias") == alias:
                return {"step": step.id, "field": "version"}
        return None

    # the subject: a model with its version, or the job that trained one

    def _subject(self, out: Filled) -> None:
        slots = self.operation.slots
        pointer = self._pointer(_MODEL, _VERSION, _JOB)
        others = (EntityKind.DATASET, _GROUP)
        own = [span for kind in others if (span := self._pointer(kind, only_own=True))]
        said = [(a, b) for a, b in own if self.clause.tokens[b - 1].low in _OTHERS]
        if pointer and any(start <= pointer[0] < end for start, end in said):
            pointer = None  # the `that` of `that dataset`
        required = any(
            self.operation.input.model_fields[n].is_required()
            for n in ("model", "job")
            if n in slots
        ) or {"model", "job"} <= set(slots)
        if pointer is None and not required:
            return
        if pointer is not None and self._take_side(out):
            self._claim(pointer, out)
            return
        if (
            trial := self.clause.find(phrases("references", "trial"), free=False)
        ) and self._of_tuning(out):
            self._claim(trial, out)
            return
        recent = self.conversation.recent[0].steps if self.conversation.recent else []
        chosen = nth_of(recent, self.clause) if pointer is not None and not self.steps else None
        if chosen is not None and self._take_from_step(chosen, out):
            self._claim(pointer, out)
            return
        if self._means_the_first():
            self._first_of_two(out)
            return
        if self._newest_version(self.model_of_version(), out):
            return
        for step in reversed(self.steps):
            if self._take_from_step(step, out):
                self._claim(pointer, out)
                return
        second = self.clause.find(phrases("references", "second_side"), free=False)
        several = about_several(recent) or (second is not None and self._wants_model())
        unclear = self.operation.effect is not Effect.READ and several
        for item in self.conversation.focus if pointer is not None and not unclear else ():
            if not self._is_no_newest(item) and self._take_from_focus(item, out):
                self._claim(pointer, out)
                return
        if required:
            self._newest_job(out)

    def _means_the_first(self) -> bool:
        """True for `the first one`, `the former`, which is never what was spoken of last."""
        return self.clause.find(phrases("references", "first_side")) is not None

    def _first_of_two(self, out: Filled) -> None:
        """Take the first of two that were spoken of; of more, or of one, nothing is taken."""
        kind = _VERSION if self._wants_model() and "version" in self.operation.slots else _JOB
        spoken = [i for i in self.conversation.focus if i.kind is kind]
        distinct = list({(str(i.of), str(i.value)): i for i in reversed(spoken)}.values())
        if len(distinct) == 2 and not self.steps and self._take_from_focus(distinct[0], out):
            self._claim(self._pointer(_MODEL, _VERSION, _JOB), out)

    def _newest_version(self, model: Any, out: Filled) -> bool:
        """Take the newest version that there is, unless the plan itself makes one."""
        makes = any(isinstance((self.pair_of(s) or (0, 0))[1], dict) for s in self.steps)
        found = None if makes else newest_version(self.clause, model, self.names)
        if found is None or not self._wants_model() or not self._set_pair(out, model, found[0]):
            return False
        self._claim(found[1], out)
        return True

    def _takes_a_model(self) -> bool:
        """True where a job is of use only once it has made a model."""
        return not self.operation.name.startswith("training.")

    def _is_no_newest(self, item: Focus) -> bool:
        """True of a job that made nothing, where the newest one is to be used."""
        aged = self._takes_a_model() and self.clause.find(phrases("references", "newest_job"))
        return bool(aged) and item.kind is _JOB and made_nothing(item.value, self.names)

    def _of_tuning(self, out: Filled) -> bool:
        """Take the tuning that a trial is of: the plan's own, or the last one spoken of."""
        if not self._takes_a_model():
            return False
        for step in reversed(self.steps):
            if step.operation == TUNING:
                return self._set_job(out, {"step": step.id, "field": "job"})
        tuned = {entry.name for entry in self.names.names(_JOB) if entry.of == TUNING}
        for item in self.conversation.focus:
            if item.kind is _JOB and (item.via == TUNING or str(item.value) in tuned):
                return self._set_job(out, item.value)
        return False

    def _newest_job(self, out: Filled) -> None:
        if "job" not in self.operation.slots and self.operation.effect is Effect.READ:
            return  # nothing is registered only so that it can be read of
        makers = self.makers or _trainers()
        found = newest_job(self.clause, makers, self.names, finished=self._takes_a_model())
        if found is not None and self._set_job(out, found[0]):
            self._claim(found[1], out)

    def _take_side(self, out: Filled) -> bool:
        """`the first one`, `the newer one`: a side of the comparison that was made last."""
        compared = [s for s in self.steps if s.operation == _COMPARE] or [
            s for p in self.conversation.recent[:1] for s in p.steps if s.operation == _COMPARE
        ]
        if not compared or not self._wants_model():
            return False
        arguments = compared[-1].arguments
        second = self._second_side(arguments)
        if second is None:
            return False
        model = arguments.get("other_model", arguments.get("model"))
        version = arguments.get("other_version" if second else "version")
        return self._set_pair(out, model if second else arguments.get("model"), version)

    def _second_side(self, arguments: dict[str, Any]) -> bool | None:
        """True if the words mean the second side of a comparison; None if they mean no side."""
        for name, second in (("first_side", False), ("second_side", True)):
            if self.clause.find(phrases("references", name)):
                return second
        first, other = arguments.get("version"), arguments.get("other_version")
        if "other_model" in arguments or not isinstance(first, int) or not isinstance(other, int):
            return None
        if self.clause.find(phrases("references", "newer")):
            return other > first
        if self.clause.find(phrases("references", "older")):
            return other < first
        return None

    def _wants_model(self) -> bool:
        slot = self.operation.slots.get("model")
        return slot is not None and slot.closed

    def _take_from_step(self, step: Step, out: Filled) -> bool:
        if self._wants_model():
            if pair := self.pair_of(step):
                return self._set_pair(out, *pair)
            unversioned = "version" not in step.arguments and step.operation != _REGISTER
            if unversioned and step.arguments.get("model") is not None:
                out.arguments["model"] = step.arguments["model"]
                return True
        job = self.job_of(step)
        return job is not None and self._set_job(out, job)

    def _take_from_focus(self, item: Focus, out: Filled) -> bool:
        if self._wants_model():
            if item.kind is _VERSION and item.of is not None:
                return self._set_pair(out, item.of, item.value)
            if item.kind is _MODEL and not self._unregistered(item):
                version = self._version_in_focus(item)
                return self._set_pair(out, item.value, version)
        via = item.via or ""
        trains = via in _trainers() or via.startswith("training.") or via == _MEASURES
        if item.kind is _JOB and (trains or self.makers is None):
            return self._set_job(out, item.value)
        return False

    def _unregistered(self, item: Focus) -> bool:
        """True for a model's name that comes from a training or an evaluation, not a registry."""
        if (item.via or "").startswith("registry."):
            return False
        return item.made and not any(
            i.kind is _VERSION and i.of == item.value and i.via == item.via
            for i in self.conversation.focus
        )

    def _version_in_focus(self, item: Focus) -> Any:
        for other in self.conversation.focus:
            if other.kind is _VERSION and other.of == item.value and other.via == item.via:
                return other.value
        return None

    def _set_pair(self, out: Filled, model: Any, version: Any) -> bool:
        if "model" not in self.operation.slots:
            return False
        if self.clause.find(phrases("references", "another")):
            version = None  # `the old one` is never the one just spoken of
        out.arguments.setdefault("model", model)
        if "version" in self.operation.slots and version is not None:
            out.arguments.setdefault("version", version)
        return True

    def _set_job(self, out: Filled, job: Any) -> bool:
        if "job" in self.operation.slots:
            out.arguments["job"] = job
            return True
        if self._bridged():
            out.needs = (_VERSION, {"job": job})
            return True
        return False

    def _bridged(self) -> bool:
        kinds = {slot.kind for slot in self.operation.slots.values()}
        return any(bridge["need"] in kinds for bridge in fields()["bridges"])

    def pair_of(self, step: Step) -> tuple[Any, Any] | None:
        """The model and the version that a step is about, or makes."""
        arguments = step.arguments
        if "model" in arguments and "version" in arguments:
            return arguments["model"], arguments["version"]
        output = self.operations.get(step.operation).output.model_fields
        if step.operation in _TAKES_AWAY:
            return None
        if "model" in output and "version" in output and output["version"].annotation is int:
            said = arguments.get("model", {"step": step.id, "field": "model"})
            return said, {"step": step.id, "field": "version"}
        return None

    def job_of(self, step: Step) -> Any:
        """The job that a step starts or is about."""
        if step.operation in (self.makers or _trainers()):
            return {"step": step.id, "field": "job"}
        about = step.operation in ("evaluation.run", "registry.register")
        if about or step.operation.startswith("training."):
            return step.arguments.get("job")
        return None

    def _version_of_said_model(self, out: Filled) -> None:
        """The version where the model was named and a version of it is pointed at."""
        model = out.arguments["model"]
        if self._newest_version(model, out):
            return
        pointer = self._pointer(_VERSION, only_own=True)
        for step in reversed(self.steps):
            pair = self.pair_of(step)
            if pair and (pair[0] == model or pointer):
                out.arguments["version"] = pair[1]
                return
        if pointer is None:
            return
        for item in self.conversation.focus:
            if item.kind is _VERSION and item.of == model:
                out.arguments["version"] = item.value
                self._claim(pointer, out)
                return

    # everything else

    def _single(self, name: str, kind: EntityKind, out: Filled) -> None:
        required = self.operation.input.model_fields[name].is_required()
        groups = {str(s.arguments["group"]) for s in self.steps if "group" in s.arguments}
        if not required and kind is _GROUP and len(groups) > 1:
            return  # what is shown after acts on several groups is all of them
        pointer = self._pointer(kind)
        if pointer and self.operation.effect is not Effect.READ and self._acts_himself(pointer):
            return
        shown = kind is _GROUP and bool(self.steps) and self._shows_what_was_done()
        led = required and self.steps and kind is not EntityKind.DEVICE
        if pointer is None and not led and not shown:
            return
        own = self._pointer(kind, only_own=True) is not None
        if not required and kind is _GROUP and not own and not ((pointer and self.steps) or shown):
            return
        if self._means_the_first():
            spoken = [str(i.value) for i in reversed(self.conversation.focus) if i.kind is kind]
            if len(set(spoken)) == 2 and not self.steps:
                out.arguments[name] = spoken[0]
                self._claim(pointer, out)
            return
        value = self._from_steps(kind)
        if not required and kind is _GROUP and not own and value is None:
            return
        if value is None and pointer is not None:
            value = self._from_focus(kind, own=own)
        if value is not None:
            out.arguments[name] = value
            self._claim(pointer, out)

    def _acts_himself(self, pointer: tuple[int, int]) -> bool:
        """True for the `he` of `revoke the one he no longer uses`, to whom nothing is done."""
        return self.clause.tokens[pointer[0]].low in {"he", "she"}

    def _from_steps(self, kind: EntityKind) -> Any:
        for step in reversed(self.steps):
            slots = self.operations.get(step.operation).slots
            for name, value in step.arguments.items():
                slot = slots.get(name)
                if slot is not None and slot.closed and slot.kind is kind:
                    return value
            for name in self.operations.get(step.operation).output.model_fields:
                if kind_of_field(step.operation, name) is kind:
                    return {"step": step.id, "field": name}
        return None

    def _from_focus(self, kind: EntityKind, own: bool) -> Any:
        for item in self.conversation.focus:
            if item.kind is kind:
                deployed = (item.via or "").startswith("deployment.")
                if kind is _GROUP and not own and not deployed and not self._newest(item):
                    continue
                return item.value
        return None

    def _shows_what_was_done(self) -> bool:
        """True for `…, then show me the state` after an act on a group."""
        acted = self.steps[-1].operation
        return (
            self.operation.name == "deployment.status"
            and acted.startswith("deployment.")
            and acted != self.operation.name
            and not any(
                t.low in {"all", "every", "everything", "fleet"} for t in self.clause.tokens
            )
        )

    def _newest(self, item: Focus) -> bool:
        """True if nothing else that "it" may mean was spoken of after this."""
        for other in self.conversation.focus:
            if other is item:
                return True
            if other.kind in _THINGS:
                return False
        return False

    def _pointer(self, *kinds: EntityKind, only_own: bool = False) -> tuple[int, int] | None:
        table = lexicon()["references"]
        for kind in kinds:
            if (
                kind.value in table
                and (span := self.clause.find(phrases("references", kind.value)))
                and not self._named_after(span)
                and not self._existential(span)
            ):
                return span
        return None if only_own else self.clause.find(phrases("references", "it"))

    def _named_after(self, span: tuple[int, int]) -> bool:
        """True if a name follows: `the model ticket-router` points at nothing else."""
        tokens = self.clause.tokens
        return span[1] < len(tokens) and any(m.start == span[1] for m in self.clause.mentions)

    def _existential(self, span: tuple[int, int]) -> bool:
        """True for the last word of `which devices are there`, which is no place."""
        low = [t.low for t in self.clause.tokens]
        return low[span[0]] == "there" and span[0] > 0 and low[span[0] - 1] in _BEING

    def _claim(self, pointer: tuple[int, int] | None, out: Filled) -> None:
        if pointer is None:
            return
        self.clause.claim(*pointer, by="reference")


_THINGS = frozenset([_MODEL, _VERSION, _JOB, EntityKind.DEVICE])
_BEING = frozenset(["are", "is", "were", "was"])
_REGISTER = "registry.register"
_COMPARE = "evaluation.compare"
_MEASURES = "evaluation.run"
"""Its job is one that trained a model."""
_TAKES_AWAY = frozenset(["deployment.rollback"])
"""Their results hold what came in the place of what was spoken of: `roll back, then archive it`."""
_SUBJECT = frozenset(["model", "version", "job", "other_model", "other_version"])


def _trainers() -> list[str]:
    return fields()["jobs"]["registry.register"]
