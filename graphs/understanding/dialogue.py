"""Short sentences that have a meaning only in their conversation: yes, no, "version 4"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Plan, Step
from graphs.understanding import guards
from graphs.understanding.amend import amended
from graphs.understanding.answering import answered
from graphs.understanding.answers import linked
from graphs.understanding.asking import ask
from graphs.understanding.change_by_change import carried, each_change
from graphs.understanding.clause import join, strip_leading
from graphs.understanding.condition_changed import rebounded
from graphs.understanding.conversation import ConversationState
from graphs.understanding.extending import extended
from graphs.understanding.leaving_out import left_out
from graphs.understanding.left_alone import steps_left
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import version_names
from graphs.understanding.misspelt import misspelt_change
from graphs.understanding.names import NameView
from graphs.understanding.no_order import excluded
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.reasons import without_reason
from graphs.understanding.rescheduling import rescheduled
from graphs.understanding.restated import supposed_change
from graphs.understanding.returning import taken_up
from graphs.understanding.said_as_it_is import as_correction, named_correction
from graphs.understanding.text import Token
from graphs.understanding.unpausing import unpaused
from graphs.understanding.what_if import estimated, tried
from graphs.understanding.written import alias_of, read_version
from graphs.understanding.wrong_part import wrong_part
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding


def answer_to_open(
    parser: Understanding,
    tokens: Sequence[Token],
    text: str,
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The plan of a sentence that answers, corrects or continues; None if it stands by itself."""
    if state.recent:
        tokens = named_correction(tokens) or tokens
    if state.recent and not {m.kind for m in linked(parser, tokens, names)} - _COUNTED:
        tokens = as_correction(tokens) or tokens
    if estimate := estimated(parser, tokens, state):
        return ParsedPlan(text=text, steps=[estimate], confidence=0.9)
    if trial := tried(parser, tokens, state):
        return ParsedPlan(text=text, steps=trial.steps, dry_run=True, confidence=0.9)
    fewer = steps_left(tokens, state.proposed, lambda: linked(parser, tokens, names))
    other = rescheduled(tokens, state.proposed) or rebounded(tokens, state.proposed)
    if changed := other or left_out(tokens, state.proposed) or fewer:
        return ParsedPlan(text=text, steps=changed, confidence=0.9)
    act = guards.act(tokens)
    if act in ("thanks", "greeting", "farewell"):
        return ParsedPlan(abstained=True, confidence=0.95, reply=parser.replies.social(act))
    changing = state.pending is not None and bool(state.pending.change)
    agrees_with_none = act == "yes" and state.proposed is not None and not changing
    asks = state.pending is not None and act != "cancel" and not agrees_with_none
    if asks and (reply := answered(parser, tokens, names, state)):
        return reply
    if act == "yes" and changing and state.pending is not None:
        question = state.pending.question  # the plan as it was is not what is agreed to
        return ParsedPlan(text=state.pending.text, question=question,
                          change=state.pending.change, confidence=0.9)  # fmt: skip
    if parts := wrong_part(tokens) if state.proposed and waits(parser, state.proposed) else "":
        return ParsedPlan(confidence=0.9, reply=parser.replies.wrong(parts), drops_pending=True)
    if resumed := unpaused(parser, tokens, state):
        return ParsedPlan(text=text, steps=[resumed], confidence=0.9)
    if (wish := _other_act(parser, tokens)) and (plan := _instead(parser, wish, names, state)):
        return plan
    if act is not None:
        stops = _stops_what_runs(parser, act, tokens, state)
        return None if stops else _decided(parser, act, state)
    if plan := _taken_up(parser, tokens, names, state) or extended(parser, tokens, names, state):
        return plan
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    if state.recent and state.recent[0].dry_run and _FOR_REAL.match(said):
        return ParsedPlan(text=state.recent[0].text, steps=state.recent[0].steps, confidence=0.9)
    starts = state.recent and _STARTING.match(said)
    if starts and (begun := _begun(parser, state.recent[0])):
        return begun
    if given_up := _given_up(parser, tokens, state, least=2):
        return given_up
    if supposed := _supposed(parser, tokens, names, state):
        return supposed
    acts = any(parser.changes(s.operation) for p in state.recent[:1] for s in p.steps)
    taken_out = acts and excluded(tokens, linked(parser, tokens, names))
    changed = _changed(parser, tokens, names, state) if state.recent and not taken_out else None
    if changed is not None:
        return None if _loses_its_time(parser, tokens, changed) else changed
    if given_up := _given_up(parser, tokens, state):
        return given_up
    kept = without_reason(tokens, parser.verbs)
    if not kept or guards.act(kept) is not None:
        return None  # a yes with more words is not taken for one
    if linked(parser, tokens[len(kept) :], names):
        return None  # `…, the kiosks are taboo` may say what the act is not to touch
    return answer_to_open(parser, kept, join(kept), names, state)


