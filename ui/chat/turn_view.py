"""One turn of a conversation as the chat shows it: its plan, its steps and their jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ui import words
from ui.chat import plots
from ui.chat.links import linked
from ui.chat.markdown import code, plain
from ui.chat.sheet import Sheet, button

Json = dict[str, Any]
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
    """One step of a turn.

    Attributes:
        points: at which share of its job which metrics were reported.
        drawn: the share of its job at which its curves were last drawn.
    """

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
    """One turn: what was said, the run that holds its answers, its steps, and how it stands.

    Attributes:
        sheet: where it is drawn.
        waits: True while it waits for a person.
    """

    sheet: Sheet
    number: int
    run: str
    sentence: str = ""
    works: dict[str, Work] = field(default_factory=dict[str, Work])
    status: str = ""
    waits: bool = False

    def work(self, data: Json) -> Work:
        """The step that an event is about."""
        known = self.works.get(data["step"])
        if known is None:
            known = Work(data["step"], data.get("operation", ""), data.get("arguments") or {})
            self.works[known.id] = known
        return known

    def draw_plan(self) -> None:
        """The steps as a task list, and as a message if there are several."""
        if not self.works:
            return
        works = list(self.works.values())
        status = _STATUS.get(self.status) or "Running"
        tasks = [{**_task(w), "forId": self._step_id(w)} for w in works]
        url = plots.data_url({"status": status, "tasks": tasks})
        self.sheet.element(self.sheet.id("tasks", self.number), "tasklist", "tasks", url)
        if len(works) > 1:
            lines = [
                f"{_MARKS[w.state]} {n}. {code(w.operation)} {plain(words.arguments(w.arguments))}"
                for n, w in enumerate(works, 1)
            ]
            told = "**Plan**\n\n" + "  \n".join(lines)
            self.sheet.message(self.sheet.id("plan", self.number), self.run, told)

    def begin_step(self, work: Work, name: str) -> None:
        """A step that has begun, with what it was given."""
        shown = self.sheet.step(self._step_id(work), name, "tool", self.run)
        given = words.arguments(work.arguments) or "no arguments"
        self.sheet.put({**shown, "start": self.sheet.at, "input": given, "showInput": "text"})

    def end_step(self, work: Work, told: str, *, failed: bool = False, ended: bool = True) -> None:
        """What came of a step."""
        end = self.sheet.at if ended else None
        self._change_step(work, {"output": told, "end": end, "isError": failed})

    def _change_step(self, work: Work, changed: Json) -> None:
        shown = self.sheet.steps.get(self._step_id(work))
        if shown is not None:
            self.sheet.put({**shown, **changed})

    def take_progress(self, work: Work, data: Json) -> None:
        """How far a step's job is, and its curves once they have grown enough."""
        work.job = data.get("job") or work.job
        fraction, metrics = float(data.get("fraction") or 0.0), data.get("metrics") or {}
        if metrics and (not work.points or work.points[-1][1] != metrics):
            work.points.append((fraction, metrics))
        self._draw_job(work, fraction, str(data.get("message") or ""))
        if fraction - work.drawn >= PLOT_EVERY and len(work.points) > 1:
            work.drawn = fraction
            self._draw_curves(work)

    def _draw_job(self, work: Work, fraction: float, said: str) -> None:
        filled = round(fraction * BAR_CELLS)
        bar = "█" * filled + "░" * (BAR_CELLS - filled)
        told = (
            f"Job {linked('job', work.job)} works on {code(work.operation)}; you can go on talking."
            f"\n\n`{bar}` {fraction:.0%}  \n{plain(said)}"
        )
        message = self._job_id(work)
        new = message not in self.sheet.steps
        self.sheet.message(message, self.run, told)
        if new:
            stop = button("stop", "Stop this job", {"turn": self.number}, icon="square")
            self.sheet.buttons(message, [stop])
        self._change_step(work, {"output": f"{fraction:.0%} {plain(said)}"})

    def end_job(self, work: Work, told: str) -> None:
        """What came of a step's job, with its curves, and without the button that stops it."""
        message = self._job_id(work)
        if message in self.sheet.steps:
            self.sheet.message(message, self.run, told)
            self.sheet.buttons(message, [])
            self._draw_curves(work)

    def _draw_curves(self, work: Work) -> None:
        drawn = plots.curves(work.points, f"{work.operation}, job {work.job}")
        if drawn is not None:
            message = self._job_id(work)
            self.sheet.plot(self.sheet.id("curve", message), message, "curves", drawn)

    def stop(self) -> None:
        """The steps that were not done when the turn was stopped."""
        for work in self.works.values():
            if work.state in ("running", "ready"):
                self.end_step(work, "Stopped before it was done.", failed=True)
                work.state = "failed"
                if work.job is not None:
                    self.end_job(work, f"Job {linked('job', work.job)} was stopped.")

    def drop_buttons(self) -> None:
        """Take away what the turn no longer waits for: its confirmation and its questions."""
        sheet = self.sheet
        for message in [m for m, held in sheet.actions.items() if held]:
            kinds = {a["name"] for a in sheet.actions[message]}
            if sheet.steps[message].get("parentId") == self.run and kinds & {"confirm", "answer"}:
                sheet.buttons(message, [])
        sheet.buttons(self.confirm_id, [])

    @property
    def confirm_id(self) -> str:
        """The message that asks for a yes to the plan."""
        return self.sheet.id("confirm", f"{self.number}")

    def _step_id(self, work: Work) -> str:
        return self.sheet.id("step", f"{self.number}.{work.id}")

    def _job_id(self, work: Work) -> str:
        return self.sheet.id("job", f"{self.number}.{work.id}")


def _task(work: Work) -> Json:
    status, note = _TASK.get(work.state, (work.state, ""))
    about = plain(words.arguments(work.arguments)[:200])
    return {"title": f"{code(work.operation)} {about}{note}", "status": status}
