"""The team: carries out planned steps, and open tasks where a language model is configured.

What came of a step is read from the tool's structured content, never from anybody's words. AutoGen
is imported at the first step that an agent acts in: a step that only reads needs none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from mcp import types
from mcp.client.session import ClientSession
from mcp.shared.exceptions import McpError

from agents.catalog import AgentSpec, agent_for
from agents.outcomes import OpenOutcome, PlannedCall, StepOutcome, outcome_of
from agents.ports import OnEvent, Servers
from agents.sessions import OwnedSession, call_tool, revealed, structured
from tools.kernel.errors import PilothouseError
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from autogen_core.models import ChatCompletionClient

    from agents.budgeted_client import Meter
    from agents.workbench import BoundTool

log = logging.getLogger(__name__)


class Team:
    """All agents of this process, over one long-lived session a server.

    For one event loop; any number of steps at once, each with an agent of its own, so that
    cancelling one leaves the others alone.

    Args:
        servers: `mcp_servers.memory.LocalServers`.
        model: the language model for open tasks, if one is configured.
    """

    def __init__(self, servers: Servers, model: ChatCompletionClient | None = None) -> None:
        self._servers = servers
        self._model = model
        self._sessions: dict[str, OwnedSession] = {}
        self._tools: dict[tuple[str, frozenset[Any]], list[types.Tool]] = {}

    async def close(self) -> None:
        """End all sessions and the model's connections."""
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.close() for session in sessions))
        if self._model is not None:
            await self._model.close()

    async def run_step(
        self, call: PlannedCall, context: RequestContext, on_event: OnEvent
    ) -> StepOutcome:
        """Let the right agent make exactly the planned call.

        Cancelling the task tells the MCP server and ends this step alone; a call that the gate has
        begun comes to its end there, and its receipt says so.
        """
        return await self._told(call, self._step(call, context, on_event))

    async def read(self, call: PlannedCall, context: RequestContext) -> StepOutcome:
        """Make a planned call that only reads over the session of the agent whose it is.

        There is nothing in it for an agent to decide, and nothing to prove but what was read; so
        that it is made without a turn of the agent's own. Cancelling is as for `run_step`.
        """
        return await self._told(call, self._read(call, context))

    async def _told(self, call: PlannedCall, made: Awaitable[StepOutcome]) -> StepOutcome:
        """What came of a call, every failure as an outcome."""
        try:
            return await made
        except PilothouseError as error:
            return StepOutcome(error=error.as_dict())
        except McpError as error:
            return StepOutcome(error={"code": "unavailable", "message": error.error.message})
        except Exception:
            log.exception("the step %s of plan %s failed", call.step, call.plan)
            return StepOutcome(
                error={"code": "internal", "message": f"{call.operation} could not be carried out."}
            )

    async def _step(
        self, call: PlannedCall, context: RequestContext, on_event: OnEvent
    ) -> StepOutcome:
        from agents.planned_turn import planned_turn

        session = await self._session(self._servers.server_of(call.domain))
        spec = agent_for(call.operation)
        return await planned_turn(spec, session, self._servers, call, context, on_event)

    async def _read(self, call: PlannedCall, context: RequestContext) -> StepOutcome:
        session = await self._session(self._servers.server_of(call.domain))
        meta = self._servers.issue(call.bound(context), idempotency_key=call.idempotency_key)
        try:
            answer = await call_tool(session, call.tool, call.arguments, meta, _unheard)
        finally:
            self._servers.drop(meta)
        return outcome_of(structured(answer), revealed(answer))

    async def run_open(
        self,
        task: str,
        context: RequestContext,
        agent: AgentSpec,
        on_event: OnEvent = lambda event: None,
        *,
        confirmed: bool = False,
        meter: Meter | None = None,
    ) -> OpenOutcome:
        """Let an agent's language model choose among the agent's own tools.

        Reading tools are called freely. A change is proposed instead of made unless `confirmed`;
        after untrusted text was read it is proposed even then. A dangerous call becomes a pending
        approval. After a proposal or a pending approval nothing more is changed in this turn.

        Args:
            task: what the person wants, in words.
            context: for whom.
            agent: which agent.
            on_event: told of what happens.
            confirmed: True if the person has agreed to plain changes.
            meter: asked before each of the model's calls, told after it.
        """
        from agents.budgeted_client import BudgetedClient
        from agents.open_turn import OpenTurn

        try:
            tools = await self._toolbox(agent, context)
        except PilothouseError as error:
            return OpenOutcome(agent=agent.name, error=error.as_dict())
        except McpError as error:
            told = {"code": "unavailable", "message": error.error.message}
            return OpenOutcome(agent=agent.name, error=told)
        opened = OpenTurn(agent, tools, self._servers, context, confirmed=confirmed)
        model = self._model
        if model is not None and meter is not None:
            model = BudgetedClient(model, meter)
        return await opened.run(task, model, on_event)

    async def _session(self, server: str) -> ClientSession:
        owned = self._sessions.get(server)
        if owned is None or not owned.alive:
            owned = OwnedSession(lambda: self._servers.connect(server))
            self._sessions[server] = owned
        return await owned.session()

    async def _toolbox(self, spec: AgentSpec, context: RequestContext) -> list[BoundTool]:
        servers = dict.fromkeys(
            self._servers.server_of(domain) for domain in (*spec.domains, *spec.reads)
        )
        return [
            bound
            for server in servers
            for bound in await self._bound(server, context)
            if spec.may_choose(bound.operation, read_only=bound.read_only)
        ]

    async def _bound(self, server: str, context: RequestContext) -> list[BoundTool]:
        from agents.workbench import BoundTool

        session = await self._session(server)
        return [BoundTool.of(tool, session) for tool in await self._listed(server, context)]

    async def _listed(self, server: str, context: RequestContext) -> list[types.Tool]:
        key = (server, context.principal.roles)
        if key not in self._tools:
            session, given = await self._session(server), self._servers.issue(context)
            meta = types.RequestParams.Meta.model_validate(given)
            try:
                listed = await session.list_tools(params=types.PaginatedRequestParams(_meta=meta))
            finally:
                self._servers.drop(given)
            self._tools[key] = listed.tools
        return self._tools[key]


def _unheard(fraction: float, message: str) -> None:
    """Progress of a call that takes no time."""


__all__ = ["OpenOutcome", "PlannedCall", "StepOutcome", "Team"]