def _supposed(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The last plan with what a sentence only supposes of it: an act of it is tried dry."""
    step = state.recent[0].steps[-1] if state.recent else None
    if step is None:
        return None
    said = supposed_change(tokens, lambda word: parser.begins(step.operation, word))
    changed = _changed(parser, said, names, state) if said else None
    if changed is not None:
        changed.dry_run = changed.dry_run or parser.changes(step.operation)
    return changed


def _changed(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The last plan as the sentence corrects it, all at once or part by part."""

    def amend(part: Sequence[Token], before: ConversationState) -> ParsedPlan | None:
        return amended(parser, part, names, before)

    if meant := misspelt_change(parser, state.recent[0].steps, tokens, names):
        question, step, change = meant
        text = state.recent[0].text
        return ParsedPlan(text=text, question=question, known=step, change=change, confidence=0.9)
    changed = each_change(tokens, state, amend) or amend(tokens, state)
    if changed is None and (before := _before_looks(parser, state)):
        changed = amend(_as_bare(tokens), before)
    if changed is not None:
        changed.steps = carried(state.recent[0].steps, changed.steps)
    return changed and (_unknown_version(parser, changed, state, names) or changed)


def _before_looks(parser: Understanding, state: ConversationState) -> ConversationState | None:
    """The conversation up to its last act, where only looks came after that; else None."""

    def acts(plan: Plan) -> bool:
        return any(parser.changes(step.operation) for step in plan.steps)

    at = next((i for i, plan in enumerate(state.recent) if acts(plan)), 0)
    return state.model_copy(update={"recent": state.recent[at:]}) if at else None


def _as_bare(tokens: Sequence[Token]) -> list[Token]:
    """`10 percent` of `fine. 10 percent then`."""
    led = (("fine",), ("ok",), ("okay",), ("good",), ("alright",), ("right",), ("great",), (".",),
           (",",), ("!",), ("then",), ("well",), ("so",))  # fmt: skip
    rest = strip_leading(list(tokens), led)
    while rest and rest[-1].low in {".", "!", "then", "please"}:
        rest = rest[:-1]
    return rest or list(tokens)


def _unknown_version(
    parser: Understanding, changed: ParsedPlan, state: ConversationState, names: NameView
) -> ParsedPlan | None:
    """The question which version, where a correction says one that the model has not."""
    for step in changed.steps:
        first = step.arguments.get("model")
        other = step.arguments.get("other_model", first)
        for slot, model in (("version", first), ("other_version", other)):
            version = step.arguments.get(slot)
            versions = version_names(model, names) if isinstance(model, str) else []
            known = {n.name for n in versions}
            if known and isinstance(version, int) and str(version) not in known:
                told = f"{model} has no version {version}."
                operation = parser.operations.get(step.operation)
                question = ask(operation, slot, names, said=told, of=str(model))
                asked = ParsedPlan(text=state.recent[0].text, question=question, confidence=0.9)
                asked.known, asked.change = step, _VERSIONS[slot]
                return asked
    return None


_VERSIONS = {"version": "no, version {}", "other_version": "no, with version {}"}
"""A change of one of the versions of a step, with `{}` for it."""


def _other_act(parser: Understanding, tokens: Sequence[Token]) -> list[Token]:
    """The wish in `abort it instead`, which is no cancelling; empty for any other sentence."""
    said = [t for t in tokens if t.kind != "punctuation"]
    hesitant = [p for p in phrases("dialogue", "correction") if len(p) > 2]
    led = strip_leading(said, (*hesitant, *phrases("dialogue", "leading")))
    if len(led) < 3 or led[-1].low not in _RATHER or not {t.low for t in led[:-1]} & _IT:
        return []
    return led[:-1] if led[0].low in parser.verbs and led[0].low not in _CHANGING else []


_RATHER = frozenset(["instead", "altogether", "completely", "rather", "entirely"])
_IT = frozenset(["it", "that", "this", "them"])
_CHANGING = frozenset(["make", "use", "take", "do", "try", "set", "change", "call", "name", "want"])


def _instead(
    parser: Understanding, wish: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """Another act on what the last one was on; None if the words are no other act."""
    plan = parser.read(join(wish), wish, names, state, {})
    known = {s.operation for p in state.recent[:1] for s in p.steps}
    other = [s for s in plan.steps if s.operation not in known and s.operation != _UNDO]
    return plan if other and len(other) == len(plan.steps) else None


_UNDO = "platform.undo"


_COUNTED = frozenset([EntityKind.JOB, EntityKind.MODEL_VERSION])
"""Kinds of names that are numbers: `14 days will do` names no job 14."""


def _loses_its_time(parser: Understanding, tokens: Sequence[Token], changed: Plan) -> bool:
    """True for `and to the kiosks next week`, where an act would be done at once."""
    said = " ".join(t.low for t in tokens)
    acts = [s for s in changed.steps if parser.changes(s.operation) and s.schedule is None]
    texts = " ".join(str(v).lower() for s in acts for v in s.arguments.values())
    return any(found[0] not in texts for found in _LATER.finditer(said)) and bool(acts)


_LATER = re.compile(
    r"\b(?:(?:next|this|at the|over the|in an?|in \w+) "
    r"(?:week|weekend|month|year|hour|hours|days|weeks|months|minutes)|tomorrow|tonight|later|soon|eventually"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
)


_FOR_REAL = re.compile(
    r"^(?:(?:ok|okay|yes|fine|good|great|then|so|now|and|alright|right|perfect|looks|that) "
    r"|(?:looks|is) (?:fine|good|right|ok|okay|great) )*"
    r"(?:please )?(?:do|run|execute|make|start|carry out) (?:it|that|this|the plan|them) "
    r"(?:now )?(?:for real|in earnest|really|not dry)(?: now| then| please)*$"
)
"""What a plan that was only tried is carried out by: `looks fine, now do it for real`."""
_STARTING = re.compile(
    r"^(?:(?:ok|okay|yes|fine|good|great|then|so|now|and|alright) )*"
    r"(?:start|begin|run|launch|do|train) (?:that|it|this|the training|that one|that training)"
    r"(?: (?:then|now|please|like that|like this|that way|this way|so|with that|for real))*$"
)


def _taken_up(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The plan that the words go back to, as they change it."""
    if (found := taken_up(tokens, state)) is None:
        return None
    plan, rest = found
    if not rest:
        return ParsedPlan(text=plan.text, steps=plan.steps, confidence=0.9, dry_run=plan.dry_run)
    no = Token("no", "no", rest[0].start, rest[0].start, "word")
    return amended(parser, [no, *rest], names, state.model_copy(update={"recent": [plan]}))


def _given_up(
    parser: Understanding, tokens: Sequence[Token], state: ConversationState, least: int = 1
) -> ParsedPlan | None:
    """`no don't, the ward still uses it`: a no or a cancel with its reason.

    Args:
        parser: what is understood.
        tokens: the sentence.
        state: what waits.
        least: words that the no must have; `no, it's tp-15` may be a correction.
    """
    comma = next((i for i, t in enumerate(tokens) if t.low in {",", ".", "-", ";", ":"}), 0)
    first = next((t.low for t in tokens[comma:] if t.kind != "punctuation"), "")
    act = guards.act(tokens[:comma]) if comma >= least else None
    parts = [
        i for i, t in enumerate(tokens) if i > comma and t.low in ",.!;" and i + 1 < len(tokens)
    ]
    if first == "not" and parts:
        return None  # `no, not those! the handheld ones`
    meant = [t.low for t in tokens[comma:] if t.kind != "punctuation"][:2]
    if meant in (["i", "meant"], ["i", "mean"], ["i", "ment"], ["i", "wanted"]):
        return None  # a correction
    if act not in ("no", "cancel") or first not in _REASONING or _names_only(tokens[comma:]):
        return None
    return _decided(parser, act, state)


def _names_only(tokens: Sequence[Token]) -> bool:
    """True for `, the champion` and `, version 4`, which are no reasons."""
    said = [t.low for t in tokens if t.kind != "punctuation"]
    kept = [w for w in said if w not in words("words", "determiners") | {"version", "one"}]
    return len(kept) == 1 and (alias_of(kept[0]) is not None or read_version(kept[0]) is not None)


_REASONING = words("words", "determiners") | {
    "it", "it's", "its", "they", "they're", "we", "we're", "i", "i'm", "that's", "there", "there's",
    "he", "she", "nobody", "someone", "somebody", "not", "still", "too", "because", "since", "as",
}  # fmt: skip
"""How a reason begins, and no order does."""


def _stops_what_runs(
    parser: Understanding, act: str, tokens: Sequence[Token], state: ConversationState
) -> bool:
    """True for `stop it` after a look at a training: there was nothing planned to drop."""
    said = [t.low for t in tokens if t.kind != "punctuation"]
    points = any(word in {"it", "that", "them"} for word in said)
    verb = any(word in {"stop", "cancel", "abort", "kill", "end"} for word in said)
    if act != "cancel" or not (points and verb) or state.pending is not None or not state.recent:
        return False
    steps = state.recent[0].steps
    return all(parser.operations.get(s.operation).effect is Effect.READ for s in steps)


def _decided(parser: Understanding, act: str, state: ConversationState) -> ParsedPlan | None:
    open_ = state.proposed if state.proposed and waits(parser, state.proposed) else None
    if act == "yes" and open_ is not None:
        return _begun(parser, open_) or ParsedPlan.model_validate(open_.model_dump())
    if act in ("no", "cancel") and (open_ is not None or state.pending is not None):
        return ParsedPlan(confidence=0.95, reply=parser.replies.cancelled(), drops_pending=True)
    return ParsedPlan(abstained=True, confidence=0.9, reply=parser.replies.nothing_open())


def waits(parser: Understanding, plan: Plan) -> bool:
    """True for a plan that a yes or a no answers: not for one that only read."""
    acts = any(parser.changes(s.operation) for s in plan.steps)
    return acts or plan.steps[0].operation in fields()["begins"]


def _begun(parser: Understanding, plan: Plan) -> ParsedPlan | None:
    """What a yes to an estimate begins: that which was estimated."""
    begins = fields()["begins"].get(plan.steps[0].operation) if len(plan.steps) == 1 else None
    if begins is None:
        return None
    taken = parser.operations.get(begins).input.model_fields
    arguments = {k: v for k, v in plan.steps[0].arguments.items() if k in taken}
    step = Step(id="s1", operation=begins, arguments=arguments)
    return ParsedPlan(text=plan.text, steps=[step], confidence=0.9)
