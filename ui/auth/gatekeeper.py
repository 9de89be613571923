"""Who somebody is, by what they show: the owner's token, an access token, or a session's cookie."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from tools.kernel.errors import PolicyDenied, Unauthenticated
from tools.kernel.identity import Channel, Principal, RequestContext
from tools.kernel.principals import OWNER
from tools.kernel.scopes import DOORS, opens
from tools.kernel.sessions import SignedIn
from ui.auth.cookies import session_secret
from ui.auth.limits import Limits, Refusals
from ui.auth.visit import Visit, visit_of

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "x-csrf-token"
_CLAIMED = {c.value: c for c in (Channel.CLI, Channel.CHAT, Channel.MCP, Channel.EVAL)}


class Gatekeeper:
    """Knows the credentials; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
        token: the owner's token.
    """

    def __init__(self, kernel: Kernel, token: str) -> None:
        self.kernel = kernel
        self.secure = kernel.settings.tls_cert is not None or (
            kernel.settings.public_url or ""
        ).startswith("https:")
        self._token = token.encode()
        self.refusals = Refusals(kernel.audit)
        self._rates: Limits[tuple[str, str]] = Limits(
            kernel.settings.requests_per_minute,
            "this principal",
            lambda key: self.refusals.note(*key),
        )

    def is_owner(self, token: str) -> bool:
        """True for the token of the home's owner, which never leaves the machine."""
        return hmac.compare_digest(token.encode(errors="surrogatepass"), self._token)

    def verify_token(
        self,
        token: str,
        audience: str | None = None,
        door: Channel = Channel.MCP,
        *,
        bound: bool = False,
    ) -> RequestContext:
        """Whose token it is.

        Args:
            token: as it was handed out.
            audience: the resource it is shown to; a token that is bound to another is refused.
            door: the door.
            bound: True if it must have been made for that resource, as the owner's never is.

        Raises:
            Unauthenticated: if nobody's, or it is over, or meant for another resource.
            PolicyDenied: if the token is not good for this door.
            TooManyRequests: if its holder asks too often.
        """
        if self.is_owner(token) and not bound:
            return RequestContext(self.kernel.principals.local(), door, credential="owner")
        principal, token_id = self.kernel.principals.held(token, audience, bound=bound)
        self._rates.take((principal.tenant, principal.name))
        if not opens(principal.scopes, door):
            raise PolicyDenied(
                f"This token of {principal.name} is not good for the door {door.value}.",
                hint="`pilothouse tokens list` shows its scopes.",
            )
        return RequestContext(principal, door, credential=f"token:{token_id}")

    def count(self, principal: Principal) -> None:
        """Count a request of somebody whom another credential let in.

        Raises:
            TooManyRequests: if they ask too often.
        """
        self._rates.take((principal.tenant, principal.name))

    def from_headers(self, headers: Mapping[str, str], door: Channel) -> RequestContext:
        """Who sent these headers, where a door hands over nothing else; changes no cookie.

        Raises:
            Unauthenticated: without a valid token or session.
        """
        token = bearer(headers)
        if token is not None:
            return self.verify_token(token, door=door)
        return self._context(self.session(headers), door)

    def session(self, headers: Mapping[str, str], *, rotate: bool = False) -> SignedIn:
        """The session whose cookie is in these headers.

        Raises:
            Unauthenticated: if there is none, or it is over.
        """
        secret = session_secret(headers.get("cookie", ""), secure=self.secure)
        if secret is None:
            raise Unauthenticated(
                "Sign in first, or show a bearer token.",
                hint="The page /login signs you in; `pilothouse tokens create` makes tokens.",
            )
        return self.kernel.sessions.find(secret, rotate=rotate)

    def require_standing(self, context: RequestContext) -> None:
        """Let a connection that stays open go on, while what it came in with still holds.

        Raises:
            Unauthenticated: if the session ended, the token was taken back or expired, or the
                principal was removed.
        """
        kind, _, name = (context.credential or "").partition(":")
        if kind == "session" and not self.kernel.sessions.holds(name):
            raise Unauthenticated("The session is over.", hint="Sign in again.")
        if kind == "token" and self.kernel.tokens.get(name, context.tenant).status != "active":
            raise Unauthenticated("The token expired or was taken back.")
        self.kernel.principals.current(context.principal)

    def identify(self, connection: HTTPConnection, visit: Visit) -> RequestContext:
        """See `identify`."""
        door = door_of(connection.url.path)
        token = bearer(connection.headers)
        if token is not None:
            shown = self.verify_token(token, door=door or Channel.API)
            visit.principal = shown.principal
            return self._claimed(connection, shown)
        if door is Channel.MCP:
            raise Unauthenticated("A bearer token is needed here.")
        method = connection.scope.get("method")
        found = self.session(connection.headers, rotate=method is not None)
        visit.principal, visit.csrf = found.principal, found.csrf
        if found.secret is not None:
            visit.secret = found.secret
        given = connection.headers.get(CSRF_HEADER, "")
        told = hmac.compare_digest(given.encode(), found.csrf.encode())
        if method not in SAFE and not visit.proven and not told:
            raise PolicyDenied(
                "This request does not come from a page of ours.",
                hint="Programs use a bearer token; scripts of our pages send X-CSRF-Token.",
            )
        return self._context(found, door or Channel.WEB)

    def _context(self, found: SignedIn, door: Channel) -> RequestContext:
        self._rates.take((found.principal.tenant, found.principal.name))
        return RequestContext(found.principal, door, credential=f"session:{found.id}")

    @staticmethod
    def _claimed(connection: HTTPConnection, context: RequestContext) -> RequestContext:
        """The door that a command of ours says it stands for; not where a token names its doors."""
        named = _CLAIMED.get(connection.headers.get("x-pilothouse-channel", "").lower())
        if named is None or _names_doors(context.principal):
            return context
        return RequestContext(context.principal, named, credential=context.credential)


def identify(connection: HTTPConnection) -> RequestContext:
    """Who a request or WebSocket is from; reads the database, so call it in a worker thread.

    Raises:
        Unauthenticated: without a valid bearer token or session.
        PolicyDenied: if the token is not good for this door, or a cookie comes from a foreign page.
        TooManyRequests: if the principal asks too often.
    """
    visit = visit_of(connection.scope)
    return visit.gatekeeper.identify(connection, visit)


def bearer(headers: Mapping[str, str]) -> str | None:
    """The bearer token in these headers; None if they have no `Authorization` at all.

    Raises:
        Unauthenticated: if that is of another kind.
    """
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Authorization must be a bearer token.")
    return token.strip()


def door_of(path: str) -> Channel | None:
    """The door that a path belongs to; None for the pages and the API, which share theirs."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return {"mcp": Channel.MCP, "chat": Channel.CHAT}.get(first)


def is_local(context: RequestContext) -> bool:
    """True for the owner's own commands, who have the home's files anyway."""
    return context.principal.name == OWNER and context.credential == "owner"


def _names_doors(principal: Principal) -> bool:
    return bool(DOORS & (principal.scopes or frozenset()))


Caller = Annotated[RequestContext, Depends(identify)]
