"""REST: all resources under `/api/v1`, a module each."""

from __future__ import annotations

from fastapi import FastAPI

from ui.api import approvals, conversations, jobs, operations, parsing, records, status
from ui.api.door import Door

PREFIX = "/api/v1"
RESOURCES = (conversations, parsing, operations, approvals, jobs, records, status)


def add_to(app: FastAPI, door: Door) -> None:
    """Add every resource."""
    for resource in RESOURCES:
        app.include_router(resource.router, prefix=PREFIX)
    app.include_router(status.health)
