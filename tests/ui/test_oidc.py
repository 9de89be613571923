"""Signing in at a real OpenID Connect provider, `nanoidp`, on the loopback address."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml
from sqlalchemy import text

from tests.ui.gateway import Gateway, gateway
from tools.kernel.roles import ROLES

PEOPLE = {
    "olga": {"roles": ["ML_OPS"], "tenant": "default"},
    "piet": {"roles": ["ML_ADMIN", "ML_OPS"], "tenant": "acme-corp"},
    "rolf": {"roles": ["COOK"], "tenant": "default"},
    "sara": {"roles": ["ML_OPS"], "tenant": "elsewhere"},
}
PASSWORD = "of-the-provider"


class Provider:
    """One provider process.

    Attributes:
        issuer: its URL.
        folder: its configuration, which it reads again when told to.
    """

    def __init__(self, folder: Path, audience: str = "pilothouse") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.issuer, self.folder = f"http://127.0.0.1:{port}", folder
        client = {"client_id": "pilothouse", "client_secret": "a-secret-of-both"}
        oauth = {"issuer": self.issuer, "audience": audience, "clients": [client]}
        server = {"host": "127.0.0.1", "port": port}
        self._write("settings.yaml", {"server": server, "oauth": oauth})
        people = {
            name: {"password": PASSWORD, "email": f"{name}@example.org", **told}
            for name, told in PEOPLE.items()
        }
        self._write("users.yaml", {"users": people, "default_user": "olga"})
        words = ["-m", "nanoidp", "--config", str(folder), "--host", "127.0.0.1"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *words, "--port", str(port)],
                stdout=log,
                stderr=log,
                cwd=folder,  # where it writes its keys
            )

    def _write(self, name: str, content: object) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content))

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status()
                return
            except httpx.HTTPError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    started = Provider(tmp_path_factory.mktemp("provider"))
    try:
        started.wait()
        yield started
    finally:
        started.process.terminate()
        started.process.wait(10)


@pytest.fixture(scope="module")
def running(
    provider: Provider, template_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("oidc") / "home"
    shutil.copytree(template_home, home)
    with gateway(
        home,
        oidc_issuer=provider.issuer,
        oidc_client_id="pilothouse",
        oidc_client_secret="a-secret-of-both",
        oidc_name_claim="sub",
        oidc_roles={"ML_OPS": "operator", "ML_ADMIN": "admin"},
        oidc_tenant_claim="tenant",
        oidc_tenants={"default": "default", "acme-corp": "acme"},
    ) as started:
        yield started


def _back(browser: httpx.Client, name: str, goal: str = "/") -> str:
    """Sign in at the provider; the address at which it sends the browser back."""
    began = browser.get("/login/oidc", params={"next": goal})
    assert began.status_code == 303, began.text
    address = began.headers["location"]
    with httpx.Client(timeout=30) as there:
        shown = there.get(address)
        assert shown.status_code == 200, shown.text
        hidden = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', shown.text))
        form = {**hidden, "username": name, "password": PASSWORD}
        answer = there.post(address, data=form)
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"]


def _whoami(browser: httpx.Client) -> httpx.Response:
    return browser.post("/api/v1/operations/platform.whoami", json={"arguments": {}})


def test_the_login_page_offers_the_provider(running: Gateway) -> None:
    with running.browser() as browser:
        assert 'href="/login/oidc?next=/jobs"' in browser.get("/login?next=/jobs").text


def test_what_is_sent_to_the_provider_is_bound_to_this_sign_in(
    running: Gateway, provider: Provider
) -> None:
    with running.browser() as browser:
        first = browser.get("/login/oidc").headers["location"]
        second = browser.get("/login/oidc").headers["location"]
    assert first.startswith(provider.issuer)
    asked, again = (parse_qs(urlsplit(a).query) for a in (first, second))
    assert asked["code_challenge_method"] == ["S256"] and asked["response_type"] == ["code"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name][0]) >= 40 and asked[name] != again[name]


@pytest.mark.parametrize(
    ("name", "roles", "tenant"),
    [("olga", {"viewer", "operator"}, "default"), ("piet", {"admin"}, "acme")],
)
def test_claims_become_roles_and_a_tenant(
    running: Gateway, name: str, roles: set[str], tenant: str
) -> None:
    with running.browser() as browser:
        back = browser.get(_back(browser, name, goal="/jobs"))
        assert back.status_code == 303 and back.headers["location"] == "/jobs", back.text
        told = _whoami(browser).json()["result"]
    assert told["name"] == name and told["tenant"] == tenant
    assert roles <= set(told["roles"])
    users = {a.principal.name: a for a in running.kernel.principals.accounts(tenant)}
    assert users[name].issuer and users[name].password is None


@pytest.mark.parametrize("name", ["rolf", "sara"])
def test_who_has_no_role_or_no_tenant_here_is_kept_out(running: Gateway, name: str) -> None:
    with running.browser() as browser:
        back = browser.get(_back(browser, name))
        assert back.status_code == 403 and 'role="alert"' in back.text
        assert _whoami(browser).status_code == 401
    assert running.kernel.principals.account(name) is None


def test_an_answer_for_another_browser_is_refused(running: Gateway) -> None:
    with running.browser() as browser, running.browser() as other:
        address = _back(browser, "olga")
        other.get("/login/oidc")
        assert other.get(address).status_code == 401
        assert _whoami(other).status_code == 401


def test_an_answer_is_good_once(running: Gateway) -> None:
    with running.browser() as browser:
        address = _back(browser, "olga")
        kept = dict(browser.cookies)
        assert browser.get(address).status_code == 303
        browser.cookies.update(kept)
        assert browser.get(address).status_code == 401


@pytest.mark.parametrize("change", ["code=stolen", "state=forged"])
def test_a_forged_answer_is_refused(running: Gateway, change: str) -> None:
    name = change.split("=")[0]
    with running.browser() as browser:
        address = re.sub(rf"{name}=[^&]+", change, _back(browser, "olga"))
        assert browser.get(address).status_code == 401
        assert _whoami(browser).status_code == 401


def test_a_token_for_another_nonce_is_refused(running: Gateway) -> None:
    with running.browser() as browser:
        address = _back(browser, "olga")
        with running.kernel.database.session() as session:
            session.execute(text("UPDATE ph_login_flows SET nonce = 'another'"))
        assert browser.get(address).status_code == 401


def test_who_was_removed_here_does_not_come_back_by_the_providers_word(running: Gateway) -> None:
    with running.browser() as browser:
        assert browser.get(_back(browser, "olga")).status_code == 303
        running.kernel.principals.remove("olga")
        assert _whoami(browser).status_code == 401
        back = browser.get(_back(browser, "olga"))
        assert back.status_code == 401 and "removed" in back.text
    running.kernel.principals.add("olga", ROLES["viewer"])
    with running.browser() as browser:
        assert browser.get(_back(browser, "olga")).status_code == 303


def test_a_local_account_is_not_taken_over_by_its_name(running: Gateway) -> None:
    with running.kernel.database.session() as session:
        session.execute(text("DELETE FROM ph_principals WHERE name = 'piet'"))
    running.add("piet", "viewer", "acme")
    with running.browser() as browser:
        back = browser.get(_back(browser, "piet"))
        assert back.status_code == 409 and _whoami(browser).status_code == 401
