"""What the workbench tells of a call, as events in AutoGen's own stream."""

from __future__ import annotations

from typing import Any, Literal

from autogen_agentchat.messages import BaseAgentEvent
from pydantic import Field


class ToolProgress(BaseAgentEvent):
    """A call moved on; `fraction` from 0 to 1."""

    type: Literal["ToolProgress"] = "ToolProgress"
    call_id: str
    tool: str
    fraction: float
    message: str = ""

    def to_text(self) -> str:
        """The fraction and the message."""
        return f"{self.tool}: {self.fraction:.0%} {self.message}".strip()


class ToolOutcome(BaseAgentEvent):
    """A call ended; the structured content is the truth, whatever is said of it.

    Attributes:
        operation: `domain.verb`, where it is known.
        structured: `{"result", "receipt"}` or `{"error"}`.
        revealed: the result with its secrets, where the pass allowed it.
        is_error: True if it was not done.
    """

    type: Literal["ToolOutcome"] = "ToolOutcome"
    call_id: str
    tool: str
    operation: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    structured: dict[str, Any] = Field(default_factory=dict[str, Any])
    revealed: dict[str, Any] | None = Field(default=None, repr=False, exclude=True)
    is_error: bool = False

    def to_text(self) -> str:
        """What the receipt says, or the error's message."""
        receipt, error = self.structured.get("receipt"), self.structured.get("error")
        told = error or receipt or {}
        return str(told.get("says") or told.get("message") or self.tool)
