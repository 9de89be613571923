"""What a new conversation offers to begin with: what the role may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tools.kernel.identity import Role


@dataclass(frozen=True, slots=True)
class Opening:
    """One sentence to begin with."""

    label: str
    sentence: str


READING = (
    Opening("What data is there?", "which datasets are there?"),
    Opening("What runs where?", "show the status of the devices"),
    Opening("Ask the documents", "what does the runbook say about rolling back a model?"),
    Opening("What happened lately?", "show the receipts"),
)
WORKING = (
    Opening("What data is there?", "which datasets are there?"),
    Opening("Estimate a training", "how long would it take to train on the bundled tickets?"),
    Opening("Train a ticket router", "train a ticket router on the bundled tickets"),
    Opening("Ask the documents", "what does the runbook say about rolling back a model?"),
)
DECIDING = (
    Opening("What waits for approval?", "which approvals are pending?"),
    Opening("What runs where?", "show the status of the devices"),
    Opening("What happened lately?", "show the receipts"),
    Opening("What data is there?", "which datasets are there?"),
)


def openings(roles: Iterable[str]) -> tuple[Opening, ...]:
    """The openings for somebody with these roles."""
    held = {Role(role) for role in roles}
    if held & {Role.OPERATOR, Role.ADMIN}:
        return WORKING
    return DECIDING if Role.APPROVER in held else READING
