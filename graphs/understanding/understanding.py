"""Words in, plan out: the parser that everyday ops language needs no language model for."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from graphs.plan import Question
from graphs.understanding import dialogue, guards, later
from graphs.understanding.amend import amended
from graphs.understanding.answers import value_for
from graphs.understanding.arrows import arrows_in_words
from graphs.understanding.asides import Asides
from graphs.understanding.bare_versions import with_versions
from graphs.understanding.begun import begun
from graphs.understanding.clause import Clause, join, polite, strip_leading
from graphs.understanding.conversation import ConversationState, Focus
from graphs.understanding.courtesies import without_courtesies
from graphs.understanding.draft import Draft, Read
from graphs.understanding.examples import command_verbs, training_sentences
from graphs.understanding.files_first import files_added
from graphs.understanding.going import asks_how_it_goes, what_goes
from graphs.understanding.hanging import hanging
from graphs.understanding.hearing import Hearing
from graphs.understanding.helping import asks_for_help
from graphs.understanding.join_reads import ReadJoiner
from graphs.understanding.leftover import Leftovers
from graphs.understanding.lexicon import common_words, fields, phrases, words
from graphs.understanding.link import Linker, link
from graphs.understanding.merging import merged
from graphs.understanding.models import model_mentions
from graphs.understanding.named_jobs import jobs_named
from graphs.understanding.names import NameView, NameWords
from graphs.understanding.no_order import restricts
from graphs.understanding.nothing_done import no_act, said_behind
from graphs.understanding.order_of_acts import in_order
from graphs.understanding.orders import Orders
from graphs.understanding.other_branch import without_told
from graphs.understanding.parallel import Parallels
from graphs.understanding.parsed import ParsedPlan, Reason
from graphs.understanding.planner import Planner
from graphs.understanding.pointing import Pointing
from graphs.understanding.reading import Scope
from graphs.understanding.reasons import without_reason
from graphs.understanding.remarks import is_remark
from graphs.understanding.replies import Replies
from graphs.understanding.router import Encoder, Router
from graphs.understanding.said_again import without_repeats
from graphs.understanding.said_plainly import said_plainly
from graphs.understanding.segment import Segmenter
from graphs.understanding.self_correction import corrected_at
from graphs.understanding.skipping import skips_a_run
from graphs.understanding.spelling import Speller, in_full
from graphs.understanding.supposing import supposed, without_asides
from graphs.understanding.text import Token, phrase_at, tokenise
from graphs.understanding.told_winners import with_told_winner
from graphs.understanding.training_words import settings_in_words
from graphs.understanding.unkept import single_device, unkept_condition, unread, unread_time
from graphs.understanding.vectors import sentence_vectors
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet

_LONGEST = 2000
_HELP = "platform.help"


class Understanding:
    """Learns its router when it is made; afterwards every parse is pure and thread-safe.

    Args:
        operations: what can be asked for.
        encoder: makes sentence vectors (`tools.kernel.embedding.get_embedder()`).
    """

    def __init__(self, operations: OperationSet, encoder: Encoder) -> None:
        self.operations = operations
        self.verbs = command_verbs(operations)
        sentences = training_sentences(operations, Linker())
        vectors = sentence_vectors([s.text for s in sentences], encoder)
        self.router = Router(sentences, encoder, vectors)
        self.known = common_words() | self.router.vocabulary | self.verbs
        self.linker = Linker(self.known)
        meant = self.verbs | self.router.vocabulary | words("schedule", "words")
        self._speller = Speller(self.known | encoder.words(), meant)
        self.hearing = Hearing(
            operations, sentences, self.router, self.linker, self.verbs, self.known
        )
        self._pointing = Pointing(operations, self.hearing)
        self._segmenter = Segmenter(self.verbs)
        self._orders = Orders(operations, sentences, self.verbs)
        self._asides = Asides(operations, self.hearing, self._orders, self.linker, self.verbs)
        self._leftovers = Leftovers(operations, sentences, self.verbs)
        self._joiner = ReadJoiner(operations, self._given, self.linker, self.verbs)
        self._parallels = Parallels(operations, self._given, self.linker, self.verbs)
        self._planner = Planner(operations, self.linker, self.verbs, self.known)
        self.replies = Replies(operations)
        self.outputs = {
            o.name: [name for name, info in o.output.model_fields.items() if info.is_required()]
            for o in operations
            if o.spoken
        }

    def prepare(self, names: NameView) -> None:
        """Index a catalogue before the first sentence needs it."""
        for kind in EntityKind:
            self.linker.index(kind, names)

    def parse(
        self,
        text: str,
        names: NameView,
        conversation: ConversationState | None = None,
        now: datetime | None = None,
    ) -> ParsedPlan:
        """The plan of one sentence in its conversation. Nothing is read or changed but these.

        Args:
            text: what was said.
            names: the names that exist.
            conversation: what was said before.
            now: the time, with its zone, from which `tomorrow` is counted; the machine's if None.
        """
        started = time.perf_counter()
        state = (conversation or ConversationState()).model_copy(update={"now": now})
        plan = self._parse(text[:_LONGEST], names, state)
        plan.text = plan.text or text
        plan.ms = round((time.perf_counter() - started) * 1000, 3)
        return plan

    def _parse(self, text: str, names: NameView, state: ConversationState) -> ParsedPlan:
        own, cut = guards.own_words(arrows_in_words(text, self.verbs))
        own = files_added(said_plainly(self._between_courtesies(own, names)))
        own = settings_in_words(own)
        own = own[self._asides.before(own, names) :]
        tokens = tokenise(own)
        if not any(t.kind != "punctuation" for t in tokens):
            if asked := self._read_after_paste(guards.after_paste(text), names, state):
                return asked
            return ParsedPlan(
                abstained=True,
                confidence=0.9,
                reply=self.replies.pasted() if cut else self.replies.nothing(),
            )
        said = self._spelt(tokens, names) if state.recent or state.pending else tokens
        if going := self._going(tokens, own, names, state):
            return going
        if reply := dialogue.answer_to_open(self, said, own, names, state):
            return reply
        plan = self._alone(own, tokens, names, state, cut)
        if plan.abstained and not (plan.final or cut):
            plan = self._without_reason(tokens, names, state) or plan
        plan = merged(plan, tokens, state, self.verbs)
        if not plan.steps and plan.question is None:
            clauses = [Clause(list(tokens))]
            plan.spoken_of = self._with_named(clauses, names, ConversationState()).focus
        waits = state.proposed is not None and dialogue.waits(self, state.proposed)
        rest = guards.after_no(tokens) if waits and plan.abstained else []
        if rest:
            instead = self.read(join(rest), rest, names, state.settled(), {}, cut)
            if instead.steps or instead.question is not None:
                return instead
        if waits and plan.abstained and restricts(tokens):
            plan.reply, plan.drops_pending, plan.final = self.replies.unrestricted(own), True, True
        return plan

    def _going(
        self, tokens: Sequence[Token], text: str, names: NameView, state: ConversationState
    ) -> ParsedPlan | None:
        """The answer to `how is it going?`, where the conversation was about nothing that goes."""
        if step := what_goes(tokens, names, state):
            return ParsedPlan(text=text, steps=[step], confidence=0.9)
        idle = not state.focus and not names.names(EntityKind.ROLLOUT)
        if idle and asks_how_it_goes(tokens):
            return ParsedPlan(abstained=True, confidence=0.9, reply=self.replies.idle())
        return None

    def _without_reason(
        self, tokens: Sequence[Token], names: NameView, state: ConversationState
    ) -> ParsedPlan | None:
        """What a sentence asks for before its reason; never what is dangerous."""
        kept = without_reason(tokens, self.verbs)
        told = [Clause(list(tokens[len(kept) + 1 :]))] if kept else []
        if any(read.operation is not None for read in self.hearing.reads(told, names)):
            return None  # a list of several things, of which this is one
        plan = self._alone(join(kept), kept, names, state, False) if kept else None
        safe = plan is not None and not any(self.dangerous(s.operation) for s in plan.steps)
        return plan if plan is not None and plan.steps and safe else None

    def _read_after_paste(
        self, text: str, names: NameView, state: ConversationState
    ) -> ParsedPlan | None:
        """What is asked below pasted lines, if it only reads: nothing there can order an act."""
        plan = self._alone(text, tokenise(text), names, state, True) if text else None
        reads = plan is not None and not any(self.changes(s.operation) for s in plan.steps)
        return plan if plan is not None and plan.steps and reads else None

    def _alone(
        self,
        own: str,
        tokens: Sequence[Token],
        names: NameView,
        state: ConversationState,
        cut: bool,
    ) -> ParsedPlan:
        """A sentence that stands by itself."""
        if guards.is_foreign(tokens):
            return ParsedPlan(abstained=True, confidence=0.9, reply=self.replies.foreign())
        return self.read(own, tokens, names, state, {}, cut)

    def _between_courtesies(self, text: str, names: NameView) -> str:
        """The text without its salutation and signature, in which people's names may stand."""
        tokens, known = tokenise(text), self._name_words(names)

        def is_name(token: Token) -> bool:
            plain = token.kind == "word" and token.low.isalpha()
            common = token.low in self.known or token.low in known
            return token.low in words("courtesies", "people") or (plain and not common)

        kept = without_courtesies(tokens, is_name)
        return text if len(kept) == len(tokens) else text[kept[0].start : kept[-1].end]

    def read(
        self,
        text: str,
        tokens: Sequence[Token],
        names: NameView,
        state: ConversationState,
        answers: dict[str, Any],
        cut: bool = False,
    ) -> ParsedPlan:
        """A sentence as a request of its own, with what was already answered about it."""
        spelt = with_versions(self._spelt(tokens, names), names, state, self.verbs)
        if corrected := self._self_corrected(spelt, text, names, state, answers, cut):
            return corrected
        if name := self._skipped(spelt, names):
            reply = self.replies.one_run(name)
            return ParsedPlan(text=text, abstained=True, final=True, reply=reply, confidence=0.9)
        act = supposed(spelt, self.verbs)
        tokens, dry = (act, True) if act else guards.hypothetical(spelt)
        tokens = without_asides(tokens) if dry else tokens
        taken = later.take(self, tokens, names, state, answers)
        if taken.plan is not None:
            return taken.plan
        asked = text if taken.timing is None else join(taken.tokens)
        plan = self._read_now(asked, taken.tokens, names, taken.state, answers, dry, cut)
        plan.text = text
        later_said = any(t.low in words("schedule", "spoken") for t in tokens)
        kept = names.names(EntityKind.SCHEDULE) if later_said else ()
        if plan.reply == self.replies.negated() and kept:
            plan.reply = self.replies.still_scheduled([entry.name for entry in kept])
        return taken.given(plan)

    def _skipped(self, tokens: Sequence[Token], names: NameView) -> str | None:
        """The schedule of which a single run is to be left out; None for any other request."""
        mentions = self.linker.mentions(tokens, names)
        named = [m.names[0].name for m in mentions if m.kind is EntityKind.SCHEDULE]
        skips = skips_a_run(tokens, bool(named))
        return next(iter(named), "the schedule") if skips else None

    def _self_corrected(
        self,
        tokens: Sequence[Token],
        text: str,
        names: NameView,
        state: ConversationState,
        answers: dict[str, Any],
        cut: bool,
    ) -> ParsedPlan | None:
        """The plan of a sentence that takes a part of itself back: `evaluate v7, no, v8, on X`."""
        parts = corrected_at(tokens, self.verbs)
        if parts is None:
            return None
        first = self.read(text, parts[0], names, state, answers, cut)
        if not first.steps:
            return None
        meant = amended(self, parts[1], names, state.after(first))
        if meant is not None and meant.question is not None:
            return meant
        if meant is not None and len(meant.steps) == len(first.steps):
            first.steps = meant.steps
            return first
        effects = {self.operations.get(s.operation).effect for s in first.steps}
        if Effect.DANGEROUS not in effects:
            return None
        reply = self.replies.unread(join(parts[1][1:]), [s.operation for s in first.steps])
        return ParsedPlan(text=text, abstained=True, reply=reply, confidence=0.9)

    def clause_count(self, tokens: Sequence[Token]) -> int:
        """How many wishes with a verb of their own words hold."""
        clauses = self._segmenter.clauses(tokens)
        return sum(any(t.low in self.verbs for t in c.tokens) for c in clauses)

    def _read_now(
        self,
        text: str,
        tokens: Sequence[Token],
        names: NameView,
        state: ConversationState,
        answers: dict[str, Any],
        dry: bool,
        cut: bool,
    ) -> ParsedPlan:
        """A sentence without a time."""
        said = hanging(self._wished(list(tokens)), self.verbs)
        tokens = in_order(said, self.verbs)
        if dry:
            tokens = guards.present_throughout(strip_leading(tokens, polite()), self.verbs)
        clauses = self._segmenter.clauses(tokens)
        if not clauses:
            return ParsedPlan(abstained=True, confidence=0.9, reply=self.replies.nothing())
        for clause in clauses if len(clauses) > 1 else ():
            aside = phrase_at(clause.tokens, 0, phrases("guards", "set_aside"))
            clause.negated = clause.negated or bool(aside)
        wanted = [c for c in clauses if not c.negated]
        if hung := next((c.condition for c in clauses if c.negated and c.condition), None):
            reply = self.replies.condition(join(hung))
            return ParsedPlan(text=text, abstained=True, confidence=0.9, reply=reply)
        if dry:
            wanted = [c for c in wanted if c is wanted[0] or not _asks_what(c)]
        if len(clauses) > 1:
            if guards.takes_back(clauses[-1].tokens):
                return ParsedPlan(confidence=0.95, reply=self.replies.negated())
            remark = is_remark(clauses[0], self.verbs)
            wanted = [c for c in wanted if guards.act(c.tokens) in (None, "yes") or c.condition
                      or (remark and c.tokens[0].low in _ENDING)]  # fmt: skip
            wanted = [c for c in wanted if not guards.tells(c.tokens) and not no_act(c)]
        if not wanted:
            return ParsedPlan(confidence=0.95, reply=self.replies.negated())
        # Named where nothing is done to it, or only later: `before rolling X out, evaluate it`.
        named = [c for c in clauses if c.negated] or clauses[1 : 1 + (tokens is not said)]
        state = self._with_named(named, names, state)
        reads = self.hearing.reads(wanted, names)
        reads, remarks = self._asides.with_remarks(without_told(without_repeats(reads)), names)
        state = self._with_named(remarks, names, state)
        self._pointing.settle(reads, state)
        reads = [
            r for r in reads if not r.operation or not self._orders.forbidden(r.operation, r.clause)
        ]
        if not reads:
            return ParsedPlan(confidence=0.9, reply=self.replies.negated())
        reads = self._joiner.joined(reads, self.scope(names, state))
        reads = self._parallels.apart(reads, self.scope(names, state))
        reads = [self._asked_how(read) for read in begun(reads, self.linker, names)]
        told = self._asides.told(reads) if not dry else []
        state = self._with_named([read.clause for read in told], names, state)
        reads = [read for read in reads if read not in told] or reads
        with_told_winner(reads, [*remarks, *(read.clause for read in told)])
        for read in reads:
            if not self._given(read, dry):
                return self._abstained(reads, read, cut)
        draft = self._planner.plan(reads, names, state, answers, text)
        if draft.question is not None and not answers and self._alien(draft):
            return self._abstained(reads, draft.reads[-1], cut)
        if (device := single_device(draft, self.operations)) is not None:
            reply = self.replies.single_device(device)
            return ParsedPlan(text=text, abstained=True, final=True, reply=reply, confidence=0.9)
        if (span := unread_time(draft, self.operations)) and not draft.question:
            reply = self.replies.not_by_time(span, draft.steps[-1].operation)
            return ParsedPlan(text=text, abstained=True, final=True, reply=reply, confidence=0.9)
        if not dry and draft.question is None and draft.unclear is None:
            draft.unclear = unkept_condition(tokens, draft, self.operations)
            draft.unclear = draft.unclear or self._leftovers.of_condition(draft)
            draft.unread = unread(draft, self.operations) or self._leftovers.of(draft, answers)
            draft.unread = draft.unread or self._asides.denied_setting(clauses, draft, names)
            draft.unread = draft.unread or said_behind(clauses)
        return self._finish(draft, text, dry, answers)

    def changes(self, operation: str) -> bool:
        """True for an operation that changes something, rather than only reads."""
        return self.operations.get(operation).effect is not Effect.READ

    def dangerous(self, operation: str) -> bool:
        """True for an operation that the gate asks about before it runs."""
        return self.operations.get(operation).effect is Effect.DANGEROUS

    def begins(self, operation: str, word: str) -> bool:
        """True for a word that begins an order of an operation, or of what that begins."""
        meant = (operation, fields()["begins"].get(operation, operation))
        return word in self.verbs and any(self._orders.begins(name, word) for name in meant)

    def _with_named(
        self, named: Sequence[Clause], names: NameView, state: ConversationState
    ) -> ConversationState:
        """The state with what clauses name in focus."""
        items: list[Focus] = []
        for clause in named:
            link(clause, self.linker, names)
            items += jobs_named(clause, names)
            for item in model_mentions(clause):
                known = item.mention.names if item.mention else ()
                model = next((n.name for n in known), None) if len(known) == 1 else None
                if model is None:
                    continue
                if isinstance(item.version, int):
                    version = Focus(kind=EntityKind.MODEL_VERSION, value=item.version, of=model)
                    items.append(version)
                items.append(Focus(kind=EntityKind.MODEL, value=model))
            items += [
                Focus(kind=m.kind, value=m.names[0].name)
                for m in clause.mentions
                if m.kind is not EntityKind.MODEL and len(m.names) == 1
            ]
        return state.model_copy(update={"focus": [*items, *state.focus]}) if items else state

    def _asked_how(self, read: Read) -> Read:
        """`how do I roll back the kiosks?` is a question for help, never the act itself."""
        asks = asks_for_help(read.clause, read.route, self._given(read))
        if not asks or _HELP not in self.router.labels:
            return read
        return Read(read.clause, read.route, operation=_HELP)

    def _spelt(self, tokens: Sequence[Token], names: NameView) -> list[Token]:
        """The tokens with slips in ordinary words corrected, but not in what may be a name."""
        known = self._name_words(names)
        kept = frozenset(t.low for t in tokens if t.low in known)
        return self._speller.correct(in_full(tokens, kept), known)

    def _name_words(self, names: NameView) -> NameWords:
        return NameWords(
            [
                self.linker.index(k, names)
                for k in EntityKind
                if k is not EntityKind.MODEL_VERSION and names.names(k)
            ]
        )

    def _wished(self, tokens: list[Token]) -> list[Token]:
        """`would you mind registering …` as the order that it is."""
        rest = strip_leading(tokens, phrases("verbs", "wishes"))
        if not rest or rest == strip_leading(tokens, ()):
            return tokens
        return guards.present_tense(strip_leading(rest, polite()), self.verbs)

    def scope(self, names: NameView, state: ConversationState) -> Scope:
        """What reading a clause needs beside its words."""
        return Scope(names, self.linker, state, [], {}, self.verbs, self.operations, self.known)

    def _given(self, read: Read, dry: bool = False) -> bool:
        """True if a read may be planned: known, and said as an order where it acts."""
        return read.operation is not None and (
            dry or self._orders.given(read.operation, read.clause)
        )

    def _abstained(self, reads: list[Read], unknown: Read, cut: bool) -> ParsedPlan:
        route = unknown.route
        nearest = [route.operation, *(name for name, _ in route.runners)] if route else []
        reply = (
            self.replies.pasted()
            if cut
            else self.replies.outside(nearest, join(unknown.clause.tokens), len(reads) > 1)
        )
        confidence = max(0.0, min(1.0, 1 - (route.probability if route else 0)))
        return ParsedPlan(
            abstained=True,
            reply=reply,
            confidence=round(confidence, 4),
            reasons=_reasons(reads),
        )

    def _alien(self, draft: Draft) -> bool:
        """True if a clause that lacks something speaks of nothing known: `promote my post`."""
        read = draft.asked
        if read is None or read.clause.mentions or "reference" in read.clause.claimed:
            return False
        strange = [
            t.low
            for t in read.clause.tokens
            if t.kind == "word" and t.low.isalpha() and t.low not in self.known
        ]
        near = draft.question is not None and "Did you mean" in draft.question.text
        return len(strange) >= 2 and not near

    def _finish(self, draft: Draft, text: str, dry: bool, answers: dict[str, Any]) -> ParsedPlan:
        confidence = min((r.route.probability for r in draft.reads if r.route), default=1.0)
        plan = ParsedPlan(
            text=text,
            dry_run=dry,
            confidence=round(confidence, 4),
            answers=answers,
            reasons=_reasons(draft.reads),
            spoken_of=_documents(draft.reads),
        )
        if draft.unclear is not None:
            plan.abstained, plan.reply = True, self.replies.condition(draft.unclear)
        elif draft.unread is not None:
            plan.abstained, plan.reply = True, self._told_of_unread(draft)
        elif draft.question is not None:
            plan.question, plan.known = draft.question, draft.known
        else:
            plan.steps = draft.steps
        return plan

    def _told_of_unread(self, draft: Draft) -> str:
        """What is said of words that no argument takes in."""
        said = draft.unread or ""
        asked = draft.steps[-1].operation if draft.steps else ""
        back = asked == "deployment.rollback" and _VERSION_SAID.search(said)
        if back:
            return self.replies.back_to_version(back.group())
        return self.replies.unread(said, [step.operation for step in draft.steps])

    def answers_question(self, question: Question, tokens: Sequence[Token], names: NameView) -> Any:
        """The value by which a sentence answers a question; None if it does not."""
        return value_for(self, question, tokens, names)


def _documents(reads: Sequence[Read]) -> list[Focus]:
    """The documents that clauses name, each for sure."""
    found = [m for read in reads for m in read.clause.mentions if len(m.names) == 1]
    kind = EntityKind.DOCUMENT
    return [Focus(kind=kind, value=m.names[0].name) for m in found if m.kind is kind]


_ENDING = frozenset(["stop", "cancel", "abort", "kill"])
"""After a remark these order something: `job 40 diverged, stop it`."""
_VERSION_SAID = re.compile(r"\b(?:v|version )\d+\b", re.I)


def _asks_what(clause: Clause) -> bool:
    """True for the `what would you do?` after what is only to be tried."""
    first = clause.tokens[0].low
    return first in {"what", "what'd", "how", "how'd", "would", "who", "will", "does"}


def _reasons(reads: list[Read]) -> list[Reason]:
    return [
        Reason(
            text=join(read.clause.tokens),
            operation=read.operation,
            confidence=round(read.route.probability, 4) if read.route else 0.0,
            runners=[(n, round(p, 4)) for n, p in read.route.runners] if read.route else [],
            arguments={e.slot: e.text for e in read.evidence},
        )
        for read in reads
    ]
