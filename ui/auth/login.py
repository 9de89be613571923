"""Signing in and out with a browser: `/login`, `/logout`."""

from __future__ import annotations

import logging
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import RedirectResponse, Response

from tools.kernel import passwords
from tools.kernel.errors import PolicyDenied, TooManyRequests, Unauthenticated
from tools.kernel.kernel import Kernel
from tools.kernel.lockout import account_key, locked
from tools.kernel.principals import DEFAULT_TENANT, Account
from ui.api.door import Door
from ui.auth.cookies import session_secret
from ui.auth.gatekeeper import Gatekeeper
from ui.auth.visit import visit_of
from ui.web.render import page

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)
WRONG = "That name and password do not fit together."


def add_to(app: FastAPI, door: Door) -> None:
    """Add the pages."""
    app.include_router(router)


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:
    """The form."""
    return form(request, next)


@router.post("/login")
def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Check name and password; the answer to a wrong one never says which was wrong."""
    visit = visit_of(request.scope)
    try:
        account = check_password(visit.gatekeeper.kernel, name.strip(), password, address(request))
    except TooManyRequests as error:
        wait = {"Retry-After": str(round(error.retry_after))}
        return form(request, next, name, str(error), 429, wait)
    except Unauthenticated as error:
        return form(request, next, name, error.message, 401)
    return signed_in(request, account, next, "password")


@router.post("/logout")
def log_out(request: Request, csrf_token: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    visit = visit_of(request.scope)
    gatekeeper = visit.gatekeeper
    try:
        found = gatekeeper.session(request.headers)
    except Unauthenticated:
        return RedirectResponse("/login", 303)
    if not visit.proven and csrf_token != found.csrf:
        raise PolicyDenied("This request does not come from a page of ours.")
    _close(gatekeeper, request)
    told = {"event": "logout", "principal": found.principal.name, "session": found.id}
    gatekeeper.kernel.audit.append(found.principal.tenant, told)
    visit.secret = ""
    return RedirectResponse("/login", 303)


def check_password(kernel: Kernel, name: str, password: str, address: str) -> Account:
    """The account that a name and password are of.

    Args:
        kernel: the platform's kernel.
        name: `name`, or `tenant/name` for other tenants than the default one.
        password: as typed.
        address: the network address it was typed at.

    Raises:
        Unauthenticated: if they do not fit; in the same words and time for an unknown name.
        TooManyRequests: after too many failures.
    """
    tenant, _, plain = name.rpartition("/")
    tenant = tenant or DEFAULT_TENANT
    key = account_key(tenant, plain)
    account = kernel.principals.account(plain, tenant)
    audited = tenant if account else DEFAULT_TENANT
    told = {
        "principal": account.principal.name if account else "unknown",
        "address": address,
        "channel": "web",
    }
    try:
        kernel.lockout.check(key, address)
    except TooManyRequests:
        kernel.audit.append(audited, {"event": "login.locked", **told})
        raise
    if account is not None and passwords.verify(account.password, password):
        kernel.lockout.forget(key, address)
        _renew(kernel, account, password)
        return account
    if account is None:
        passwords.verify(None, password)
    until = kernel.lockout.failed(key, address)
    kernel.audit.append(audited, {"event": "login.failed", **told})
    if until is not None:
        raise locked(until)
    raise Unauthenticated(WRONG)


def signed_in(request: Request, account: Account, goal: str, how: str) -> Response:
    """Open a session for somebody who has just proved who they are, and go where they wanted."""
    visit = visit_of(request.scope)
    gatekeeper = visit.gatekeeper
    _close(gatekeeper, request)
    session = gatekeeper.kernel.sessions.open(account)
    visit.secret = session.secret
    principal = account.principal
    told = {"principal": principal.name, "session": session.id, "address": address(request)}
    gatekeeper.kernel.audit.append(
        principal.tenant, {"event": "login.succeeded", "how": how, "channel": "web", **told}
    )
    return RedirectResponse(local_path(goal), 303)


def local_path(goal: str) -> str:
    """A path on this host, as one may go to after signing in; `/` instead of anything else."""
    parts = urlsplit(goal)
    plain = goal.isprintable() and not parts.scheme and not parts.netloc and "\\" not in goal
    if not plain or not goal.startswith("/") or goal.startswith("//") or len(goal) > 500:
        return "/"
    return quote(goal, safe="/?&=#%+,:;@!$'()*~-._")


def address(request: Request) -> str:
    """The network address that a request came from."""
    return request.client.host if request.client else "unknown"


def form(
    request: Request,
    goal: str,
    name: str = "",
    problem: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """The login page, with what was wrong with the last try."""
    settings = visit_of(request.scope).gatekeeper.kernel.settings
    provider = settings.oidc_name if settings.oidc_issuer else None
    values: dict[str, Any] = {"goal": local_path(goal), "name": name, "problem": problem}
    answer = page(request, "login.html", status, **values, provider=provider)
    answer.headers.update(headers or {})
    return answer


def _close(gatekeeper: Gatekeeper, request: Request) -> None:
    secret = session_secret(request.headers.get("cookie", ""), secure=gatekeeper.secure)
    if secret is not None:
        gatekeeper.kernel.sessions.close(secret)


def _renew(kernel: Kernel, account: Account, password: str) -> None:
    if account.password and passwords.outdated(account.password):
        fresh = passwords.hash_password(password)
        principal = account.principal
        kernel.principals.set_password(principal.name, fresh, principal.tenant, renewed=True)


__all__ = ["add_to", "address", "check_password", "form", "local_path", "signed_in"]
