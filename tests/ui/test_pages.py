"""The web pages show what the API answers, and their buttons go through the gate."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ui.gateway import PASSWORD, Gateway, gateway

LISTS = (
    "/",
    "/models",
    "/datasets",
    "/jobs",
    "/schedules",
    "/approvals",
    "/rollouts",
    "/devices",
    "/receipts",
    "/audit",
)


@pytest.fixture(scope="module")
def served(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("pages") / "home"
    shutil.copytree(template_home, home)
    with gateway(home) as running:
        running.add("ada", "admin")
        running.add("ben", "approver")
        running.add("vic", "viewer")
        yield running


@pytest.fixture
def signed_in(served: Gateway) -> Iterator[dict[str, httpx.Client]]:
    """A browser of each person."""
    browsers: dict[str, httpx.Client] = {}
    for name in ("ada", "ben", "vic"):
        browser = served.browser(Accept="text/html")
        browser.post("/login", data={"name": name, "password": PASSWORD, "next": "/"})
        browsers[name] = browser
    yield browsers
    for browser in browsers.values():
        browser.close()


def _enrolled(browser: httpx.Client, name: str, group: str = "kiosks") -> None:
    given = {"arguments": {"name": name, "group": group, "profile": "phone"}}
    assert browser.post("/api/v1/operations/devices.enroll", json=given).status_code == 200


def _asked(browser: httpx.Client, device: str) -> str:
    """An approval that somebody needs for shutting a device out."""
    given = {"arguments": {"device": device}}
    told = browser.post("/api/v1/operations/devices.retire", json=given).json()
    return told["approval"]["id"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("name", ["ada", "vic"])
def test_every_list_is_a_page_for_who_may_read_it(signed_in, path: str, name: str) -> None:
    answer = signed_in[name].get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert name in answer.text and "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", [*LISTS, "/models/x", "/jobs/1", "/receipts/R1"])
def test_a_stranger_is_sent_to_sign_in_and_comes_back(served: Gateway, path: str) -> None:
    with served.browser(Accept="text/html") as stranger:
        answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/login?next={path}")


def test_what_is_not_there_is_a_page_that_says_what_was_meant(signed_in) -> None:
    answer = signed_in["ada"].get("/datasets/tickts")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Did you mean tickets?" in answer.text


def test_a_data_sets_page_shows_its_classes(signed_in) -> None:
    page = signed_in["vic"].get("/datasets/tickets").text
    assert "SHA-256" in page and page.count("<progress") > 3


def test_a_name_from_outside_is_text_and_never_markup(served: Gateway, signed_in) -> None:
    told = {"operation": "datasets.add", "note": "<img src=x onerror=alert(1)>"}
    served.kernel.audit.append("default", told)
    page = signed_in["ada"].get("/audit").text
    assert "<img src=x" not in page and "&lt;img src=x" in page


def test_an_approval_is_granted_on_its_page_and_carried_out(signed_in) -> None:
    _enrolled(signed_in["ada"], "till-1")
    approval = _asked(signed_in["ada"], "till-1")
    inbox = signed_in["ben"].get("/approvals").text
    assert f"/approvals/{approval}" in inbox and "till-1" in inbox
    answer = signed_in["ben"].post(f"/approvals/{approval}/grant", data={})
    assert answer.status_code == 303 and answer.headers["location"].startswith("/receipts/R")
    receipt = signed_in["ada"].get(answer.headers["location"]).text
    assert "till-1" in receipt and "Read back after the act" in receipt
    assert "retired" in signed_in["ada"].get("/devices/till-1").text or (
        "till-1" not in signed_in["ada"].get("/devices").text
    )


def test_who_proposed_types_the_confirmation(signed_in) -> None:
    _enrolled(signed_in["ada"], "till-2")
    approval = _asked(signed_in["ada"], "till-2")
    assert "to approve what you proposed" in signed_in["ada"].get(f"/approvals/{approval}").text
    wrong = signed_in["ada"].post(f"/approvals/{approval}/grant", data={"confirm": "yes"})
    assert wrong.status_code == 409 and "nothing was granted" in wrong.text
    right = signed_in["ada"].post(f"/approvals/{approval}/grant", data={"confirm": "till-2"})
    assert right.headers["location"].startswith("/receipts/R")


def test_a_viewer_sees_an_approval_without_buttons_and_cannot_press_them(signed_in) -> None:
    _enrolled(signed_in["ada"], "till-3")
    approval = _asked(signed_in["ada"], "till-3")
    page = signed_in["vic"].get(f"/approvals/{approval}").text
    assert "<button" not in page.partition('<main id="main"')[2]
    assert signed_in["vic"].post(f"/approvals/{approval}/grant", data={}).status_code == 403
    assert signed_in["vic"].post(f"/approvals/{approval}/deny", data={}).status_code == 403


def test_a_denial_keeps_its_reason(signed_in) -> None:
    _enrolled(signed_in["ada"], "till-4")
    approval = _asked(signed_in["ada"], "till-4")
    signed_in["ben"].post(f"/approvals/{approval}/deny", data={"reason": "not on a Friday"})
    page = signed_in["ada"].get(f"/approvals/{approval}").text
    assert "denied" in page and "not on a Friday" in page
    again = signed_in["ben"].post(f"/approvals/{approval}/grant", data={})
    assert again.status_code == 409


def test_a_button_that_needs_an_approval_leads_to_it(signed_in) -> None:
    _enrolled(signed_in["ada"], "till-5")
    newest = signed_in["ada"].get("/api/v1/receipts", params={"operation": "devices.enroll"})
    number = newest.json()[0]["number"]
    answer = signed_in["ada"].post(f"/receipts/R{number}/undo")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(("/approvals/A", f"/receipts/R{number}"))


@pytest.mark.parametrize(
    "path", ["/jobs/1/cancel", "/receipts/R1/undo", "/rollouts/1/rollback", "/approvals/A1/grant"]
)
def test_a_foreign_page_cannot_press_a_button(served: Gateway, signed_in, path: str) -> None:
    answer = signed_in["ada"].post(path, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_a_long_list_is_turned_over(signed_in) -> None:
    for number in range(4):
        _enrolled(signed_in["ada"], f"shelf-{number}", "shelves")
    first = signed_in["ada"].get("/devices", params={"group": "shelves", "limit": 3}).text
    assert "shelf-2" in first and "shelf-3" not in first
    link = first.partition('<p class="pager"><a class="button quiet" href="')[2].partition('"')[0]
    second = signed_in["ada"].get(link.replace("&amp;", "&")).text
    assert "shelf-3" in second and "Older" not in second


def test_a_person_changes_their_own_password_and_other_sessions_end(served: Gateway) -> None:
    served.add("cleo", "viewer")
    mine, other = (served.browser(Accept="text/html") for _ in range(2))
    for browser in (mine, other):
        browser.post("/login", data={"name": "cleo", "password": PASSWORD, "next": "/"})
    fresh = "a-much-better-one"
    given = {"present": PASSWORD, "fresh": fresh, "again": fresh}
    wrong = mine.post("/account", data={**given, "present": "not-the-password"})
    assert wrong.status_code == 401 and "do not fit" in wrong.text
    short = mine.post("/account", data={**given, "fresh": "short", "again": "short"})
    assert short.status_code == 422 and "12 to 256" in short.text
    unlike = mine.post("/account", data={**given, "again": "a-much-better-on"})
    assert unlike.status_code == 422 and "nothing was changed" in unlike.text
    assert mine.post("/account", data=given).status_code == 303
    assert mine.get("/models").status_code == 200
    assert other.get("/models").status_code == 303
    assert served.sign_in("cleo").status_code == 401
    assert served.sign_in("cleo", fresh).status_code == 303


def test_a_schedule_is_shown_and_cancelled_through_the_gate(served: Gateway, signed_in) -> None:
    ada, vic = signed_in["ada"], signed_in["vic"]
    plan = {"id": "s1", "operation": "datasets.list", "arguments": {}}
    given = {"steps": [plan], "timing": {"every": "0 3 * * *", "zone": "UTC"}, "name": "nightly"}
    made = ada.post("/api/v1/operations/schedules.create", json={"arguments": given})
    assert made.status_code == 200, made.text
    shown = ada.get("/schedules").text
    assert "nightly" in shown and "datasets.list" in shown
    token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
    acts = ada.post("/schedules/nightly/pause", data={"csrf_token": token})
    assert acts.status_code in (200, 303) and "Go on" in ada.get("/schedules").text
    assert vic.post("/schedules/nightly/cancel").status_code == 403
    ada.post("/schedules/nightly/cancel", data={"csrf_token": token})
    assert "nightly" not in ada.get("/schedules").text
    assert "nightly" in ada.get("/schedules?ended=true").text


def test_an_evaluation_that_does_not_exist_is_said_to_be_missing(signed_in) -> None:
    assert signed_in["ada"].get("/models/nothing/evaluations/7").status_code == 404
