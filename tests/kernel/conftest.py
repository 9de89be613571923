"""A kernel over the lab's operations, and the people who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.lab import NAMES, World, operations
from tools.kernel import entities
from tools.kernel.approvals import Approval
from tools.kernel.errors import NeedsApproval
from tools.kernel.identity import Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's names are the catalogue."""
    loaders = {kind: (lambda k, t, found=found: found) for kind, found in NAMES.items()}
    monkeypatch.setattr(entities, "_LOADERS", loaders)


@pytest.fixture
def lab(home: Path, names: None) -> Iterator[Kernel]:
    """A kernel over the lab's operations; its jobs do not run."""
    opened = Kernel(Settings(home=home), operations())
    yield opened
    opened.stop()


@pytest.fixture
def running(lab: Kernel) -> Kernel:
    """The same, with its jobs running."""
    lab.start()
    return lab


@pytest.fixture
def world(lab: Kernel) -> World:
    return lab.get(World)


@pytest.fixture
def owner(lab: Kernel) -> RequestContext:
    return RequestContext(lab.principals.local())


def person(name: str, *roles: Role, tenant: str = "default") -> RequestContext:
    """Somebody's context."""
    return RequestContext(Principal(name, frozenset(roles), tenant))


@pytest.fixture
def ask(lab: Kernel, owner: RequestContext) -> Callable[..., Approval]:
    """Ask for an approval of `lab.wipe` and return it, pending."""

    def run(context: RequestContext | None = None, **arguments: object) -> Approval:
        with pytest.raises(NeedsApproval) as needed:
            lab.gate.call("lab.wipe", arguments, context or owner)
        return Approval.model_validate(needed.value.approval)

    return run


@pytest.fixture
def granted(lab: Kernel, ask: Callable[..., Approval], owner: RequestContext):
    """Ask for an approval of `lab.wipe` and grant it, as the owner, for whoever asks."""

    def run(context: RequestContext | None = None, **arguments: object) -> Approval:
        wanted = ask(context, **arguments)
        return lab.approvals.grant(wanted.id, owner.principal, wanted.confirm)

    return run
