"""A conversation's stored events, folded into what the chat shows.

There is one path: a conversation that is going on and one that is opened again a week later, in
another browser or after a crash, are drawn from the same events by the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tools.kernel.events import Event
from ui import words
from ui.chat import plots
from ui.chat.answers import answer, proof_of
from ui.chat.cards import approval_card, decisions, plan_lines, would
from ui.chat.links import linked
from ui.chat.markdown import code, plain, problem
from ui.chat.sheet import Changes, Sheet, button
from ui.chat.turn_view import TurnView, Work

Json = dict[str, Any]


class Transcript:
    """What a conversation looks like so far.

    Args:
        thread: the conversation.
        author: who speaks in it, as the chat names them.
        approval: reads an approval as it stands now.
        currency: the unit of costs.

    Attributes:
        steps: messages and steps by id, in order.
        elements: plots and task lists by id.
        actions: the buttons under each message.
        turns: the turns by number.
        uploads: files that wait for a yes, by upload.
        last: the id of the last event that was taken.
    """

    def __init__(
        self, thread: str, author: str, approval: Callable[[str], Json], currency: str = ""
    ) -> None:
        self._sheet = Sheet(thread)
        self.steps = self._sheet.steps
        self.elements = self._sheet.elements
        self.actions = self._sheet.actions
        self.turns: dict[int, TurnView] = {}
        self.uploads: dict[str, Json] = {}
        self.last = 0
        self._author = author
        self._approval = approval
        self._currency = currency
        self._said: tuple[str, str] | None = None
        self._cards: dict[str, tuple[str, int]] = {}

    def take(self, event: Event) -> Changes:
        """Take an event in.

        Returns:
            What has changed.
        """
        changes = self._sheet.changes = Changes()
        self.last = event.id
        self._sheet.at = _stamp(event.at)
        if event.kind == "assistant":
            self._assistant(event.data, event.id)
        elif event.kind.startswith("approval."):
            self._decided(event.data)
        elif event.kind == "chat":
            taker = getattr(self, f"_chat_{event.data.get('kind')}", None)
            if taker is not None:
                taker(event.data, event.id)
        return changes

    @property
    def running(self) -> list[TurnView]:
        """The turns that have not come to an end or a halt."""
        return [turn for turn in self.turns.values() if not turn.status]

    def holds_card(self, approval: str) -> bool:
        """True if the conversation shows that approval."""
        return approval in self._cards

    def sentence_of(self, approval: str) -> str:
        """The sentence that led to an approval."""
        card = self._cards.get(approval)
        return self.turns[card[1]].sentence if card else ""

    def turn_of_run(self, run: str) -> TurnView | None:
        """The turn whose answers a run holds."""
        return next((t for t in self.turns.values() if t.run == run), None)

    # What people do in the chat.

    def _chat_said(self, data: Json, _number: int) -> None:
        """Somebody said something; the turn that comes of it hangs below."""
        files = "".join(f"\n(attached: {name})" for name in data.get("files") or [])
        self._sheet.user_message(data["id"], self._author, f"{data.get('text', '')}{files}".strip())
        self._said = (data["id"], data.get("text", ""))

    def _chat_note(self, data: Json, number: int) -> None:
        """A line of the chat's own: an upload, a stop, a decision."""
        self._sheet.message(self._sheet.id("note", number), self._root(), data.get("markdown", ""))

    def _chat_upload(self, data: Json, _number: int) -> None:
        """Files that wait for a yes; decided ones lose their buttons."""
        upload = str(data.get("upload"))
        message = self._sheet.id("upload", upload)
        if data.get("state") == "waiting":
            self.uploads[upload] = data
            self._sheet.message(message, self._root(), data["markdown"])
            held = {"upload": upload}
            store = button("store", "Store it", held, icon="check")
            self._sheet.buttons(message, [store, button("discard", "Discard", held, icon="x")])
            return
        self.uploads.pop(upload, None)
        shown = self.steps.get(message)
        if shown is not None:
            self._sheet.put({**shown, "output": f"{shown['output']}\n\n*{data.get('told', '')}*"})
            self._sheet.buttons(message, [])

    def _root(self) -> str | None:
        """The run that the chat's own lines go to: that of the last sentence."""
        if self._said is not None:
            return self._run_below(self._said[0])
        last = max(self.turns, default=None)
        return None if last is None else self.turns[last].run

    # What the assistant tells.

    def _assistant(self, data: Json, number: int) -> None:
        kind = data["kind"]
        turn = self._begin(data) if kind == "plan" else self._turn(data)
        taker = getattr(self, f"_on_{kind}", None)
        if taker is not None:
            taker(turn, data, number)

    def _begin(self, data: Json) -> TurnView:
        sentence = str(data["plan"].get("text") or "")
        if self._said is None:
            said = self._sheet.id("said", data.get("turn", 0))
            self._sheet.user_message(said, self._author, sentence)
        else:
            said, sentence = self._said
            self._said = None
        turn = TurnView(self._sheet, data.get("turn", 0), self._run_below(said), sentence)
        self.turns[turn.number] = turn
        return turn

    def _turn(self, data: Json) -> TurnView:
        """The turn of an event; after an answer to what it waited for, it goes on below that."""
        turn = self.turns.get(data.get("turn", 0))
        if turn is None:
            turn = TurnView(self._sheet, data.get("turn", 0), self._run_below(None))
            self.turns[turn.number] = turn
        if turn.status and turn.waits:
            turn.status, turn.waits = "", False
            if self._said is not None:
                turn.run = self._run_below(self._said[0])
                self._said = None
            turn.drop_buttons()
        return turn

    def _run_below(self, said: str | None) -> str:
        run = self._sheet.id("run", said or "none")
        if run not in self.steps:
            shown = self._sheet.step(run, "on_message", "run", said)
            self._sheet.put({**shown, "start": self._sheet.at})
        return run

    def _on_plan(self, turn: TurnView, data: Json, _number: int) -> None:
        plan = data["plan"]
        for step in plan.get("steps") or []:
            turn.works[step["id"]] = Work(
                step["id"], step["operation"], step.get("arguments") or {}
            )
        if turn.works and not plan.get("dry_run") and not plan.get("question"):
            turn.draw_plan()

    def _on_question(self, turn: TurnView, data: Json, number: int) -> None:
        question = data["question"]
        message = self._sheet.id("question", number)
        self._sheet.message(message, turn.run, plain(question["text"]))
        offered = [str(c) for c in question.get("candidates") or []][:8]
        self._sheet.buttons(message, [button("answer", c, {"text": c}) for c in offered])

    def _on_confirm(self, turn: TurnView, data: Json, number: int) -> None:
        message = turn.confirm_id
        steps = plan_lines(data.get("steps") or [])
        self._sheet.message(message, turn.run, f"**{plain(data['text'])}**\n\n{steps}")
        held = {"turn": turn.number}
        yes = button("confirm", "Yes, do it", {**held, "yes": True}, icon="check")
        no = button("confirm", "No", {**held, "yes": False}, icon="x")
        self._sheet.buttons(message, [yes, no])

    def _on_step_started(self, turn: TurnView, data: Json, _number: int) -> None:
        work = turn.work(data)
        work.operation, work.state = data["operation"], "running"
        work.arguments = data.get("arguments") or work.arguments
        turn.begin_step(work, _named(data))
        turn.draw_plan()

    def _on_progress(self, turn: TurnView, data: Json, _number: int) -> None:
        turn.take_progress(turn.work(data), data)

    def _on_step_finished(self, turn: TurnView, data: Json, number: int) -> None:
        work = turn.work(data)
        receipt, result = data["receipt"], data.get("result") or {}
        operation = receipt.get("operation") or work.operation
        work.state = "done"
        turn.end_step(work, proof_of(receipt))
        if work.job is not None:
            took = words.duration(receipt.get("seconds"))
            turn.end_job(work, f"Job {linked('job', work.job)}: done in {took}.")
            self._sheet.changes.toast = (
                f"Job {work.job} is done: {receipt.get('says') or operation}"
            )
        message = self._sheet.id("answer", number)
        self._sheet.message(message, turn.run, answer(operation, receipt, result))
        drawn = plots.of_result(operation, result)
        if drawn is not None:
            self._sheet.plot(self._sheet.id("plot", number), message, *drawn)
        if receipt.get("approval") in self._cards:
            self._draw_card(receipt["approval"])
        turn.draw_plan()

    def _on_step_failed(self, turn: TurnView, data: Json, number: int) -> None:
        work = turn.work(data)
        work.state = "failed"
        told = problem(data["error"])
        turn.end_step(work, told, failed=True)
        if work.job is not None:
            turn.end_job(work, f"Job {linked('job', work.job)} did not finish.")
            self._sheet.changes.toast = f"Job {work.job} did not finish"
        self._sheet.message(self._sheet.id("failed", number), turn.run, f"✘ {told}")
        turn.draw_plan()

    def _on_step_skipped(self, turn: TurnView, data: Json, number: int) -> None:
        work = turn.work(data)
        work.state = "skipped"
        told = f"{code(work.operation)} was not run: {plain(data['reason'])}"
        self._sheet.message(self._sheet.id("skipped", number), turn.run, told)
        turn.draw_plan()

    def _on_approval(self, turn: TurnView, data: Json, _number: int) -> None:
        work = turn.work(data)
        work.state = "held"
        approval = data["approval"]
        turn.end_step(work, "Needs an approval; nothing was done.", ended=False)
        self._cards[approval["id"]] = (self._sheet.id("card", approval["id"]), turn.number)
        self._draw_card(approval["id"])
        turn.draw_plan()

    def _on_preflight(self, turn: TurnView, data: Json, number: int) -> None:
        told = would(data["preview"], self._currency)
        self._sheet.message(self._sheet.id("would", number), turn.run, told)

    def _on_message(self, turn: TurnView, data: Json, number: int) -> None:
        self._sheet.message(self._sheet.id("message", number), turn.run, plain(data["text"]))

    def _on_done(self, turn: TurnView, data: Json, number: int) -> None:
        turn.status = data["status"]
        turn.waits = turn.status.startswith("needs_")
        self._sheet.put({**self.steps[turn.run], "end": self._sheet.at})
        if data.get("use"):
            used = plain(words.model_use(data["use"], self._currency))
            self._sheet.message(self._sheet.id("use", number), turn.run, f"*{used}*")
        if not turn.waits:
            turn.drop_buttons()
        if turn.status == "cancelled":
            turn.stop()
        turn.draw_plan()

    def _decided(self, data: Json) -> None:
        """Somebody decided an approval, through whatever door."""
        if data.get("approval") in self._cards:
            self._draw_card(data["approval"])

    def _draw_card(self, approval: str) -> None:
        message, number = self._cards[approval]
        turn = self.turns[number]
        found = self._approval(approval)
        card = approval_card(found, turn.sentence, self._currency)
        self._sheet.message(message, turn.run, card)
        self._sheet.buttons(message, decisions(found) if found.get("status") == "pending" else [])


def _named(data: Json) -> str:
    return f"{data['operation']} · {data.get('agent', '')}".rstrip(" ·")


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
