"""The gateway's application: every door, one line each, over one set of error answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI

from ui.api import bodies, metrics, openapi, problems, rest, servers
from ui.api.door import Door
from ui.auth import login, oidc, own_account, shield
from ui.chat import mount as chat
from ui.graph import door as graph
from ui.web import pages, render

Life = AbstractAsyncContextManager[None]
AddDoor = Callable[[FastAPI, Door], Life | None]
DOORS: tuple[AddDoor, ...] = (
    bodies.add_to,
    rest.add_to,
    openapi.add_to,
    graph.add_to,
    servers.add_to,
    login.add_to,
    own_account.add_to,
    oidc.add_to,
    render.add_to,
    pages.add_to,
    chat.add_to,
    metrics.add_to,
    shield.add_to,
)
"""Each adds its routes, mounts or middleware to the application.

A door that holds something open while the application runs (mounted applications' own lifespans
never do) returns a context manager, which is entered at the start and left, in reverse, at the end.
Middleware that is added later is run earlier: the shield is the last, and stands before all.
"""


def create_app(
    door: Door, extra: Sequence[APIRouter] = (), doors: Sequence[AddDoor] = DOORS
) -> FastAPI:
    """The platform's gateway.

    Args:
        door: what its handlers share.
        extra: routers that bring their own authentication (the devices').
        doors: the ways in; tests leave some out.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(door.close)
            for held in lives:
                await stack.enter_async_context(held)
            yield

    app = FastAPI(
        title="Pilothouse", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life
    )
    app.state.door = door
    problems.add_to(app)
    for router in extra:
        app.include_router(router, include_in_schema=False)
    lives = [held for add in doors if (held := add(app, door)) is not None]
    return app
