"""Draws the assistant's events: the plan that ticks off, progress, cards, answers, receipts.

Used by `ask`, `chat` and the demo alike. On a terminal the plan is one live block; in a pipe every
event is a line or a few, so that a log reads from top to bottom.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ui import words
from ui.cards import approval_card, draw_result, receipt_lines, receipt_name, secret_lines

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Json = dict[str, Any]
PROGRESS_STEP = 0.1
PROGRESS_SECONDS = 5.0
MARKS = {
    "waiting": ("○", "dim"),
    "running": ("◐", "cyan"),
    "done": ("✔", "green"),
    "failed": ("✘", "red"),
    "skipped": ("–", "dim"),
    "held": ("⏸", "yellow"),
}


@dataclass
class StepView:
    """One step as it is drawn."""

    id: str
    operation: str
    about: str
    state: str = "waiting"
    agent: str = ""
    fraction: float | None = None
    progress: str = ""
    lines: list[str] = field(default_factory=list[str])

    @property
    def number(self) -> str:
        """`1` for `s1`."""
        return self.id.removeprefix("s")


class Renderer:
    """Draws events as lines.

    Args:
        screen: where to.
        currency: the unit of costs on approval cards.
    """

    def __init__(self, screen: Console, currency: str = "") -> None:
        self.screen = screen
        self._currency = currency
        self._sentence: str | None = None
        self._steps: dict[str, StepView] = {}
        self._told: dict[str, tuple[float, float]] = {}

    def show(self, event: Json) -> None:
        """Draw one event."""
        drawer: Callable[[Json], None] | None = getattr(self, f"_on_{event['kind']}", None)
        if drawer is not None:
            drawer(event)

    def close(self) -> None:
        """Finish whatever is drawn in place; before a prompt, and at the end of the turn."""

    def problem(self, error: Json) -> None:
        """Draw an error that ended the turn."""
        self.close()
        self._print("failed", words.problem_lines(error))

    def _on_plan(self, event: Json) -> None:
        plan: Json = event["plan"]
        self._sentence = plan.get("text")
        self._steps = {s["id"]: _view(s) for s in plan.get("steps") or []}
        if plan.get("steps"):
            self._begin_plan(plan)

    def _begin_plan(self, plan: Json) -> None:
        self._say(headline(plan), "dim")
        for step in plan["steps"]:
            view = self._steps[step["id"]]
            condition = _condition(step)
            self._say(f"  ○ {view.number} {view.operation}  {view.about}{condition}")

    def _on_step_started(self, event: Json) -> None:
        view = self._step(event)
        view.state, view.agent = "running", event.get("agent", "")
        view.about = words.arguments(event.get("arguments") or {}) or view.about
        self._changed(view)

    def _on_progress(self, event: Json) -> None:
        view = self._step(event)
        view.state, view.fraction = "running", float(event.get("fraction") or 0.0)
        view.progress = _progress(event)
        self._moved(view)

    def _on_step_finished(self, event: Json) -> None:
        view, receipt = self._step(event), event["receipt"]
        view.state = "done"
        says = receipt.get("says") or view.operation
        told = [f"{says} ({receipt_name(receipt)})", *receipt_lines(receipt)]
        view.lines = [*told, *secret_lines(event)]
        self._changed(view)
        self._result(receipt.get("operation", view.operation), event.get("result") or {})

    def _on_step_failed(self, event: Json) -> None:
        view = self._step(event)
        view.state, view.lines = "failed", words.problem_lines(event["error"])
        self._changed(view)

    def _on_step_skipped(self, event: Json) -> None:
        view = self._step(event)
        view.state, view.lines = "skipped", [f"not run: {event['reason']}"]
        self._changed(view)

    def _on_approval(self, event: Json) -> None:
        view = self._step(event)
        view.state, view.lines = "held", ["needs an approval; nothing was done"]
        self._changed(view)
        self._card(
            approval_card(event["approval"], sentence=self._sentence, currency=self._currency)
        )

    def _on_preflight(self, event: Json) -> None:
        view, preview = self._step(event), event["preview"]
        view.lines = [f"would: {preview['summary']}", *_would(preview, self._currency)]
        self._changed(view)

    def _on_question(self, event: Json) -> None:
        question: Json = event["question"]
        offered = ", ".join(map(str, question.get("candidates") or []))
        self.close()
        self._say(f"  ? {question['text']}" + (f"  ({offered})" if offered else ""))

    def _on_confirm(self, event: Json) -> None:
        self.close()
        self._say(f"  ? {event['text']}")

    def _on_message(self, event: Json) -> None:
        self.close()
        self._say(f"  {event['text']}")

    def _on_done(self, event: Json) -> None:
        self.close()
        if event["status"] == "cancelled":
            self._say("  cancelled", "yellow")
        if event.get("use"):
            self._say(f"  {words.model_use(event['use'], self._currency)}", "dim")

    def _step(self, event: Json) -> StepView:
        found = self._steps.get(event["step"])
        if found is None:
            found = StepView(event["step"], event.get("operation", ""), "")
            self._steps[found.id] = found
        if event.get("operation"):
            found.operation = event["operation"]
        return found

    def _changed(self, view: StepView) -> None:
        if view.state == "running":
            self._say(f"  ◐ {view.number} {view.operation}  {view.agent}  {view.about}")
        else:
            self._print(view.state, view.lines, view.number)

    def _moved(self, view: StepView) -> None:
        told, at = self._told.get(view.id, (-1.0, 0.0))
        fraction, now = view.fraction or 0.0, time.monotonic()
        if fraction - told >= PROGRESS_STEP or now - at >= PROGRESS_SECONDS:
            self._told[view.id] = (fraction, now)
            self._say(f"      {fraction:4.0%}  {view.progress}", style="dim")

    def _result(self, operation: str, result: Json) -> None:
        draw_result(self.screen, operation, result)

    def _card(self, card: RenderableType) -> None:
        self.close()
        self.screen.print(card)

    def _say(self, line: str, style: str = "") -> None:
        """A line; in a pipe it is never broken, so that it can be searched."""
        self.screen.print(line, style=style, soft_wrap=not self.screen.is_terminal)

    def _print(self, state: str, lines: list[str], number: str = "") -> None:
        mark, style = MARKS.get(state, MARKS["waiting"])
        for n, line in enumerate(lines):
            head = f"  {mark} {number} ".rstrip() + " " if n == 0 else "      "
            self._say(f"{head}{line}", style=style if n == 0 else "dim")


def renderer(screen: Console, currency: str = "") -> Renderer:
    """The renderer that fits: live on a terminal, lines in a pipe."""
    if not screen.is_terminal:
        return Renderer(screen, currency)
    from ui.live import LiveRenderer

    return LiveRenderer(screen, currency)


def _view(step: Json) -> StepView:
    return StepView(step["id"], step["operation"], words.arguments(step.get("arguments") or {}))


def headline(plan: Json) -> str:
    """How many steps, how sure, how fast."""
    steps = len(plan["steps"])
    kind = "dry run" if plan.get("dry_run") else "plan"
    sure = f"{float(plan.get('confidence') or 0):.0%} sure, {float(plan.get('ms') or 0):.0f} ms"
    return f"  {kind}: {steps} step{'s' if steps != 1 else ''} ({sure})"


def _condition(step: Json) -> str:
    condition = step.get("condition")
    if not condition:
        return ""
    left, right = words.value(condition["left"]), words.value(condition["right"])
    margin = f" by {condition['margin']:g}" if condition.get("margin") else ""
    word = "unless" if condition.get("otherwise") else "if"
    return f"  ({word} {left} {condition['op']} {right}{margin})"


def _progress(event: Json) -> str:
    """What the job says; its bare figures only where it says nothing."""
    figures = [f"{name} {words.value(v)}" for name, v in (event.get("metrics") or {}).items()]
    return event.get("message") or " · ".join(figures[:4])


def _would(preview: Json, currency: str) -> list[str]:
    lines = [
        f"{c['what']}: {words.value(c.get('before'))} → {words.value(c.get('after'))}"
        for c in preview.get("changes") or []
    ]
    lines += [f"warning: {text}" for text in preview.get("warnings") or []]
    if preview.get("seconds") is not None:
        cost = words.money(preview.get("cost"), currency)
        lines.append(f"estimated at {words.duration(preview['seconds'])}, {cost}")
    return lines
