"""`ask`, `chat`, `parse` and `threads`, and how they end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ui.homes import ROOT, Home, Terminal


def test_reading_never_asks_and_answers_with_a_receipt(scripted: Home) -> None:
    told = scripted.json("ask", "read")
    assert told["status"] == "done"
    assert told["plan"]["steps"][0]["operation"] == "platform.whoami"
    (receipt,) = told["receipts"]
    assert receipt["operation"] == "platform.whoami" and receipt["audit"] > 0
    assert told["question"] is None and told["approval"] is None
    assert re.fullmatch(r"[\w.-]+", told["thread"])


def test_writing_without_a_terminal_needs_yes_and_does_nothing(scripted: Home) -> None:
    done = scripted.run("ask", "write", "quiet-device")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    names = scripted.client().get("/api/v1/names")["device"]
    assert "quiet-device" not in names


def test_yes_answers_the_confirmation_of_writing(scripted: Home) -> None:
    told = scripted.json("ask", "write confirmed-device", "--yes")
    assert told["status"] == "done"
    assert told["receipts"][0]["evidence"]


def test_a_confirmation_can_be_given_later_in_the_same_thread(scripted: Home) -> None:
    told = scripted.json("ask", "write later-device", "--thread", "later", code=2)
    assert told["status"] == "needs_confirmation"
    events = list(scripted.client().resume("later", confirmed=True))
    assert events[-1]["status"] == "done"


def test_yes_never_approves_what_is_dangerous(scripted: Home) -> None:
    told = scripted.json("ask", "danger ana", "--yes", code=3)
    assert told["status"] == "needs_approval"
    assert told["approval"]["id"].startswith("A")
    users = scripted.json("users")["result"]["users"]
    assert "ana" not in [u["name"] for u in users]


def test_granting_resumes_the_thread_and_ends_with_its_receipt(scripted: Home) -> None:
    asked = scripted.json("ask", "danger ben", code=3)
    done = scripted.run("approvals", "grant", asked["approval"]["id"], stdin="ben\n")
    assert done.returncode == 0, done.stderr
    assert "self-approved" in done.stdout and "Added ben" in done.stdout
    receipt = scripted.json("receipts", "--thread", asked["thread"])[0]
    assert receipt["self_approved"] and receipt["approval"] == asked["approval"]["id"]


def test_a_question_ends_with_bad_input_and_names_the_candidates(scripted: Home) -> None:
    done = scripted.run("ask", "question")
    assert done.returncode == 2
    assert "Which dataset?" in done.stdout and "tickets, mails" in done.stdout
    assert scripted.json("ask", "question", code=2)["question"]["slot"] == "dataset"


def test_a_failed_step_ends_with_4_and_says_what_was_meant(scripted: Home) -> None:
    done = scripted.run("ask", "fail")
    assert done.returncode == 4
    assert "no dataset named 'nowhere'" in done.stdout


def test_a_dry_run_shows_what_would_be_done(scripted: Home) -> None:
    told = scripted.json("ask", "dry carla")
    assert told["status"] == "done" and not told["receipts"]
    assert told["previews"]["s1"]["summary"] == "Add carla as viewer."


def test_what_nobody_expected_shows_no_traceback(scripted: Home) -> None:
    done = scripted.run("ask", "boom")
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    reference = re.search(r"under (\w{12})", done.stdout)
    assert reference is not None
    log = scripted.files.log.read_text()
    assert reference[1] in log and "nobody expected this" in log


def test_a_listener_that_leaves_does_not_end_the_turn(scripted: Home) -> None:
    client = scripted.client()
    events = client.ask("slow 10", "left-alone")
    assert next(events)["kind"] == "plan"
    events.close()
    deadline = time.monotonic() + 20
    while client.get("/api/v1/conversations/left-alone")[-1]["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert client.get("/api/v1/conversations/left-alone")[-1]["status"] == "done"


def test_a_busy_thread_refuses_a_second_sentence(scripted: Home) -> None:
    client = scripted.client()
    events = client.ask("slow 600", "busy")
    next(events)
    assert scripted.json("ask", "read", "--thread", "busy", code=4)["error"]["code"] == "conflict"
    client.post("/api/v1/conversations/busy/cancel")
    assert next(e for e in events if e["kind"] == "done")["status"] == "cancelled"


def test_interrupting_ask_cancels_the_turn_and_not_the_platform(scripted: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "ask", "slow", "300"],
        cwd=ROOT,
        env=scripted.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "tick" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "cancelled" in out and "cancelling" in err
    assert scripted.json("ask", "read")["status"] == "done"


def test_threads_are_listed_and_gone_on_with(scripted: Home) -> None:
    scripted.json("ask", "read", "--thread", "first-one")
    told = scripted.json("ask", "read", "--thread", "last")
    assert told["thread"] == "first-one"
    assert [t["text"] for t in scripted.json("threads", "first-one")] == ["read", "read"]


def test_an_impossible_thread_name_is_bad_input(scripted: Home) -> None:
    assert (
        "thread" in scripted.json("ask", "read", "--thread", "no/way", code=2)["error"]["message"]
    )


def test_parse_prints_the_plan_and_executes_nothing(scripted: Home) -> None:
    done = scripted.run("parse", "danger dora")
    told = json.loads(done.stdout)
    assert list(told) == [
        "steps",
        "question",
        "abstained",
        "dry_run",
        "confidence",
        "ms",
        "reply",
    ]
    assert told["steps"][0]["arguments"] == {"name": "dora", "role": "viewer"}
    assert not [a for a in scripted.json("approvals") if a["arguments"]["name"] == "dora"]


def test_parse_answers_every_line_in_order_and_reports_bad_ones(
    scripted: Home, tmp_path: Path
) -> None:
    lines = [{"text": f"danger u{n}"} for n in range(150)]
    texts = [json.dumps(line) for line in lines]
    texts.insert(3, "{not json")
    texts.insert(7, json.dumps({"turns": ["read", "danger second"]}))
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(texts))
    done = scripted.run("parse", "--jsonl", str(file))
    assert done.returncode == 2
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 152
    assert "Line 4" in told[3]["error"]["message"]
    assert told[7]["steps"][0]["arguments"]["name"] == "second"
    names = [t["steps"][0]["arguments"]["name"] for n, t in enumerate(told) if n not in (3, 7)]
    assert names == [f"u{n}" for n in range(150)]


def test_parse_reads_standard_input(scripted: Home) -> None:
    done = scripted.run("parse", "--jsonl", "-", stdin='{"text": "read"}\n')
    assert json.loads(done.stdout)["steps"][0]["operation"] == "platform.whoami"


@pytest.mark.parametrize("content", ["[1]", "{", '{"model": "x"}'])
def test_a_wrong_catalogue_is_bad_input(scripted: Home, tmp_path: Path, content: str) -> None:
    file = tmp_path / "names.json"
    file.write_text(content)
    done = scripted.run("parse", "read", "--catalogue", str(file))
    assert done.returncode == 2 and str(file) in done.stderr


def test_an_unknown_kind_in_the_catalogue_is_bad_input(scripted: Home, tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text('{"modell": ["a"]}')
    done = scripted.run("parse", "read", "--catalogue", str(file))
    assert done.returncode == 2 and "'modell'" in done.stderr


def test_chat_works_from_a_pipe(scripted: Home) -> None:
    done = scripted.run("chat", stdin="read\n\n/jobs\nquestion\nread\n/quit\nboom\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("you › read") == 2
    assert "Which dataset?" in done.stdout and "boom" not in done.stdout


def test_chat_from_a_pipe_ends_with_3_when_its_last_turn_waits(scripted: Home) -> None:
    done = scripted.run("chat", stdin="danger erik\n")
    assert done.returncode == 3
    assert "pilothouse approvals grant A" in done.stdout


def test_a_person_approves_their_own_act_by_typing_what_the_prompt_names(scripted: Home) -> None:
    terminal = Terminal(scripted, "ask", "--yes", "danger", "frida")
    terminal.until("type frida to approve")
    assert "approval A" in terminal.seen and "Add frida as viewer" in terminal.seen
    terminal.type("fritz\r")
    terminal.until("nothing was granted")
    terminal.type("frida\r")
    assert terminal.end() == 0
    assert "self-approved" in terminal.seen and "Added frida" in terminal.seen


def test_an_empty_answer_leaves_the_approval_pending(scripted: Home) -> None:
    terminal = Terminal(scripted, "call", "platform.add_user", "--name=gina", "--role=viewer")
    terminal.until("type gina to approve")
    terminal.type("\r")
    assert terminal.end() == 3
    assert "left pending" in terminal.seen


def test_writing_asks_once_on_a_terminal(scripted: Home) -> None:
    terminal = Terminal(scripted, "ask", "write", "asked-device")
    terminal.until("yes or no?")
    terminal.type("yes\r")
    assert terminal.end() == 0
    assert "✔" in terminal.seen


def test_a_no_does_nothing(scripted: Home) -> None:
    terminal = Terminal(scripted, "ask", "write", "refused-device")
    terminal.until("yes or no?")
    terminal.type("no\r")
    assert terminal.end() == 4
    assert "refused-device" not in scripted.client().get("/api/v1/names")["device"]


def test_no_color_is_obeyed_on_a_terminal(scripted: Home) -> None:
    coloured = Terminal(scripted, "users")
    coloured.end()
    plain = Terminal(scripted, "users", NO_COLOR="1")
    plain.end()
    colours = re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")
    assert colours.search(coloured.seen)
    assert not colours.search(plain.seen)


def test_chat_cancels_a_turn_on_interrupt_and_goes_on(scripted: Home) -> None:
    terminal = Terminal(scripted, "chat")
    terminal.until("you ›")
    terminal.type("slow 300\r")
    terminal.until("tick")
    terminal.type("\x03")
    terminal.until("cancelled")
    terminal.until("you ›")
    terminal.type("read\r")
    terminal.until("✔")
    terminal.until("you ›")
    terminal.type("\x04")
    assert terminal.end() == 0
