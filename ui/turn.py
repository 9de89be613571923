"""One turn as its events tell it: what a program gets from `--json`, and a door decides on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tools.kernel.errors import PilothouseError, Unavailable
from ui.errors import EXIT_OF_TURN, FAILED, problem

Json = dict[str, Any]


@dataclass
class Turn:
    """What has happened in a turn so far.

    Attributes:
        status: of its `done` event; `failed` until there is one.
        receipts: the full receipts, in the order in which steps finished.
        results: the steps' results by step.
        confirm: what a person says yes or no to.
        approval: the approval that is waited for.
        error: what ended the turn before its time.
    """

    thread: str = ""
    status: str = "failed"
    ended: bool = False
    plan: Json | None = None
    receipts: list[Json] = field(default_factory=list[Json])
    results: dict[str, Json] = field(default_factory=dict[str, Json])
    previews: dict[str, Json] = field(default_factory=dict[str, Json])
    failures: dict[str, Json] = field(default_factory=dict[str, Json])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    use: Json | None = None
    question: Json | None = None
    confirm: Json | None = None
    approval: Json | None = None
    messages: list[str] = field(default_factory=list[str])
    error: Json | None = None
    events: list[Json] = field(default_factory=list[Json])

    def add(self, event: Json) -> None:
        """Take an event in."""
        self.thread = event.get("thread") or self.thread
        self.events.append(event)
        taker = getattr(self, f"_on_{event['kind']}", None)
        if taker is not None:
            taker(event)

    def follow(self, events: Iterable[Json], show: Any = None) -> Turn:
        """Take all events in, showing each; whatever cuts them off becomes the turn's error.

        Args:
            events: the stream.
            show: called with every event.
        """
        self.status, self.ended, self.error = "failed", False, None
        self.question = self.confirm = self.approval = None
        try:
            for event in events:
                self.add(event)
                if show is not None:
                    show(event)
            if not self.ended:
                raise Unavailable(
                    "The platform stopped in the middle of the turn.",
                    hint=f"It goes on when it runs again: pilothouse threads {self.thread} --watch",
                )
        except PilothouseError as error:
            self.error = problem(error)
        return self

    @property
    def exit_code(self) -> int:
        """What a command ends with after this turn."""
        if self.error is not None:
            return int(self.error.get("exit_code", FAILED))
        return EXIT_OF_TURN.get(self.status, FAILED)

    def as_json(self, *, events: bool = False) -> Json:
        """The turn as `ask --json` prints it."""
        told: Json = {
            "thread": self.thread,
            "status": self.status,
            "plan": self.plan,
            "receipts": self.receipts,
            "results": self.results,
            "question": self.question,
            "approval": self.approval,
            "message": "\n".join(self.messages) or None,
            "previews": self.previews,
            "failures": self.failures,
            "skipped": self.skipped,
            "use": self.use,
            "error": self.error,
        }
        return {**told, "events": self.events} if events else told

    def _on_plan(self, event: Json) -> None:
        self.plan = event["plan"]

    def _on_question(self, event: Json) -> None:
        self.question = event["question"]

    def _on_confirm(self, event: Json) -> None:
        self.confirm = event

    def _on_approval(self, event: Json) -> None:
        self.approval = event["approval"]

    def _on_step_finished(self, event: Json) -> None:
        self.receipts.append(event["receipt"])
        self.results[event["step"]] = event.get("revealed") or event["result"]
        self.failures.pop(event["step"], None)

    def _on_step_failed(self, event: Json) -> None:
        self.failures[event["step"]] = event["error"]

    def _on_step_skipped(self, event: Json) -> None:
        self.skipped[event["step"]] = event["reason"]

    def _on_preflight(self, event: Json) -> None:
        self.previews[event["step"]] = event["preview"]

    def _on_message(self, event: Json) -> None:
        self.messages.append(event["text"])

    def _on_done(self, event: Json) -> None:
        self.status, self.ended, self.use = event["status"], True, event.get("use")
