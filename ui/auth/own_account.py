"""`/account`: one's own password, changed by who knows the present one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import Response

from tools.kernel import passwords
from tools.kernel.errors import InvalidInput, PilothouseError
from tools.kernel.identity import RequestContext
from ui.api.door import Caller, Door, TheDoor
from ui.auth.login import address, check_password, signed_in
from ui.web.render import page

router = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form(max_length=1000)]


def add_to(app: FastAPI, door: Door) -> None:
    """Add the page."""
    app.include_router(router)


@router.get("/account")
def account_page(request: Request, context: Caller) -> Response:
    """The form."""
    return page(request, "account.html", problem=None)


@router.post("/account")
def change_password(
    request: Request, context: Caller, door: TheDoor, present: Typed, fresh: Typed, again: Typed
) -> Response:
    """Change the password; all sessions end, and a new one begins here."""
    try:
        if fresh != again:
            raise InvalidInput("The two new passwords differ; nothing was changed.")
        name = f"{context.tenant}/{context.principal.name}"
        account = check_password(door.kernel, name, present, address(request))
        _changed(door, context, fresh)
    except PilothouseError as error:
        return page(request, "account.html", error.status, problem=error.message)
    return signed_in(
        request, door.kernel.principals.account(*_key(context)) or account, "/", "password"
    )


def _changed(door: Door, context: RequestContext, fresh: str) -> None:
    name, tenant = _key(context)
    door.kernel.principals.set_password(name, passwords.hash_password(fresh), tenant)
    told = {"event": "password.changed", "principal": name, "channel": context.channel.value}
    door.kernel.audit.append(tenant, told)


def _key(context: RequestContext) -> tuple[str, str]:
    return context.principal.name, context.tenant
