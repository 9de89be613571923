"""One planned call as a turn of its agent, whose model client emits exactly that call."""

from __future__ import annotations

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from mcp.client.session import ClientSession

from agents.catalog import AgentSpec
from agents.events import ToolOutcome
from agents.model_clients import PlannedModelClient
from agents.outcomes import PlannedCall, StepOutcome, cancelled, settled
from agents.ports import OnEvent, Servers
from agents.turns import turn
from agents.workbench import BoundTool, Rules, SessionWorkbench
from tools.kernel.identity import RequestContext


async def planned_turn(
    spec: AgentSpec,
    session: ClientSession,
    servers: Servers,
    call: PlannedCall,
    context: RequestContext,
    on_event: OnEvent,
) -> StepOutcome:
    """Have an agent make a planned call.

    Args:
        spec: the agent.
        session: of the server that offers the operation.
        servers: give the pass for the call.
        call: the step, its arguments filled in.
        context: for whom.
        on_event: told of what happens.
    """
    rules = Rules(
        spec.name,
        lambda: servers.issue(
            call.bound(context), approval=call.approval, idempotency_key=call.idempotency_key
        ),
        servers.drop,
    )
    workbench = SessionWorkbench([BoundTool(call.tool, session)], rules)
    agent = AssistantAgent(
        spec.name,
        PlannedModelClient(call.tool, call.arguments),
        workbench=workbench,
        description=spec.title,
        system_message=None,
        tool_call_summary_formatter=lambda call, result: call.name,
    )
    found: list[StepOutcome] = []

    def note(event: BaseAgentEvent | BaseChatMessage) -> None:
        if isinstance(event, ToolOutcome):
            found.append(settled(event))
        on_event(event)

    await turn(agent, workbench, call.operation, note)
    return found[-1] if found else cancelled(call.operation)
