"""Access tokens that the identity provider made for the MCP servers: JWTs, checked offline.

They follow the profile of RFC 9068: signed by the provider, for a resource that they name as their
audience (RFC 8707), for a while, about a person whom the provider knows by a subject. Whose account
that is, and with which role, is what it is at the login page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tools.kernel.errors import InvalidInput, PolicyDenied, Unauthenticated, Unavailable
from tools.kernel.identity import Channel, RequestContext
from tools.kernel.scopes import opens, read_scopes
from tools.kernel.tokens import PREFIX, covers

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

CREDENTIAL = "provided"
ACCESS = ("access", "Bearer")
"""How providers that mark their tokens' use mark access tokens; others leave it out."""
KEYS_SECONDS = 3600.0
UNKNOWN_SECONDS = 30.0
LEEWAY_SECONDS = 30


class ProvidedTokens:
    """Knows the provider's access tokens; safe to use from several threads.

    Args:
        kernel: the platform's kernel, with a provider in its settings.
    """

    def __init__(self, kernel: Kernel) -> None:
        from ui.auth.oidc import Provider

        self._kernel = kernel
        self._provider = Provider(kernel.settings)
        self._lock = threading.Lock()
        self._keys: Any = None
        self._read = float("-inf")

    def context(self, token: str, resource: str, door: Channel) -> RequestContext:
        """Who the provider says it is.

        Args:
            token: as it was shown.
            resource: the URL that it is shown to.
            door: the door.

        Raises:
            Unauthenticated: if the token is not good, is over, or is meant for another resource.
            PolicyDenied: if the person has no role or no tenant here.
            Unavailable: if the provider's keys cannot be read.
        """
        from ui.auth.oidc import account_for

        claims = self._claims(token)
        if not any(names_resource(named, resource) for named in _several(claims.get("aud"))):
            raise Unauthenticated(f"The token was not made for {resource}.")
        known = self._kernel.principals.provided(str(claims["iss"]), str(claims["sub"]))
        account = known or account_for(self._kernel, claims)
        principal = replace(account.principal, scopes=self._scopes(claims))
        if not opens(principal.scopes, door):
            raise PolicyDenied(f"This token of {principal.name} is not good for {door.value}.")
        return RequestContext(principal, door, credential=f"{CREDENTIAL}:{int(claims['exp'])}")

    def _claims(self, token: str) -> Mapping[str, Any]:
        """What the token says, once its signature, issuer and times are checked."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        from ui.auth.oidc import SIGNED_BY

        issuer = self._provider.metadata()["issuer"]
        wanted: Any = {"iss": {"essential": True, "value": issuer}}
        wanted |= {name: {"essential": True} for name in ("exp", "sub", "aud")}
        try:
            try:
                read = jwt.decode(token, self._key_set(KEYS_SECONDS), algorithms=list(SIGNED_BY))
            except (JoseError, ValueError):  # perhaps the provider has signed with a new key since
                read = jwt.decode(token, self._key_set(UNKNOWN_SECONDS), algorithms=list(SIGNED_BY))
            jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **wanted).validate(read.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated("The provider's token is not good, or over.") from error
        if (read.claims.get("token_use") or read.claims.get("typ") or "access") not in ACCESS:
            raise Unauthenticated("The provider made that token for another use.")
        return read.claims

    def _key_set(self, oldest: float) -> Any:
        """The provider's keys, read anew if older than so many seconds."""
        import httpx2
        from joserfc.jwk import KeySet

        from ui.auth.oidc import ANSWER_SECONDS

        with self._lock:
            if self._keys is None or time.monotonic() - self._read > oldest:
                address = self._provider.metadata()["jwks_uri"]
                try:
                    answer = httpx2.get(address, timeout=ANSWER_SECONDS).raise_for_status()
                    self._keys = KeySet.import_key_set(answer.json())
                except (httpx2.HTTPError, ValueError) as error:
                    raise Unavailable("The identity provider's keys cannot be read.") from error
                self._read = time.monotonic()
            return self._keys

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str] | None:
        """Those of the token's scopes that are ours; None, which narrows nothing, if none is."""
        domains = {o.domain for o in self._kernel.operations}
        found: set[str] = set()
        for word in str(claims.get("scope") or "").split():
            try:
                found |= read_scopes([word], domains)
            except InvalidInput:
                continue  # the provider's own, such as `openid`
        return frozenset(found) or None


def is_provided(token: str) -> bool:
    """True if a token is a JWT, and so none of ours."""
    return token.count(".") == 2 and not token.startswith(PREFIX)


def is_over(credential: str) -> bool:
    """True for the credential of a provider's token whose time is over."""
    kind, _, ends = credential.partition(":")
    return kind == CREDENTIAL and float(ends) + LEEWAY_SECONDS < time.time()


def names_resource(audience: str, resource: str) -> bool:
    """True if an audience is the resource, or what it is below, and not the whole gateway."""
    parts = urlsplit(audience)
    return bool(parts.netloc and parts.path.strip("/")) and covers(audience, resource)


def _several(value: Any) -> list[str]:
    return [str(v) for v in (value if isinstance(value, list) else [value]) if v is not None]
