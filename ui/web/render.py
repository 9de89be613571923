"""Rendering pages, and serving the files they need from this machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from ui import words
from ui.auth.visit import visit_of

if TYPE_CHECKING:
    from datetime import datetime

    from jinja2 import Environment

    from ui.api.door import Door
    from ui.api.paging import Paging

FOLDER = Path(__file__).parent
PLACES = (
    ("/chat", "Chat"),
    ("/models", "Models"),
    ("/datasets", "Data"),
    ("/jobs", "Jobs"),
    ("/schedules", "Schedules"),
    ("/approvals", "Approvals"),
    ("/rollouts", "Rollouts"),
    ("/devices", "Devices"),
    ("/receipts", "Receipts"),
    ("/audit", "Audit"),
)
"""Where the bar on top of every page leads."""


def add_to(app: FastAPI, door: Door) -> None:
    """Serve style sheets, scripts and pictures under `/static`."""
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page.

    Args:
        request: what it answers.
        template: a file of `ui/web/templates`.
        status: the HTTP status.
        values: what the template shows; strings are escaped. `csrf` (for forms, as `csrf_token`)
            and `signed_in` (the principal, or None) are there in any case.
    """
    visit = visit_of(request.scope)
    known = {"csrf": visit.csrf, "signed_in": visit.principal, "path": request.url.path}
    told = {**known, "places": PLACES, **values}
    return HTMLResponse(_environment().get_template(template).render(told), status)


def live_page(
    request: Request,
    template: str,
    title: str,
    feed: str | None,
    paging: Paging | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page that shows itself anew when something happens.

    Args:
        request: what it answers.
        template: a file of `ui/web/templates` that extends `live.html`.
        title: its heading.
        feed: what it follows, by the paths under `/api/v1/events/`, with spaces between them; None
            for what does not change.
        paging: what its list was cut by, if it shows one; tells where the older items are.
        values: what the template shows.
    """
    link = paging.response.headers.get("Link", "") if paging else ""
    older = link[1 : link.index(">")] if link else None
    return page(request, template, title=title, feed=feed, next=older, **values)


def moment(given: datetime | str | None) -> str:
    """A time as people read it."""
    return words.moment(given if given is None or isinstance(given, str) else given.isoformat())


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = environment.filters
    for shown in (words.value, words.arguments, words.duration, words.money, moment):
        filters[shown.__name__] = shown
    return environment
