"""A conversation's stored events, folded into what the chat shows.

There is one path: a conversation that is going on and one that is opened again a week later, in
another browser or after a crash, are drawn from the same events by the same code. Identifiers
follow from the events, so that what is sent again replaces what is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tools.kernel.events import Event
from ui import words
from ui.chat import plots
from ui.chat.answers import answer, proof_of
from ui.chat.cards import approval_card, plan_lines, would
from ui.chat.links import linked
from ui.chat.markdown import code, plain, problem

Json = dict[str, Any]
AUTHOR = "Pilothouse"
PLOT_EVERY = 0.02
BAR_CELLS = 20
_MARKS = {"ready": "○", "running": "◐", "done": "✔", "failed": "✘", "skipped": "–", "held": "⏸"}
_TASK = {"skipped": ("ready", " (not run)"), "held": ("ready", " (waits for an approval)")}
_STATUS = {
    "done": "Done",
    "needs_input": "Waits for an answer",
    "needs_confirmation": "Waits for your yes",
    "needs_approval": "Waits for an approval",
    "failed": "Failed",
    "cancelled": "Stopped",
}


@dataclass
class Work:
    """One step of a turn."""

    id: str
    operation: str
    arguments: Json
    state: str = "ready"
    job: int | None = None
    points: list[tuple[float, dict[str, float]]] = field(
        default_factory=list[tuple[float, dict[str, float]]]
    )
    drawn: float = -1.0


@dataclass
class TurnView:
    """One turn: what was said, the run that holds its answers, and its steps."""

    number: int
    run: str
    sentence: str = ""
    works: dict[str, Work] = field(default_factory=dict[str, Work])
    status: str = ""
    waits: bool = False


@dataclass
class Changes:
    """What an event changed: ids of steps, elements, and of messages whose buttons changed."""

    steps: dict[str, None] = field(default_factory=dict[str, None])
    elements: dict[str, None] = field(default_factory=dict[str, None])
    actions: dict[str, None] = field(default_factory=dict[str, None])
    toast: str = ""


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
        self.thread = thread
        self.steps: dict[str, Json] = {}
        self.elements: dict[str, Json] = {}
        self.actions: dict[str, list[Json]] = {}
        self.turns: dict[int, TurnView] = {}
        self.uploads: dict[str, Json] = {}
        self.last = 0
        self._author = author
        self._approval = approval
        self._currency = currency
        self._said: tuple[str, str] | None = None
        self._cards: dict[str, tuple[str, int]] = {}
        self._at = ""
        self._changes = Changes()

    def take(self, event: Event) -> Changes:
        """Take an event in.

        Returns:
            What has changed.
        """
        self._changes = Changes()
        self.last = event.id
        self._at = _stamp(event.at)
        if event.kind == "assistant":
            self._assistant(event.data, event.id)
        elif event.kind.startswith("approval."):
            self._decided(event.data)
        elif event.kind == "chat":
            taker = getattr(self, f"_chat_{event.data.get('kind')}", None)
            if taker is not None:
                taker(event.data, event.id)
        return self._changes

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
        self._say_user(data["id"], f"{data.get('text', '')}{files}".strip())
        self._said = (data["id"], data.get("text", ""))

    def _chat_note(self, data: Json, number: int) -> None:
        """A line of the chat's own: an upload, a stop, a decision."""
        self._message(self._id("note", number), self._root(), data.get("markdown", ""))

    def _chat_upload(self, data: Json, _number: int) -> None:
        """Files that wait for a yes; decided ones lose their buttons."""
        upload = str(data.get("upload"))
        message = self._id("upload", upload)
        if data.get("state") == "waiting":
            self.uploads[upload] = data
            self._message(message, self._root(), data["markdown"])
            held = {"upload": upload}
            store = _action("store", "Store it", held, icon="check")
            self._buttons(message, [store, _action("discard", "Discard", held, icon="x")])
            return
        self.uploads.pop(upload, None)
        shown = self.steps.get(message)
        if shown is not None:
            self._put({**shown, "output": f"{shown['output']}\n\n*{data.get('told', '')}*"})
            self._buttons(message, [])

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
            said = self._id("said", data.get("turn", 0))
            self._say_user(said, sentence)
        else:
            said, sentence = self._said
            self._said = None
        turn = TurnView(data.get("turn", 0), self._run_below(said), sentence)
        self.turns[turn.number] = turn
        return turn

    def _turn(self, data: Json) -> TurnView:
        """The turn of an event; after an answer to what it waited for, it goes on below that."""
        turn = self.turns.get(data.get("turn", 0))
        if turn is None:
            turn = TurnView(data.get("turn", 0), self._run_below(None))
            self.turns[turn.number] = turn
        if turn.status and turn.waits:
            turn.status, turn.waits = "", False
            if self._said is not None:
                turn.run = self._run_below(self._said[0])
                self._said = None
            self._drop_buttons(turn)
        return turn

    def _run_below(self, said: str | None) -> str:
        run = self._id("run", said or "none")
        if run not in self.steps:
            shown = self._step(run, "on_message", "run", said)
            self._put({**shown, "start": self._at})
        return run

    def _on_plan(self, turn: TurnView, data: Json, _number: int) -> None:
        plan = data["plan"]
        for step in plan.get("steps") or []:
            turn.works[step["id"]] = Work(
                step["id"], step["operation"], step.get("arguments") or {}
            )
        if turn.works and not plan.get("dry_run") and not plan.get("question"):
            self._draw_plan(turn)

    def _on_question(self, turn: TurnView, data: Json, number: int) -> None:
        question = data["question"]
        message = self._id("question", number)
        self._message(message, turn.run, plain(question["text"]))
        offered = [str(c) for c in question.get("candidates") or []][:8]
        self._buttons(message, [_action("answer", c, {"text": c}) for c in offered])

    def _on_confirm(self, turn: TurnView, data: Json, number: int) -> None:
        message = self._id("confirm", f"{turn.number}")
        steps = plan_lines(data.get("steps") or [])
        self._message(message, turn.run, f"**{plain(data['text'])}**\n\n{steps}")
        held = {"turn": turn.number}
        yes = _action("confirm", "Yes, do it", {**held, "yes": True}, icon="check")
        no = _action("confirm", "No", {**held, "yes": False}, icon="x")
        self._buttons(message, [yes, no])

    def _on_step_started(self, turn: TurnView, data: Json, _number: int) -> None:
        work = self._work(turn, data)
        work.operation, work.state = data["operation"], "running"
        work.arguments = data.get("arguments") or work.arguments
        shown = self._step(self._work_id(turn, work), _named(data), "tool", turn.run)
        given = words.arguments(work.arguments) or "no arguments"
        self._put({**shown, "start": self._at, "input": given, "showInput": "text"})
        self._draw_plan(turn)

    def _on_progress(self, turn: TurnView, data: Json, _number: int) -> None:
        work = self._work(turn, data)
        work.job = data.get("job") or work.job
        fraction = float(data.get("fraction") or 0.0)
        metrics = data.get("metrics") or {}
        if metrics and (not work.points or work.points[-1][1] != metrics):
            work.points.append((fraction, metrics))
        self._draw_job(turn, work, fraction, str(data.get("message") or ""))
        if fraction - work.drawn >= PLOT_EVERY and len(work.points) > 1:
            work.drawn = fraction
            self._draw_curves(turn, work)

    def _on_step_finished(self, turn: TurnView, data: Json, number: int) -> None:
        work = self._work(turn, data)
        receipt, result = data["receipt"], data.get("result") or {}
        operation = receipt.get("operation") or work.operation
        work.state = "done"
        self._end_step(turn, work, proof_of(receipt))
        if work.job is not None:
            took = words.duration(receipt.get("seconds"))
            self._end_job(turn, work, f"Job {linked('job', work.job)}: done in {took}.")
            self._changes.toast = f"Job {work.job} is done: {receipt.get('says') or operation}"
        message = self._id("answer", number)
        self._message(message, turn.run, answer(operation, receipt, result))
        drawn = plots.of_result(operation, result)
        if drawn is not None:
            self._plot(self._id("plot", number), message, *drawn)
        if receipt.get("approval") in self._cards:
            self._draw_card(receipt["approval"])
        self._draw_plan(turn)

    def _on_step_failed(self, turn: TurnView, data: Json, number: int) -> None:
        work = self._work(turn, data)
        work.state = "failed"
        told = problem(data["error"])
        self._end_step(turn, work, told, failed=True)
        if work.job is not None:
            self._end_job(turn, work, f"Job {linked('job', work.job)} did not finish.")
            self._changes.toast = f"Job {work.job} did not finish"
        self._message(self._id("failed", number), turn.run, f"✘ {told}")
        self._draw_plan(turn)

    def _on_step_skipped(self, turn: TurnView, data: Json, number: int) -> None:
        work = self._work(turn, data)
        work.state = "skipped"
        told = f"{code(work.operation)} was not run: {plain(data['reason'])}"
        self._message(self._id("skipped", number), turn.run, told)
        self._draw_plan(turn)

    def _on_approval(self, turn: TurnView, data: Json, _number: int) -> None:
        work = self._work(turn, data)
        work.state = "held"
        approval = data["approval"]
        self._end_step(turn, work, "Needs an approval; nothing was done.", ended=False)
        self._cards[approval["id"]] = (self._id("card", approval["id"]), turn.number)
        self._draw_card(approval["id"])
        self._draw_plan(turn)

    def _on_preflight(self, turn: TurnView, data: Json, number: int) -> None:
        told = would(data["preview"], self._currency)
        self._message(self._id("would", number), turn.run, told)

    def _on_message(self, turn: TurnView, data: Json, number: int) -> None:
        self._message(self._id("message", number), turn.run, plain(data["text"]))

    def _on_done(self, turn: TurnView, data: Json, number: int) -> None:
        turn.status = data["status"]
        turn.waits = turn.status.startswith("needs_")
        self._put({**self.steps[turn.run], "end": self._at})
        if data.get("use"):
            used = plain(words.model_use(data["use"], self._currency))
            self._message(self._id("use", number), turn.run, f"*{used}*")
        if not turn.waits:
            self._drop_buttons(turn)
        if turn.status == "cancelled":
            for work in turn.works.values():
                if work.state in ("running", "ready"):
                    self._end_step(turn, work, "Stopped before it was done.", failed=True)
                    work.state = "failed"
                    if work.job is not None:
                        self._end_job(turn, work, f"Job {linked('job', work.job)} was stopped.")
        self._draw_plan(turn)

    def _decided(self, data: Json) -> None:
        """Somebody decided an approval, through whatever door."""
        if data.get("approval") in self._cards:
            self._draw_card(data["approval"])

    # Drawing.

    def _draw_card(self, approval: str) -> None:
        message, number = self._cards[approval]
        turn = self.turns[number]
        found = self._approval(approval)
        card = approval_card(found, turn.sentence, self._currency)
        self._message(message, turn.run, card)
        self._buttons(message, _decisions(found) if found.get("status") == "pending" else [])

    def _draw_plan(self, turn: TurnView) -> None:
        if not turn.works:
            return
        tasks = [{**_task(w), "forId": self._work_id(turn, w)} for w in turn.works.values()]
        status = _STATUS.get(turn.status) or "Running"
        self._element(
            self._id("tasks", turn.number),
            "tasklist",
            "tasks",
            plots.data_url({"status": status, "tasks": tasks}),
        )
        if len(turn.works) > 1:
            lines = [
                f"{_MARKS[w.state]} {n}. {code(w.operation)} {plain(words.arguments(w.arguments))}"
                for n, w in enumerate(turn.works.values(), 1)
            ]
            told = "**Plan**\n\n" + "  \n".join(lines)
            self._message(self._id("plan", turn.number), turn.run, told)

    def _draw_job(self, turn: TurnView, work: Work, fraction: float, said: str) -> None:
        filled = round(fraction * BAR_CELLS)
        bar = "█" * filled + "░" * (BAR_CELLS - filled)
        told = (
            f"Job {linked('job', work.job)} works on {code(work.operation)}; you can go on talking."
            f"\n\n`{bar}` {fraction:.0%}  \n{plain(said)}"
        )
        message = self._job_id(turn, work)
        new = message not in self.steps
        self._message(message, turn.run, told)
        if new:
            stop = _action("stop", "Stop this job", {"turn": turn.number}, icon="square")
            self._buttons(message, [stop])
        shown = self.steps.get(self._work_id(turn, work))
        if shown is not None:
            self._put({**shown, "output": f"{fraction:.0%} {plain(said)}"})

    def _end_job(self, turn: TurnView, work: Work, told: str) -> None:
        message = self._job_id(turn, work)
        if message in self.steps:
            self._message(message, turn.run, told)
            self._buttons(message, [])
            self._draw_curves(turn, work)

    def _draw_curves(self, turn: TurnView, work: Work) -> None:
        drawn = plots.curves(work.points, f"{work.operation}, job {work.job}")
        if drawn is not None:
            message = self._job_id(turn, work)
            self._plot(self._id("curve", message), message, "curves", drawn)

    def _plot(self, element: str, message: str, name: str, figure: Json) -> None:
        self._element(element, "plotly", name, plots.data_url(figure), message)

    def _end_step(
        self, turn: TurnView, work: Work, told: str, *, failed: bool = False, ended: bool = True
    ) -> None:
        shown = self.steps.get(self._work_id(turn, work))
        if shown is not None:
            end = self._at if ended else None
            self._put({**shown, "output": told, "end": end, "isError": failed})

    def _drop_buttons(self, turn: TurnView) -> None:
        """Take away what the turn no longer waits for: its confirmation and its questions."""
        for message in [m for m, held in self.actions.items() if held]:
            kinds = {a["name"] for a in self.actions[message]}
            if self.steps[message].get("parentId") == turn.run and kinds & {"confirm", "answer"}:
                self._buttons(message, [])
        confirm = self._id("confirm", f"{turn.number}")
        if self.actions.get(confirm):
            self._buttons(confirm, [])

    def _work(self, turn: TurnView, data: Json) -> Work:
        known = turn.works.get(data["step"])
        if known is None:
            known = Work(data["step"], data.get("operation", ""), data.get("arguments") or {})
            turn.works[known.id] = known
        return known

    def _work_id(self, turn: TurnView, work: Work) -> str:
        return self._id("step", f"{turn.number}.{work.id}")

    def _job_id(self, turn: TurnView, work: Work) -> str:
        return self._id("job", f"{turn.number}.{work.id}")

    def _id(self, kind: str, key: object) -> str:
        return str(uuid5(NAMESPACE_URL, f"pilothouse:{self.thread}:{kind}:{key}"))

    def _say_user(self, message: str, text: str) -> None:
        shown = self._step(message, self._author, "user_message", None)
        self._put({**shown, "output": text})

    def _message(self, message: str, run: str | None, markdown: str) -> None:
        known = self.steps.get(message)
        shown = known or self._step(message, AUTHOR, "assistant_message", run)
        self._put({**shown, "output": markdown})

    def _step(self, step: str, name: str, kind: str, parent: str | None) -> Json:
        return {
            "id": step,
            "threadId": self.thread,
            "parentId": parent,
            "name": name,
            "type": kind,
            "input": "",
            "output": "",
            "createdAt": self._at,
            "start": self._at if kind != "tool" else None,
            "end": self._at if kind.endswith("message") else None,
            "metadata": {"avatarName": AUTHOR},
            "streaming": False,
            "isError": False,
            "waitForAnswer": False,
            "showInput": False,
            "defaultOpen": False,
            "autoCollapse": False,
        }

    def _put(self, step: Json) -> None:
        if self.steps.get(step["id"]) != step:
            self.steps[step["id"]] = step
            self._changes.steps[step["id"]] = None

    def _element(self, element: str, kind: str, name: str, url: str, message: str = "") -> None:
        self.elements[element] = {
            "id": element,
            "threadId": self.thread,
            "type": kind,
            "name": name,
            "url": url,
            "display": "inline",
            "size": "large",
            "forId": message or None,
            "mime": "application/json",
        }
        self._changes.elements[element] = None

    def _buttons(self, message: str, actions: list[Json]) -> None:
        if not actions and not self.actions.get(message):
            return
        self.actions[message] = [
            {**a, "id": self._id("action", f"{message}:{n}"), "forId": message}
            for n, a in enumerate(actions)
        ]
        self._changes.actions[message] = None


def _task(work: Work) -> Json:
    status, note = _TASK.get(work.state, (work.state, ""))
    about = plain(words.arguments(work.arguments)[:200])
    return {"title": f"{code(work.operation)} {about}{note}", "status": status}


def _action(name: str, label: str, payload: Json, icon: str | None = None) -> Json:
    return {"name": name, "label": label, "payload": payload, "tooltip": "", "icon": icon}


def _decisions(approval: Json) -> list[Json]:
    held = {"approval": approval["id"]}
    return [
        _action("approve", "Approve", held, icon="check"),
        _action("deny", "Deny, with a reason", held, icon="x"),
        _action("edit", "Edit and plan anew", held, icon="pencil"),
    ]


def _named(data: Json) -> str:
    return f"{data['operation']} · {data.get('agent', '')}".rstrip(" ·")


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
