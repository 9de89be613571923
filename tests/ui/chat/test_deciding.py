"""Approvals, jobs, stopping, and going on after a crash, in a browser."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.chat.browsers import Chat, Gateway, tab

DOCUMENT = "device-onboarding-guide.md"
INCIDENT = "incident-2026-06-label-drift.md"
KEPT = "data-retention-policy.md"


def pending(gateway: Gateway) -> str:
    """The id of the one approval that waits."""
    found = gateway.client().get("/api/v1/approvals?status=pending")
    assert len(found) == 1
    return str(found[0]["id"])


@pytest.mark.slow
def test_a_card_says_all_and_a_reason_is_kept(chat: Chat, gateway: Gateway) -> None:
    chat.say(f"forget the document {KEPT}")
    card = chat.sees("Approval needed").locator("xpath=ancestor::*[contains(@class,'step')][1]")
    for told in (
        "on what",
        "why",
        "risk",
        "takes",
        "proposed by",
        "who may approve",
        "expires",
        KEPT,
    ):
        expect(card).to_contain_text(told)
    approval = pending(gateway)
    chat.press("Deny, with a reason")
    chat.sees("Why not?")
    chat.say("the auditors still need it")
    chat.sees(re.compile("Denied by admin.*the auditors still need it"))
    expect(chat.page.get_by_role("button", name="Approve")).to_have_count(0)
    assert gateway.client().get(f"/api/v1/approvals/{approval}")["status"] == "denied"


def test_ones_own_act_is_approved_by_typing_exactly_what_it_names(
    chat: Chat, gateway: Gateway
) -> None:
    chat.say(f"forget the document {DOCUMENT}")
    chat.press("Approve")
    chat.sees("You proposed this yourself")
    chat.say("device-onbording-guide.md")
    chat.sees("nothing was approved")
    pending(gateway)
    chat.say(DOCUMENT)
    chat.sees(re.compile("Approved and carried out by admin"))
    chat.sees(re.compile(r"Forgot"))


def test_what_another_door_decided_is_noticed(chat: Chat, gateway: Gateway) -> None:
    chat.say("forget the document cost-and-capacity-policy.md")
    chat.sees("Approval needed")
    client, approval = gateway.client(), pending(gateway)
    confirm = client.get(f"/api/v1/approvals/{approval}")["confirm"]
    client.post(f"/api/v1/approvals/{approval}/grant", {"confirm": confirm})
    chat.sees(re.compile("Approved"))
    chat.sees(re.compile(r"Forgot"))
    expect(chat.page.get_by_role("button", name="Approve")).to_have_count(0)


@pytest.mark.slow
def test_one_goes_on_talking_while_a_job_runs_and_stop_says_what_was_not_done(
    chat: Chat, gateway: Gateway
) -> None:
    chat.say("train a ticket router on the bundled tickets, then evaluate it on the test split")
    chat.sees("Shall I do this?")
    chat.press("Yes, do it")
    chat.sees(re.compile(r"you can go on talking"))
    chat.say("which datasets are there?")
    chat.sees(re.compile(r"There (is 1|are \d) dataset"))
    chat.press("Stop this job")
    chat.sees(re.compile(r"Stopped\. Done: nothing\. Not done: training.start"))
    job = gateway.client().get("/api/v1/jobs")[0]
    assert job["status"] == "cancelled"


@pytest.mark.slow
def test_after_kill_9_the_card_is_still_there_and_can_be_decided(
    chat: Chat, gateway: Gateway
) -> None:
    chat.say(f"forget the document {KEPT}")
    chat.sees("Approval needed")
    approval = pending(gateway)
    address = chat.thread  # the address bar must have it before there is nobody to ask
    chat.page.goto("about:blank")
    gateway.start(gateway.kill())
    chat.page.goto(f"/chat/thread/{address}")
    chat.sees("Approval needed")
    chat.press("Deny, with a reason")
    chat.sees("Why not?")
    chat.say("never mind")
    chat.sees(re.compile("Denied by admin.*never mind"))
    assert gateway.client().get(f"/api/v1/approvals/{approval}")["status"] == "denied"


@pytest.mark.slow
def test_an_edited_request_is_planned_anew_and_the_old_one_withdrawn(
    chat: Chat, gateway: Gateway
) -> None:
    chat.say(f"forget the document {KEPT}")
    chat.sees("Approval needed")
    old = pending(gateway)
    chat.press("Edit and plan anew")
    chat.sees("Say it as it should be")
    chat.say("forget the incident document")  # there are three
    chat.press(INCIDENT)
    chat.sees(re.compile("Denied by admin"))
    assert gateway.client().get(f"/api/v1/approvals/{old}")["status"] == "denied"
    new = gateway.client().get(f"/api/v1/approvals/{pending(gateway)}")
    assert new["arguments"] == {"source": INCIDENT}
    chat.press("Deny, with a reason")
    chat.sees("Why not?")
    chat.say("enough")
    chat.sees(re.compile("Denied by admin.*enough"))


@pytest.mark.slow
def test_the_stop_button_ends_a_turn_that_waits_for_a_slow_model(
    browser: Browser, template_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(template_home, tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own = Gateway(tmp_path / "home")
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        own.start(PILOTHOUSE_MODEL="silent", PILOTHOUSE_MODEL_URL=address)
        try:
            with tab(browser, own) as chat:
                chat.sign_in("admin", own.password)
                chat.ready().say("which datasets are there?")
                chat.sees(re.compile(r"There (is 1|are \d) dataset"))
                chat.say("ponder the weather of machine learning with the fleet in mind")
                chat.page.locator("#stop-button").click()
                chat.sees("Stopped before there was a plan; nothing was done.")
                chat.say("who am I?")
                chat.sees(re.compile("admin"))
        finally:
            own.stop()
