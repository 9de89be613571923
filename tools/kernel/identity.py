"""Who is asking: principals, roles, and the context that travels with every request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import uuid4


class Role(StrEnum):
    """What a principal may do, from least to most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Channel(StrEnum):
    """The door through which a request came."""

    CLI = "cli"
    CHAT = "chat"
    WEB = "web"
    API = "api"
    MCP = "mcp"
    AGENT = "agent"
    JOB = "job"
    EVAL = "eval"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or program that is known by name.

    Attributes:
        name: unique within the tenant.
        roles: the roles it holds.
        tenant: the tenant it belongs to.
        scopes: what a narrowed access token lends of its holder's rights; None lends all of them.
            See `tools/kernel/scopes.py`.
    """

    name: str
    roles: frozenset[Role]
    tenant: str = "default"
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Made once by a door, never changed, carried through graph, agents, MCP and gate.

    Attributes:
        principal: who asks; an agent acts with the context of the person it acts for.
        channel: the door.
        conversation: the thread the request belongs to, if any.
        plan: the plan whose step this call is, if any. Part of an approval's digest.
        step: the step's id within the plan.
        request_id: unique for each request; appears in the audit.
        credential: the session or access token behind it, such as `token:T1a2b3c4`; no secret.
    """

    principal: Principal
    channel: Channel = Channel.CLI
    conversation: str | None = None
    plan: str | None = None
    step: str | None = None
    request_id: str = field(default_factory=lambda: uuid4().hex)
    credential: str | None = None

    @property
    def tenant(self) -> str:
        """The principal's tenant."""
        return self.principal.tenant

    def for_step(self, plan: str, step: str) -> RequestContext:
        """The same request, as the step of a plan."""
        return replace(self, plan=plan, step=step, request_id=uuid4().hex)
