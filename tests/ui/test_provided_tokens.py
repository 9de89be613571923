"""MCP with access tokens that a real provider, `nanoidp`, made for the gateway."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.gateway import Gateway, running_gateway
from tests.ui.test_oidc import PASSWORD, Provider
from ui.api import servers
from ui.auth import shield
from ui.auth.provided import names_resource

PUBLIC = "https://pilothouse.example"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
WHOAMI = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "platform_whoami", "arguments": {}},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    started = Provider(tmp_path_factory.mktemp("provider"), audience=f"{PUBLIC}/mcp")
    try:
        started.wait()
        yield started
    finally:
        started.process.terminate()
        started.process.wait(10)


@pytest.fixture(scope="module")
def gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    doors = (servers.add_to, shield.add_to)
    with running_gateway(
        tmp_path_factory.mktemp("gateway"),
        doors,
        public_url=PUBLIC,
        oidc_issuer=provider.issuer,
        oidc_client_id="pilothouse",
        oidc_name_claim="sub",
        oidc_roles={"ML_OPS": "operator"},
    ) as running:
        yield running


def granted(provider: Provider, name: str, scope: str = "openid") -> dict[str, Any]:
    """What the provider hands out."""
    form = {"grant_type": "password", "username": name, "password": PASSWORD, "scope": scope}
    answer = httpx.post(
        f"{provider.issuer}/token", data=form, auth=("pilothouse", "a-secret-of-both")
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(gateway: Gateway, message: Any, token: str, **more: str) -> httpx.Response:
    url = f"{gateway.base}/mcp/all"
    return httpx.post(url, json=message, headers=gateway.headers(token, **more))


def test_the_metadata_lead_to_the_provider(gateway: Gateway, provider: Provider) -> None:
    found = httpx.get(f"{gateway.base}/.well-known/oauth-protected-resource/mcp/all").json()
    assert found["authorization_servers"] == [provider.issuer]
    assert found["resource"] == f"{PUBLIC}/mcp/all"


def test_a_token_that_the_provider_made_for_here_lets_its_person_in(
    gateway: Gateway, provider: Provider
) -> None:
    token = granted(provider, "olga")["access_token"]
    opened = post(gateway, INITIALIZE, token)
    assert opened.status_code == 200, opened.text
    held = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    assert '"word":"olga"' in post(gateway, WHOAMI, token, **held).text
    again = granted(provider, "olga")["access_token"]
    assert post(gateway, WHOAMI, again, **held).status_code == 200


def test_who_has_no_role_here_stays_out(gateway: Gateway, provider: Provider) -> None:
    assert post(gateway, INITIALIZE, granted(provider, "rolf")["access_token"]).status_code == 403


def test_a_token_for_another_use_or_changed_stays_out(gateway: Gateway, provider: Provider) -> None:
    found = granted(provider, "olga")
    header, claims, signature = found["access_token"].split(".")
    bad = {
        "the ID token": found["id_token"],
        "a refresh token": found.get("refresh_token", "a.b.c"),
        "another signature": f"{header}.{claims}.{signature[:-8]}AAAAAAAA",
        "other claims": f"{header}.{_changed(claims, sub='piet')}.{signature}",
        "no signature": f"{_changed(header, alg='none')}.{claims}.",
        "garbage": "a.b.c",
    }
    for what, token in bad.items():
        answer = post(gateway, INITIALIZE, token)
        assert answer.status_code == 401, what
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_keys_that_are_not_the_providers_sign_nothing(gateway: Gateway, provider: Provider) -> None:
    claims = {
        "iss": provider.issuer,
        "sub": "olga",
        "aud": f"{PUBLIC}/mcp",
        "exp": int(time.time()) + 600,
    }
    forged = jwt.encode({"alg": "RS256"}, claims, RSAKey.generate_key(2048))
    keys = httpx.get(f"{provider.issuer}/.well-known/jwks.json").text
    shared = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(keys))
    for token in (forged, shared):
        assert post(gateway, INITIALIZE, token).status_code == 401


def test_one_who_was_removed_here_stays_out(gateway: Gateway, provider: Provider) -> None:
    token = granted(provider, "sara")["access_token"]
    assert post(gateway, INITIALIZE, token).status_code == 200
    gateway.kernel.principals.remove("sara")
    assert post(gateway, INITIALIZE, token).status_code == 401


@pytest.mark.parametrize(
    ("audience", "good"),
    [
        (f"{PUBLIC}/mcp", True),
        (f"{PUBLIC}/mcp/", True),
        (f"{PUBLIC}/mcp/all", True),
        (f"{PUBLIC}/mcp/registry", False),
        (f"{PUBLIC}/mc", False),
        (f"{PUBLIC}/", False),
        (PUBLIC, False),
        ("https://pilothouse.example.evil/mcp", False),
        ("/mcp", False),
        ("pilothouse", False),
        ("", False),
    ],
)
def test_only_an_audience_that_is_the_resource_or_above_it_is_good(
    audience: str, good: bool
) -> None:
    assert names_resource(audience, f"{PUBLIC}/mcp/all") is good


def _changed(part: str, **more: str) -> str:
    read = json.loads(base64.urlsafe_b64decode(part + "=="))
    return base64.urlsafe_b64encode(json.dumps(read | more).encode()).decode().rstrip("=")
