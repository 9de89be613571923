"""Who gets in, over real HTTP: passwords, sessions, tokens, origins, hosts, sizes and rates."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as open_websocket
from websockets.typing import Origin

from tests.ui.gateway import PASSWORD, Gateway, gateway
from tools.kernel.roles import ROLES
from tools.kernel.storage import now
from tools.kernel.tables import SessionRow, TokenRow
from ui.auth.login import local_path

WHOAMI = "/api/v1/operations/platform.whoami"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def running(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("auth") / "home"
    shutil.copytree(template_home, home)
    with gateway(home, body_limit_mb=1, cors_origins="https://tools.example") as started:
        yield started


@contextmanager
def _in(running: Gateway, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A browser in which somebody has signed in."""
    with running.browser() as browser:
        answer = browser.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        yield browser


def _whoami(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post(WHOAMI, json={"arguments": {}}, headers=headers)


def _name(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]["name"]


def _audited(running: Gateway, event: str) -> list[dict[str, Any]]:
    found = running.kernel.audit.tail("default", 500)
    return [record.body for record in found if record.body["event"] == event]


def test_a_password_opens_a_session_that_scripts_and_other_sites_cannot_use(
    running: Gateway,
) -> None:
    running.add("amy")
    answer = running.sign_in("amy", goal="/api/v1/status")
    assert answer.status_code == 303 and answer.headers["location"] == "/api/v1/status"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {p.strip() for p in cookie.split(";")}
    secret = cookie.split("=", 1)[1].split(";")[0]
    with running.kernel.database.session() as session:
        kept = repr(session.execute(text("SELECT * FROM ph_sessions")).all())
    assert secret not in kept and PASSWORD not in kept
    assert _audited(running, "login.succeeded")[-1]["principal"] == "amy"


def test_one_login_serves_api_and_pages(running: Gateway) -> None:
    running.add("ann", "viewer")
    with _in(running, "ann") as browser:
        assert _name(_whoami(browser)) == "ann"
        page = browser.get("/")
        assert "ann" in page.text and page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("name", ["bob", "nobody-of-that-name", "acme/bob", "", "' or 1=1 --"])
def test_a_wrong_password_is_refused_in_the_same_words_for_every_name(
    running: Gateway, name: str
) -> None:
    if running.kernel.principals.account("bob") is None:
        running.add("bob")
    answer = running.sign_in(name or " ", "a wrong password")
    assert answer.status_code == 401
    assert "That name and password do not fit together." in answer.text
    assert "set-cookie" not in answer.headers


def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hash once: counted, because times are noisy."""
    from tools.kernel import passwords

    hashed: list[str | None] = []
    real = passwords.verify
    monkeypatch.setattr(passwords, "verify", lambda s, p: hashed.append(s) or real(s, p))
    running.add("cleo")
    running.sign_in("cleo", "wrong")
    running.sign_in("cleopatra", "wrong")
    assert len(hashed) == 2 and hashed[0] and hashed[1] is None


def test_an_account_is_locked_with_growing_waits_and_unlocked_by_an_admin(
    running: Gateway,
) -> None:
    running.add("dora")
    for wrong in range(4):
        assert running.sign_in("dora", f"wrong {wrong}").status_code == 401
    waits: list[int] = []
    for _ in range(3):
        answer = running.sign_in("dora", "wrong again")
        assert answer.status_code == 429
        waits.append(int(answer.headers["retry-after"]))
        with running.kernel.database.session() as session:  # the wait is over
            session.execute(text("UPDATE ph_login_failures SET until = NULL"))
    assert waits == sorted(waits) and waits[-1] >= 4 * waits[0]
    assert running.sign_in("dora", "wrong again").status_code == 429
    assert running.sign_in("dora").status_code == 429, "the right password waits, too"
    assert "locked" in str(_audited(running, "login.locked")) and "dora" in str(
        _audited(running, "login.failed")
    )
    with running.client() as owner:
        told = owner.post(
            "/api/v1/operations/platform.unlock_user", json={"arguments": {"name": "dora"}}
        ).json()
    assert told["result"]["was_locked"]
    assert running.sign_in("dora").status_code == 303


def test_an_unknown_account_is_locked_as_well(running: Gateway) -> None:
    answers = [running.sign_in("ghost", "wrong").status_code for _ in range(6)]
    assert answers[:4] == [401] * 4 and answers[-1] == 429


def test_signing_out_ends_the_session_for_whoever_copied_it(running: Gateway) -> None:
    running.add("eva")
    with _in(running, "eva") as browser:
        stolen = dict(browser.cookies)
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").text)
        assert csrf
        assert browser.post("/logout", data={"csrf_token": csrf[1]}).status_code == 303
        assert _whoami(browser).status_code == 401
    with running.browser() as thief:
        thief.cookies.update(stolen)
        assert _whoami(thief).status_code == 401


@pytest.mark.parametrize("how", ["roles", "password", "removal"])
def test_what_changes_an_account_ends_its_sessions_at_once(running: Gateway, how: str) -> None:
    name, principals = f"fay-{how}", running.kernel.principals
    running.add(name)
    with _in(running, name) as browser:
        assert _name(_whoami(browser)) == name
        if how == "roles":
            principals.set_roles(name, ROLES["viewer"])
        elif how == "password":
            principals.set_password(name, "another hash")
        else:
            principals.remove(name)
        assert _whoami(browser).status_code == 401


@pytest.mark.parametrize(("column", "minutes"), [("seen", -61), ("expires", 0)])
def test_a_session_ends_when_it_was_idle_or_is_old(
    running: Gateway, column: str, minutes: int
) -> None:
    name = f"gus-{column}"
    running.add(name)
    with _in(running, name) as browser:
        with running.kernel.database.session() as session:
            session.execute(
                update(SessionRow)
                .where(SessionRow.principal == name)
                .values({column: now() + timedelta(minutes=minutes)})
            )
        assert _whoami(browser).status_code == 401


def test_a_sessions_secret_is_replaced_and_the_old_one_betrays_its_thief(
    running: Gateway,
) -> None:
    running.add("hal")
    with _in(running, "hal") as browser, running.browser() as thief:
        stolen = dict(browser.cookies)
        _age(running, "hal", minutes=11)
        rotated = _whoami(browser)
        assert _name(rotated) == "hal" and "set-cookie" in rotated.headers
        assert dict(browser.cookies) != stolen
        assert _name(_whoami(browser)) == "hal"
        _age(running, "hal", minutes=1)  # the time for requests under way is over
        thief.cookies.update(stolen)
        assert _whoami(thief).status_code == 401
        assert _whoami(browser).status_code == 401, "nobody knows which of them is the thief"


def test_a_session_outlives_an_answer_that_was_lost(running: Gateway) -> None:
    """A page that is left while its answer is under way never learns the new secret."""
    running.add("ivo")
    with _in(running, "ivo") as browser:
        before = dict(browser.cookies)
        _age(running, "ivo", minutes=11)
        assert "set-cookie" in _whoami(browser).headers
        browser.cookies.clear()
        browser.cookies.update(before)  # the answer was lost
        with running.kernel.database.session() as session:
            past = now() - timedelta(minutes=5)
            row = update(SessionRow).where(SessionRow.principal == "ivo")
            session.execute(row.values(rotated=past, seen=past))
        again = _whoami(browser)
        assert _name(again) == "ivo" and "set-cookie" in again.headers
        assert _name(_whoami(browser)) == "ivo"


def _age(running: Gateway, name: str, minutes: float) -> None:
    with running.kernel.database.session() as session:
        session.execute(
            update(SessionRow)
            .where(SessionRow.principal == name)
            .values(rotated=now() - timedelta(minutes=minutes))
        )


def test_signing_in_again_ends_the_session_before(running: Gateway) -> None:
    running.add("ida")
    with _in(running, "ida") as browser, running.browser() as other:
        before = dict(browser.cookies)
        browser.post("/login", data={"name": "ida", "password": PASSWORD})
        other.cookies.update(before)
        assert _whoami(other).status_code == 401 and _name(_whoami(browser)) == "ida"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://tools.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
)
def test_a_cookie_alone_lets_no_foreign_page_act(running: Gateway, headers: dict[str, str]) -> None:
    if running.kernel.principals.account("jo") is None:
        running.add("jo")
    with _in(running, "jo") as browser:
        cookies = dict(browser.cookies)
    with running.client(None) as forged:
        forged.cookies.update(cookies)
        answer = _whoami(forged, **headers)
    assert answer.status_code == 403 and answer.headers["content-type"] == PROBLEM


def test_a_script_of_ours_proves_itself_by_its_token(running: Gateway) -> None:
    running.add("kai")
    with _in(running, "kai") as browser, running.client(None) as script:
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").text)
        script.cookies.update(dict(browser.cookies))
        assert csrf and _name(_whoami(script, **{"X-CSRF-Token": csrf[1]})) == "kai"
        assert _whoami(script, **{"X-CSRF-Token": csrf[1][:-1]}).status_code == 403


def test_a_foreign_page_cannot_sign_its_visitor_in(running: Gateway) -> None:
    running.add("lou")
    form = {"name": "lou", "password": PASSWORD}
    with running.client(None) as client:
        answer = client.post("/login", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_a_websocket_of_a_foreign_page_is_refused(running: Gateway) -> None:
    running.add("mia")
    with _in(running, "mia") as browser:
        cookie = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    address = running.url.replace("http", "ws") + "/api/v1/events/jobs"
    with (
        pytest.raises(InvalidStatus) as refused,
        open_websocket(
            address,
            origin=Origin("https://evil.example"),
            additional_headers={"Cookie": cookie},
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_foreign_host_name_is_refused(running: Gateway, host: str) -> None:
    with running.client() as owner:
        answer = _whoami(owner, Host=host)
    assert answer.status_code in (400, 403)
    assert "result" not in answer.text


def test_only_listed_origins_may_read_answers_and_only_by_token(running: Gateway) -> None:
    token = running.add("ned")
    with running.client(token) as client:
        listed = _whoami(client, Origin="https://tools.example")
        foreign = _whoami(client, Origin="https://evil.example")
    assert listed.headers["access-control-allow-origin"] == "https://tools.example"
    assert "access-control-allow-credentials" not in listed.headers
    assert "access-control-allow-origin" not in foreign.headers


def test_pages_run_no_foreign_or_inline_script_and_are_not_framed(running: Gateway) -> None:
    with running.client(None) as client:
        answer = client.get("/login")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text and "style=" not in answer.text
    assert not re.findall(r"(?:src|href|action)=\"(?!/)", answer.text.replace('"#main"', '"/"'))


@pytest.mark.parametrize("size", [1_100_000, 30_000_000])
def test_a_request_that_is_too_large_is_refused(running: Gateway, size: int) -> None:
    with running.client(**{"Content-Type": "application/json"}) as owner:
        said = owner.post("/api/v1/ask", content=b"x" * size)

        def parts() -> Iterator[bytes]:
            for _ in range(size // 100_000 + 1):
                yield b"x" * 100_000

        streamed = owner.post("/api/v1/ask", content=parts())
    for answer in (said, streamed):
        assert answer.status_code == 413 and answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    ("goal", "kept"),
    [
        ("/jobs?status=failed", "/jobs?status=failed"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("", "/"),
        ("/" + "x" * 600, "/"),
    ],
)
def test_signing_in_leads_to_paths_of_this_host_only(goal: str, kept: str) -> None:
    assert local_path(goal) == kept


def test_a_page_sends_who_is_not_signed_in_to_the_login_and_back(running: Gateway) -> None:
    with running.client(None) as client:
        answer = client.get("/?tab=2", headers={"Accept": "text/html"})
        data = client.get("/api/v1/status", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/%3Ftab%3D2"
    assert data.status_code == 401 and data.headers["www-authenticate"].startswith("Bearer")


def _token(running: Gateway, **arguments: Any) -> str:
    with running.client() as owner:
        given = {"label": "test", **arguments}
        told = owner.post(
            "/api/v1/operations/platform.create_token", json={"arguments": given}
        ).json()
    return told["revealed"]["token"]


def test_a_token_lends_what_its_scopes_name_and_no_more(running: Gateway) -> None:
    token = _token(running, scopes=["datasets:read", "platform.whoami"])
    with running.client(token) as client:
        call = lambda name: client.post(f"/api/v1/operations/{name}", json={"arguments": {}})  # noqa: E731
        assert call("platform.whoami").status_code == 200
        assert call("datasets.list").status_code == 200
        refused = call("platform.jobs")
        assert refused.status_code == 403 and "platform:read" in refused.text
        assert call("platform.undo").status_code == 403
        assert client.post("/api/v1/shutdown").status_code == 403
        made = client.post(
            "/api/v1/operations/platform.create_token", json={"arguments": {"label": "more"}}
        )
        assert made.status_code == 403, "a narrow token makes no broad one"


def test_a_token_without_that_scope_approves_nothing(running: Gateway) -> None:
    with running.client() as owner:
        wanted = owner.post(
            "/api/v1/operations/platform.add_user",
            json={"arguments": {"name": "zoe", "role": "viewer"}},
        ).json()
    grant = f"/api/v1/approvals/{wanted['approval']['id']}/grant"
    with running.client(_token(running, scopes=["*:*"])) as client:
        assert client.post(grant, json={"confirm": "zoe"}).status_code == 403
    with running.client(_token(running, scopes=["*:read", "approve"])) as client:
        assert client.post(grant, json={"confirm": "zoe"}).status_code == 200
        set_off = client.post(grant.replace("/grant", "/go-on"), json={})
        assert set_off.status_code == 403 and "platform:dangerous" in set_off.text
    assert running.kernel.principals.account("zoe") is None


def test_a_token_for_one_door_opens_no_other(running: Gateway) -> None:
    with running.client(_token(running, scopes=["mcp"])) as client:
        assert _whoami(client).status_code == 403
        assert _whoami(client, **{"X-Pilothouse-Channel": "mcp"}).status_code == 403


def test_a_token_that_expired_or_was_taken_back_opens_nothing(running: Gateway) -> None:
    expiring, revoked = _token(running, label="e"), _token(running, label="r")
    with running.kernel.database.session() as session:
        session.execute(update(TokenRow).where(TokenRow.label == "e").values(expires=now()))
    with running.client() as owner:
        found = owner.post("/api/v1/operations/platform.tokens", json={"arguments": {}}).json()
        known = {t["label"]: t for t in found["result"]["tokens"]}
        ended = owner.post(
            "/api/v1/operations/platform.revoke_token",
            json={"arguments": {"token": known["r"]["id"]}},
        )
        assert ended.status_code == 200
        assert known["e"]["status"] == "expired"
    for token in (expiring, revoked, expiring[:-1], "ph_", "x" * 5000):
        with running.client(token) as client:
            answer = _whoami(client)
        assert answer.status_code == 401 and answer.headers["content-type"] == PROBLEM


def test_a_tokens_use_is_noted_and_the_token_itself_is_kept_nowhere(running: Gateway) -> None:
    token = _token(running, label="seen")
    with running.client(token) as client:
        _whoami(client)
    with running.client() as owner:
        found = owner.post("/api/v1/operations/platform.tokens", json={"arguments": {}}).json()
        seen = next(t for t in found["result"]["tokens"] if t["label"] == "seen")
    assert seen["used"] and token.startswith(seen["prefix"]) and len(seen["prefix"]) < 12
    home = running.kernel.settings.home
    kept = b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file() and p.suffix != ".npz")
    assert token.encode() not in kept and PASSWORD.encode() not in kept


def test_a_token_bound_to_another_resource_opens_nothing_here(running: Gateway) -> None:
    with running.client(_token(running, audience="https://other.example/mcp")) as client:
        assert _whoami(client).status_code == 401


def test_who_may_not_manage_users_manages_their_own_tokens_only(running: Gateway) -> None:
    token = running.add("una", "viewer")
    with running.client(token) as una:
        post = lambda verb, **given: una.post(  # noqa: E731
            f"/api/v1/operations/platform.{verb}", json={"arguments": given}
        )
        made = post("create_token", label="mine", scopes=["*:read"])
        assert made.status_code == 200
        assert post("create_token", label="x", user="amy").status_code == 403
        assert post("tokens", user="*").status_code == 403
        assert post("revoke_token", token=made.json()["result"]["id"]).status_code == 200
        assert post("set_role", name="una", role="admin").status_code == 403
        assert post("reset_password", name="amy").status_code == 403
        assert post("users", tenant="acme").status_code == 403


def test_a_principal_who_asks_too_often_waits(template_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(template_home, home)
    rates = {"requests_per_minute": 5, "address_requests_per_minute": 40}
    with gateway(home, jobs=False, **rates) as running:
        token = running.add("vic")
        with running.client(token) as vic:
            answers = [vic.get("/api/v1/names") for _ in range(8)]
            assert [a.status_code for a in answers] == [200] * 5 + [429] * 3
            assert int(answers[-1].headers["retry-after"]) >= 1
            assert json.loads(answers[-1].text)["code"] == "too_many_requests"
        with running.client(None) as anybody:
            flood = [anybody.get("/login").status_code for _ in range(60)]
            assert flood.count(429) >= 20 and flood[0] == 200
        running.door.gatekeeper.refusals.write()
        noted = [r.body for r in running.kernel.audit.tail("default", 200)]
        noted = [body for body in noted if body["event"] == "requests.refused"]
        assert 1 <= len(noted) <= 3, "a flood of requests is no flood of records"
        most = Counter[str]()
        for body in noted:
            most.update(body["most"])
        assert most["vic"] == 3 and most["127.0.0.1"] == flood.count(429)
        with running.client() as owner:
            began = time.monotonic()
            assert all(owner.get("/api/v1/names").status_code == 200 for _ in range(60))
            assert time.monotonic() - began < 60
