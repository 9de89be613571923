"""The web pages for what is not a conversation: small, rendered here, live by events."""

from __future__ import annotations

from fastapi import FastAPI

from ui.api.door import Door
from ui.web import acts, things, work


def add_to(app: FastAPI, door: Door) -> None:
    """Add the pages and what their buttons do."""
    for part in (work, things, acts):
        app.include_router(part.router)
