"""The whole team on one screen: who acts, with which operations, told what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.kernel.errors import NotFound

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent.

    Attributes:
        name: an identifier, as AutoGen wants it.
        title: what people read.
        domains: the domains whose operations are its own; each domain is one agent's.
        reads: further domains whose reading operations it may call.
    """

    name: str
    title: str
    domains: tuple[str, ...]
    reads: tuple[str, ...] = ()

    def may_choose(self, operation: str, *, read_only: bool) -> bool:
        """True if a language model may call an operation as this agent."""
        domain = operation.partition(".")[0]
        return domain in self.domains or (read_only and domain in self.reads)

    @property
    def prompt(self) -> str:
        """What it is told when a language model drives it."""
        return _prompt("common") + "\n\n" + _prompt(self.name)


TEAM: tuple[AgentSpec, ...] = (
    AgentSpec("trainer", "Trainer", ("datasets", "training")),
    AgentSpec("evaluator", "Evaluator", ("evaluation", "registry")),
    AgentSpec("deployer", "Deployer", ("devices", "deployment"), reads=("registry",)),
    AgentSpec("knowledge_curator", "Knowledge curator", ("knowledge",)),
    AgentSpec(
        "stakeholder_reporter", "Stakeholder reporter", ("reporting", "schedules", "platform")
    ),
)


def agent_for(operation: str) -> AgentSpec:
    """The agent whose step an operation is.

    Raises:
        NotFound: if its domain is nobody's.
    """
    domain = operation.partition(".")[0]
    for spec in TEAM:
        if domain in spec.domains:
            return spec
    raise NotFound(f"No agent carries out {operation!r}.")


def agent_named(name: str) -> AgentSpec:
    """One agent.

    Raises:
        NotFound: with the names that there are.
    """
    for spec in TEAM:
        if spec.name == name:
            return spec
    raise NotFound(f"There is no agent {name!r}.", suggestions=[s.name for s in TEAM])


@cache
def _prompt(name: str) -> str:
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()
