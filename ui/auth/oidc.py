"""Signing in at an OpenID Connect provider: authorization code flow with PKCE, state and nonce.

What the provider says of a person becomes roles and a tenant by the settings' data alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from tools.kernel.errors import (
    Conflict,
    PilothouseError,
    PolicyDenied,
    Unauthenticated,
    Unavailable,
)
from tools.kernel.identity import Role
from tools.kernel.login_flows import Flow, LoginFlows
from tools.kernel.principals import DEFAULT_TENANT, Account
from tools.kernel.roles import ROLES, role_of
from ui.api.door import Door
from ui.auth.cookies import flow_cookie, flow_value
from ui.auth.login import form, local_path, signed_in
from ui.auth.visit import visit_of

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings

log = logging.getLogger(__name__)
PATH = "/login/oidc"
CALLBACK = f"{PATH}/callback"
SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""What an ID token may be signed by: nothing that a client's secret, or nobody, can sign."""
METADATA_SECONDS = 3600.0
ANSWER_SECONDS = 10.0
router = APIRouter(prefix=PATH, include_in_schema=False)


def add_to(app: FastAPI, door: Door) -> None:
    """Add the way in, if a provider is configured."""
    settings = door.kernel.settings
    if settings.oidc_issuer is None:
        return
    app.state.provider = Provider(settings)
    app.include_router(router)


@router.get("")
def begin(request: Request, next: str = "/") -> Response:
    """Go to the provider."""
    gatekeeper = visit_of(request.scope).gatekeeper
    provider: Provider = request.app.state.provider
    try:
        flow = LoginFlows(gatekeeper.kernel.database).begin(local_path(next))
        answer = RedirectResponse(provider.address(flow, _callback(request)), 303)
    except PilothouseError as error:
        return form(request, next, problem=str(error), status=error.status)
    answer.headers.append("set-cookie", flow_cookie(flow.browser, PATH, secure=gatekeeper.secure))
    return answer


@router.get("/callback")
def end(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    """Come back from the provider."""
    gatekeeper = visit_of(request.scope).gatekeeper
    goal = "/"
    try:
        browser = flow_value(request.headers.get("cookie", "")) or ""
        flow = LoginFlows(gatekeeper.kernel.database).end(state, browser)
        goal = flow.goal
        if error or not code:
            raise Unauthenticated("The provider did not let you in.")
        claims = request.app.state.provider.claims(code, flow, _callback(request))
        answer = signed_in(request, account_for(gatekeeper.kernel, claims), goal, "provider")
    except PilothouseError as problem:
        told = {"event": "login.failed", "how": "provider", "error": problem.code}
        gatekeeper.kernel.audit.append(DEFAULT_TENANT, {**told, "channel": "web"})
        answer = form(request, goal, problem=str(problem), status=problem.status)
    answer.headers.append("set-cookie", flow_cookie("", PATH, secure=gatekeeper.secure))
    return answer


class Provider:
    """The provider as its own metadata describe it; safe to use from several threads.

    Args:
        settings: issuer, client and scope.
    """

    def __init__(self, settings: Settings) -> None:
        self._issuer = (settings.oidc_issuer or "").rstrip("/")
        self._client_id = settings.oidc_client_id or ""
        secret = settings.oidc_client_secret
        self._secret = secret.get_secret_value() if secret else None
        self._scope = settings.oidc_scope
        self._metadata: dict[str, Any] = {}
        self._read = 0.0

    def address(self, flow: Flow, callback: str) -> str:
        """Where the browser is sent.

        Raises:
            Unavailable: if the provider does not answer.
        """
        endpoint = self.metadata()["authorization_endpoint"]
        with self._client(callback) as client:
            return client.create_authorization_url(
                endpoint, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )[0]

    def claims(self, code: str, flow: Flow, callback: str) -> Mapping[str, Any]:
        """What the provider says of the person, checked: signature, issuer, audience, time, nonce.

        Raises:
            Unauthenticated: if the code or the ID token is not good.
            Unavailable: if the provider does not answer.
        """
        import httpx2
        from authlib.common.errors import AuthlibBaseError
        from joserfc.errors import JoseError

        try:
            with self._client(callback) as client:
                token = client.fetch_token(
                    self.metadata()["token_endpoint"], code=code, code_verifier=flow.verifier
                )
                claims = self._checked(cast("dict[str, Any]", token), flow.nonce)
                return {**self._userinfo(client, str(claims["sub"])), **claims}
        except httpx2.TransportError as error:
            raise self._silent() from error
        except (AuthlibBaseError, JoseError, httpx2.HTTPError, ValueError, KeyError) as error:
            log.warning("a sign-in at %s failed: %s", self._issuer, type(error).__name__)
            raise Unauthenticated(
                "What the provider sent is not good.", hint="Begin anew."
            ) from error

    def metadata(self) -> dict[str, Any]:
        """The provider's metadata (OpenID Connect Discovery), read anew every hour.

        Raises:
            Unavailable: if they cannot be read, or are of another issuer.
        """
        import httpx2

        if self._metadata and time.monotonic() - self._read < METADATA_SECONDS:
            return self._metadata
        address = f"{self._issuer}/.well-known/openid-configuration"
        try:
            found = httpx2.get(address, timeout=ANSWER_SECONDS).raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._silent() from error
        if str(found.get("issuer", "")).rstrip("/") != self._issuer:
            raise Unavailable(f"{address} speaks for another issuer.")
        self._metadata, self._read = found, time.monotonic()
        return found

    def _checked(self, token: dict[str, Any], nonce: str) -> Mapping[str, Any]:
        import httpx2
        from authlib.integrations.base_client.sync_openid import OpenIDMixin

        metadata = self.metadata()
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]

        class Checker(OpenIDMixin):
            """Authlib's own check of ID tokens, over this provider's metadata."""

            client_id = self._client_id

            def load_server_metadata(self) -> dict[str, Any]:
                allowed = [name for name in offered if name in SIGNED_BY]
                return {**metadata, "id_token_signing_alg_values_supported": allowed}

            def fetch_jwk_set(self, force: bool = False) -> Any:
                answer = httpx2.get(metadata["jwks_uri"], timeout=ANSWER_SECONDS)
                return answer.raise_for_status().json()

        claims = Checker().parse_id_token(token, nonce)
        if claims is None:
            raise Unauthenticated("The provider sent no ID token.")
        return claims

    def _userinfo(self, client: Any, subject: str) -> Mapping[str, Any]:
        """What else the provider tells of the person; groups are often told here alone."""
        endpoint = self.metadata().get("userinfo_endpoint")
        if not endpoint:
            return {}
        found = client.get(endpoint).raise_for_status().json()
        if str(found.get("sub")) != subject:  # OpenID Connect Core, section 5.3.2
            raise Unauthenticated("The provider speaks of two people.")
        return found

    def _client(self, callback: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self._client_id,
            self._secret,
            scope=self._scope,
            redirect_uri=callback,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            timeout=ANSWER_SECONDS,
        )

    def _silent(self) -> Unavailable:
        return Unavailable(
            f"The identity provider {self._issuer} does not answer.", hint="Try again later."
        )


