"""Rendering pages, and serving the files they need from this machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from ui.auth.visit import visit_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from ui.api.door import Door

FOLDER = Path(__file__).parent


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
    return HTMLResponse(_environment().get_template(template).render({**known, **values}), status)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
