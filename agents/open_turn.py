"""One open task: a language model chooses among an agent's tools, within bounds it cannot move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_core.models import ChatCompletionClient
from mcp import types

from agents.catalog import AgentSpec
from agents.events import ToolOutcome
from agents.model_clients import told_failure
from agents.outcomes import MadeCall, OpenOutcome, PlannedCall, settled
from agents.ports import OnEvent, Servers
from agents.turns import turn
from agents.workbench import BoundTool, Rules, SessionWorkbench, text_of
from tools.kernel.errors import Unavailable
from tools.kernel.identity import RequestContext

MAX_TOOL_ITERATIONS = 8


class OpenTurn:
    """The state of one open task: what was called, proposed, read, and whether it must stop.

    Args:
        spec: the agent.
        tools: what it may call.
        servers: issues the passes.
        context: for whom.
        confirmed: True if the person has agreed to plain changes.
    """

    def __init__(
        self,
        spec: AgentSpec,
        tools: Sequence[BoundTool],
        servers: Servers,
        context: RequestContext,
        *,
        confirmed: bool,
    ) -> None:
        self._spec = spec
        self._confirmed = confirmed
        self._tainted = False
        self._deciding: str | None = None
        self._outcome = OpenOutcome(agent=spec.name)
        self._workbench = SessionWorkbench(
            tools,
            Rules(
                spec.name,
                lambda: servers.issue(context, for_model=True),
                servers.drop,
                guard=self._guard,
                tell=_fenced,
            ),
        )

    async def run(
        self, task: str, model: ChatCompletionClient | None, on_event: OnEvent
    ) -> OpenOutcome:
        """Let the model work on the task."""

        def note(event: BaseAgentEvent | BaseChatMessage) -> None:
            self._note(event)
            on_event(event)

        try:
            response = await turn(self._agent(model), self._workbench, task, note)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._outcome.error = told_failure(error).as_dict()
            return self._outcome
        if response is not None:
            self._count(response.chat_message)
            self._outcome.text = response.chat_message.to_text()
        return self._outcome

    def _agent(self, model: ChatCompletionClient | None) -> AssistantAgent:
        if model is None:
            raise Unavailable("No language model is configured.", hint="Set PILOTHOUSE_MODEL.")
        return AssistantAgent(
            self._spec.name,
            model,
            workbench=self._workbench,
            description=self._spec.title,
            system_message=self._spec.prompt,
            model_client_stream=True,
            max_tool_iterations=MAX_TOOL_ITERATIONS,
            tool_call_summary_formatter=lambda call, result: f"{call.name}: {result.content[:200]}",
        )

    def _guard(self, tool: BoundTool, arguments: dict[str, Any]) -> dict[str, Any] | None:
        if tool.read_only:
            return None
        if self._waits:
            return _refusal("A person has to decide first. Nothing more is changed in this turn.")
        if tool.always_dangerous:
            self._deciding = tool.name  # until it has answered, nothing else may change anything
            return None
        if not self._confirmed or self._tainted:
            call = PlannedCall(operation=tool.operation, arguments=arguments)
            self._outcome.proposals.append(call)
            return _refusal("Proposed to the person, who has to confirm it. It is not done.")
        return None

    @property
    def _waits(self) -> bool:
        held = self._outcome.proposals or self._outcome.needs_approval
        return bool(held) or self._deciding is not None

    def _note(self, event: BaseAgentEvent | BaseChatMessage) -> None:
        self._count(event)
        if not isinstance(event, ToolOutcome):
            return
        call = PlannedCall(operation=event.operation, arguments=event.arguments)
        outcome = settled(event)
        self._tainted = self._tainted or _holds_untrusted(event.structured)
        refused = (outcome.error or {}).get("code") == "needs_confirmation"
        if event.tool == self._deciding and not refused:
            self._deciding = None
        if outcome.needs_approval is not None:
            self._outcome.needs_approval = outcome.needs_approval
        if not refused:
            self._outcome.calls.append(MadeCall(call=call, outcome=outcome))

    def _count(self, message: BaseAgentEvent | BaseChatMessage) -> None:
        if message.models_usage is not None:
            self._outcome.usage.prompt += message.models_usage.prompt_tokens
            self._outcome.usage.completion += message.models_usage.completion_tokens


def _refusal(message: str) -> dict[str, Any]:
    return {"code": "needs_confirmation", "message": message}


def _fenced(tool: str, result: types.CallToolResult) -> str:
    text = (
        text_of(result)
        .replace("</untrusted", "<\\/untrusted")
        .replace("<untrusted", "<\\untrusted")
    )
    return f'<untrusted from="{tool}">\n{text}\n</untrusted>'


def _holds_untrusted(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("untrusted") is True or any(map(_holds_untrusted, value.values()))
    return isinstance(value, list) and any(map(_holds_untrusted, value))