def account_for(kernel: Kernel, claims: Mapping[str, Any]) -> Account:
    """The account of who the provider vouches for; made at the first sign-in, brought up to date.

    Raises:
        PolicyDenied: if the claims give no role or no tenant here.
        Conflict: if the name is taken by somebody else here.
        Unauthenticated: if it was removed here.
    """
    settings, principals = kernel.settings, kernel.principals
    issuer, subject = str(claims["iss"]), str(claims["sub"])
    role, tenant = role_for(settings, claims), tenant_for(settings, claims)
    known = principals.provided(issuer, subject)
    if known is None:
        name = _name(settings, claims)
        principals.add_account(name, role, tenant, issuer=issuer, subject=subject)
        told = {"event": "user.provided", "principal": name, "role": role_of(role)}
        kernel.audit.append(tenant, told)
        return cast("Account", principals.provided(issuer, subject))
    if known.principal.tenant != tenant:
        raise Conflict(
            f"{known.principal.name} belongs to another tenant here.",
            hint="An admin there removes the account first.",
        )
    if principals.set_roles(known.principal.name, role, tenant) != role:
        told = {"event": "role.provided", "principal": known.principal.name}
        kernel.audit.append(tenant, {**told, "role": role_of(role)})
        known = cast("Account", principals.provided(issuer, subject))
    return known


def role_for(settings: Settings, claims: Mapping[str, Any]) -> frozenset[Role]:
    """The roles that the claims give: of the highest that is mapped, or the default.

    Raises:
        PolicyDenied: if they give none.
    """
    values = _values(claims, settings.oidc_role_claim)
    given = [settings.oidc_roles[value] for value in values if value in settings.oidc_roles]
    names = given or ([settings.oidc_default_role] if settings.oidc_default_role else [])
    if not names:
        raise PolicyDenied("You have no role here.", hint="Ask an admin for one.")
    return ROLES[max(names, key=list(ROLES).index)]


def tenant_for(settings: Settings, claims: Mapping[str, Any]) -> str:
    """The tenant that the claims name.

    Raises:
        PolicyDenied: if they name none that is mapped, or several.
    """
    if settings.oidc_tenant_claim is None:
        return DEFAULT_TENANT
    values = _values(claims, settings.oidc_tenant_claim)
    found = {settings.oidc_tenants[v] for v in values if v in settings.oidc_tenants}
    if len(found) != 1:
        raise PolicyDenied("Your organisation has no tenant here.", hint="Ask an admin for one.")
    return found.pop()


def _name(settings: Settings, claims: Mapping[str, Any]) -> str:
    named = (settings.oidc_name_claim, "email", "sub")
    return next(str(claims[c]).strip()[:128] for c in named if claims.get(c))


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return [str(v) for v in (found if isinstance(found, list) else [found]) if v is not None]


def _callback(request: Request) -> str:
    public = visit_of(request.scope).gatekeeper.kernel.settings.public_url
    return f"{(public or str(request.base_url)).rstrip('/')}{CALLBACK}"
