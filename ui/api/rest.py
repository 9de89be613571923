"""REST: all resources under `/api/v1`, a module each."""

from __future__ import annotations

from fastapi import FastAPI

from ui.api import (
    approvals,
    conversations,
    events,
    jobs,
    operations,
    parsing,
    problem_types,
    records,
    resources,
    status,
    talk,
    uploads,
)
from ui.api.door import Door

RESOURCES = (
    conversations,
    parsing,
    operations,
    resources,
    approvals,
    jobs,
    records,
    events,
    status,
    talk,
    problem_types,
    uploads,
)


def add_to(app: FastAPI, door: Door) -> None:
    """Add every resource."""
    for resource in RESOURCES:
        app.include_router(resource.router)
    app.include_router(status.health)
