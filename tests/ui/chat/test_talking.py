"""Signing in, asking, finding a conversation again, files, and what the page may load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.ui.chat.browsers import Chat, Gateway, tab
from tests.ui.homes import ROOT

pytestmark = pytest.mark.slow

QUESTION = "which datasets are there?"
ANSWER = re.compile(r"There (is 1|are \d) dataset")


def tickets(path: Path) -> Path:
    rows = [
        {"text": f"my {thing} number {n} is broken again", "label": label}
        for n in range(20)
        for thing, label in (("printer", "hardware"), ("password", "access"), ("bill", "money"))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_wrong_password_opens_nothing(browser: Browser, gateway: Gateway) -> None:
    with tab(browser, gateway) as chat:
        chat.sign_in("admin", "not the password")
        chat.sees("That name and password do not fit together.")
        assert chat.page.request.get("/chat/user").status == 401
        assert chat.page.request.post("/chat/project/threads", data={}).status in (401, 403)


def test_an_answer_has_a_plan_a_step_a_table_and_a_receipt(chat: Chat) -> None:
    chat.say(QUESTION)
    chat.sees(ANSWER)
    expect(chat.page.locator(".tasklist")).to_contain_text("datasets.list")
    expect(chat.page.locator(".tasklist")).to_contain_text("Done")
    expect(chat.page.get_by_role("link", name="tickets")).to_have_attribute(
        "href", "/datasets/tickets"
    )
    chat.press("Used datasets.list · trainer")
    step = chat.page.locator("[data-step-type=tool]")
    expect(step).to_contain_text("no arguments")
    expect(step).to_contain_text(re.compile(r"receipt:\s*R\d+"))
    expect(step).to_contain_text("audit")


def test_nothing_is_asked_of_another_host_and_no_policy_is_broken(
    chat: Chat, gateway: Gateway
) -> None:
    chat.say(QUESTION)
    chat.sees(ANSWER)
    foreign = [u for u in chat.requested if not u.startswith((gateway.url, "data:", "blob:"))]
    assert foreign == []
    assert [c for c in chat.complaints if "401" not in c] == []


def test_a_conversation_is_found_again_renamed_and_erased(chat: Chat, gateway: Gateway) -> None:
    chat.say(QUESTION)
    chat.sees(ANSWER)
    thread = chat.thread
    chat.page.reload()
    chat.sees(ANSWER)
    entry = chat.page.locator(f"#thread-{thread}")
    expect(entry).to_contain_text(QUESTION)
    renamed = chat.page.request.put(
        "/chat/project/thread",
        data={"threadId": thread, "name": "What there is"},
        headers={"Origin": gateway.url},
    )
    assert renamed.ok
    chat.page.reload()
    expect(chat.page.locator(f"#thread-{thread}")).to_contain_text("What there is")
    chat.sees(ANSWER)
    erased = chat.page.request.delete(
        "/chat/project/thread", data={"threadId": thread}, headers={"Origin": gateway.url}
    )
    assert erased.ok
    threads = [t["thread"] for t in gateway.client().get("/api/v1/conversations")]
    assert thread not in threads


def test_what_a_role_may_not_do_is_not_offered(browser: Browser, gateway: Gateway) -> None:
    password = gateway.user("vera", "viewer")
    with tab(browser, gateway) as chat:
        chat.sign_in("vera", password)
        starters = chat.ready().page.locator("#starters")
        expect(starters).to_contain_text("Ask the documents")
        expect(starters).not_to_contain_text("Train a ticket router")
        chat.page.get_by_role("button", name="What data is there?").click()
        chat.sees(ANSWER)


def test_nobody_reads_renames_or_judges_the_conversation_of_another(
    browser: Browser, gateway: Gateway, chat: Chat
) -> None:
    chat.say(QUESTION)
    chat.sees(ANSWER)
    thread, password = chat.thread, gateway.user("oscar", "operator")
    with tab(browser, gateway) as other:
        other.sign_in("oscar", password)
        send, origin = other.ready().page.request, {"Origin": gateway.url}
        assert send.get(f"/chat/project/thread/{thread}").status == 401
        taken = send.put(
            "/chat/project/thread", data={"threadId": thread, "name": "mine"}, headers=origin
        )
        assert taken.status == 401
        feedback = {"forId": "x", "value": 0, "threadId": thread}
        judged = send.put(
            "/chat/feedback", data={"feedback": feedback, "sessionId": "x"}, headers=origin
        )
        assert not judged.ok


def test_another_sites_page_gets_nothing_done(chat: Chat) -> None:
    foreign = {"Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    refused = chat.page.request.post(
        "/chat/project/threads", data={"pagination": {}, "filter": {}}, headers=foreign
    )
    assert refused.status == 403


def test_a_data_set_is_shown_before_it_is_stored_and_a_broken_one_says_where(
    chat: Chat, gateway: Gateway, tmp_path: Path
) -> None:
    good = tickets(tmp_path / "office tickets.jsonl")
    bad = tmp_path / "broken.jsonl"
    bad.write_text('{"text": "fine", "label": "a"}\n{"text": "cut off, "label": "b"}\n')
    chat.attach(good, bad)
    chat.say("add this as office")
    chat.sees("Nothing is stored yet.")
    chat.sees(re.compile("broken.jsonl: 1 of 2 rows cannot be used: not valid JSON.* at line 2"))
    chat.sees("class hardware")
    assert "office" not in str(gateway.client().get("/api/v1/datasets"))
    chat.press("Store it")
    chat.sees(re.compile("Added office v1: 60 rows in 3 classes"))
    expect(chat.page.get_by_role("button", name="Store it")).to_have_count(0)


def test_a_discarded_upload_leaves_nothing(chat: Chat, gateway: Gateway, tmp_path: Path) -> None:
    chat.attach(tickets(tmp_path / "never.jsonl"))
    chat.say("keep this as never")
    chat.press("Discard")
    chat.sees("Discarded; nothing was stored.")
    assert not list(gateway.home.path.glob("uploads/*/*/*/never.jsonl"))


def test_text_of_documents_is_neither_run_nor_fetched(
    chat: Chat, gateway: Gateway, tmp_path: Path
) -> None:
    page = tmp_path / "greenhouse.md"
    page.write_text(
        "# Greenhouse\n\nThe greenhouse vents open at 31 degrees "
        "![pixel](http://tracker.example/p.png) <img src=x onerror=window.ran=1> "
        "[click](http://tracker.example/c) http://tracker.example/bare in summer.\n"
    )
    chat.attach(page)
    chat.say("add this to the knowledge base")
    chat.press("Store it")
    chat.sees(re.compile("1 added"))
    chat.say("when do the greenhouse vents open?")
    chat.sees(re.compile("31 degrees"))
    assert chat.page.evaluate("window.ran") is None
    assert chat.page.locator("a[href*=tracker], img[src*=tracker]").count() == 0
    assert [u for u in chat.requested if "tracker" in u] == []


def test_a_thumb_and_a_correction_become_labelled_examples(chat: Chat, gateway: Gateway) -> None:
    chat.say(QUESTION)
    chat.sees(ANSWER)
    chat.page.locator(".negative-feedback-off").last.click()
    chat.page.get_by_placeholder(re.compile("This was wrong")).fill("I asked for the devices")
    chat.press("Keep it")
    expect(chat.page.locator(".negative-feedback-on")).to_be_visible()
    chat.say("that was wrong, I meant list the models")
    chat.sees(re.compile("model", re.I))
    expect(chat.page.locator("#stop-button")).to_have_count(0)
    exported = subprocess.run(
        [sys.executable, "-m", "evals.feedback"],
        env=gateway.home.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    last = json.loads(exported.stdout.splitlines()[-1])
    assert (last["turns"], last["meant"]) == ([QUESTION], "list the models")
    assert [s["operation"] for s in last["steps"]] == ["registry.list"]
    assert [s["operation"] for s in last["wrong"]] == ["datasets.list"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, gateway: Gateway, scheme: Any) -> None:
    with tab(browser, gateway, color_scheme=scheme) as chat:
        chat.sign_in("admin", gateway.password)
        chat.ready().say(QUESTION)
        chat.sees(ANSWER)
        found = Axe().run(chat.page).response["violations"]
        grave = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in grave] == []


def test_a_phone_shows_all_without_scrolling_sideways(browser: Browser, gateway: Gateway) -> None:
    phone = {"width": 390, "height": 844}
    with tab(browser, gateway, viewport=phone, has_touch=True, is_mobile=True) as chat:
        chat.sign_in("admin", gateway.password)
        chat.ready().say(QUESTION)
        chat.sees(ANSWER)
        expect(chat.page.locator(".tasklist-mobile")).to_contain_text("datasets.list")
        wide = chat.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= phone["width"]


def test_the_keyboard_alone_reaches_everything(chat: Chat) -> None:
    chat.page.keyboard.type(QUESTION)
    chat.page.keyboard.press("Enter")
    chat.sees(ANSWER)
    reached: set[str] = set()
    for _ in range(40):
        chat.page.keyboard.press("Tab")
        reached.add(chat.page.evaluate("document.activeElement.id"))
    assert {"chat-input", "upload-button", "user-nav-button"} <= reached


def test_logging_out_ends_the_session_for_open_tabs_too(browser: Browser, gateway: Gateway) -> None:
    told = [r["operation"] for r in gateway.client().get("/api/v1/receipts")]
    before = told.count("datasets.list")
    with tab(browser, gateway) as chat:
        chat.sign_in("admin", gateway.password)
        chat.ready()
        second = Chat(chat.page.context)
        second.page.goto("/chat/")
        second.ready()
        chat.page.locator("#user-nav-button").click()
        chat.page.get_by_role("menuitem", name="Logout").click()
        chat.page.get_by_label("Password").wait_for()
        second.say(QUESTION)
        second.page.get_by_label("Password").wait_for()
    said = [r["operation"] for r in gateway.client().get("/api/v1/receipts")]
    assert said.count("datasets.list") == before


def test_a_request_of_the_api_page_is_sent_as_whoever_is_signed_in_or_by_a_token(
    browser: Browser, gateway: Gateway
) -> None:
    told = gateway.home.json("tokens", "create", "for-the-page", "--scope", "datasets:read")
    with tab(browser, gateway) as chat:
        chat.sign_in("admin", gateway.password)
        chat.ready().page.goto("/docs")
        card = chat.page.locator("details", has=chat.page.locator('[data-path$="/datasets.list"]'))
        card.locator("summary").click()
        card.get_by_role("button", name="Send").click()
        expect(card.locator("output")).to_contain_text("200 OK")
        expect(card.locator("output")).to_contain_text('"receipt"')
        chat.page.locator("#token").fill(f"{told['result']['token']}-forged")
        card.get_by_role("button", name="Send").click()
        expect(card.locator("output")).to_contain_text("401")
        chat.page.locator("#token").fill(told["result"]["token"])
        card.get_by_role("button", name="Send").click()
        expect(card.locator("output")).to_contain_text("200 OK")
        assert {urlsplit(a).netloc for a in chat.requested} == {urlsplit(gateway.url).netloc}
