"""What is drawn of a conversation: messages, steps, elements and buttons, as Chainlit takes them.

Identifiers follow from what is drawn, so that what is drawn again replaces what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ui.chat.plots import data_url

Json = dict[str, Any]
AUTHOR = "Pilothouse"


@dataclass
class Changes:
    """What an event changed: ids of steps, elements, and of messages whose buttons changed."""

    steps: dict[str, None] = field(default_factory=dict[str, None])
    elements: dict[str, None] = field(default_factory=dict[str, None])
    actions: dict[str, None] = field(default_factory=dict[str, None])
    toast: str = ""


class Sheet:
    """Holds what is drawn, and notes what has changed.

    Args:
        thread: the conversation.

    Attributes:
        steps: messages and steps by id, in order.
        elements: plots and task lists by id.
        actions: the buttons under each message.
        at: when what is drawn now happened, in ISO form.
        changes: what was drawn since they were last taken.
    """

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.steps: dict[str, Json] = {}
        self.elements: dict[str, Json] = {}
        self.actions: dict[str, list[Json]] = {}
        self.at = ""
        self.changes = Changes()

    def id(self, kind: str, key: object) -> str:
        """The identifier of what is drawn for a thing of some kind."""
        return str(uuid5(NAMESPACE_URL, f"pilothouse:{self.thread}:{kind}:{key}"))

    def user_message(self, message: str, author: str, text: str) -> None:
        """What a person said."""
        self.put({**self.step(message, author, "user_message", None), "output": text})

    def message(self, message: str, run: str | None, markdown: str) -> None:
        """A message of ours, below a run; one that is there already says this from now on."""
        known = self.steps.get(message)
        shown = known or self.step(message, AUTHOR, "assistant_message", run)
        self.put({**shown, "output": markdown})

    def step(self, step: str, name: str, kind: str, parent: str | None) -> Json:
        """A step of a kind that Chainlit knows, which is not drawn yet."""
        return {
            "id": step,
            "threadId": self.thread,
            "parentId": parent,
            "name": name,
            "type": kind,
            "input": "",
            "output": "",
            "createdAt": self.at,
            "start": self.at if kind != "tool" else None,
            "end": self.at if kind.endswith("message") else None,
            "metadata": {"avatarName": AUTHOR},
            "streaming": False,
            "isError": False,
            "waitForAnswer": False,
            "showInput": False,
            "defaultOpen": False,
            "autoCollapse": False,
        }

    def put(self, step: Json) -> None:
        """Draw a step, in the place of one with its id."""
        if self.steps.get(step["id"]) != step:
            self.steps[step["id"]] = step
            self.changes.steps[step["id"]] = None

    def element(self, element: str, kind: str, name: str, url: str, message: str = "") -> None:
        """Draw a plot or a task list, beside a message if one is given."""
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
        self.changes.elements[element] = None

    def plot(self, element: str, message: str, name: str, figure: Json) -> None:
        """Draw a plot beside a message."""
        self.element(element, "plotly", name, data_url(figure), message)

    def buttons(self, message: str, actions: list[Json]) -> None:
        """Put these buttons under a message, instead of those that are there."""
        if not actions and not self.actions.get(message):
            return
        self.actions[message] = [
            {**a, "id": self.id("action", f"{message}:{n}"), "forId": message}
            for n, a in enumerate(actions)
        ]
        self.changes.actions[message] = None


def button(name: str, label: str, payload: Json, icon: str | None = None) -> Json:
    """A button, and what is handed over when it is pressed."""
    return {"name": name, "label": label, "payload": payload, "tooltip": "", "icon": icon}
