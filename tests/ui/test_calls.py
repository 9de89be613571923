"""`call`, `jobs`, `undo`, `receipts`, `users`, `audit`: exact calls from the terminal."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ui.homes import Home
from tools.kernel.errors import InvalidInput
from ui.arguments import parse_arguments
from ui.conversation import named_files

SCHEMA = {
    "properties": {
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "rate": {"type": "number"},
        "deep": {"type": "boolean"},
        "tags": {"type": "array"},
        "more": {"type": "object"},
        "version": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "method": {"$ref": "#/$defs/Method"},
        "path": {"type": "string"},
        "learning_rate": {"type": "number"},
    },
    "$defs": {"Method": {"type": "string", "enum": ["lora", "full"]}},
}


def in_full(text: str) -> str:
    return named_files(text, str)


def test_arguments_are_typed_from_the_schema() -> None:
    words = ["--count=3", "--rate", "2e-4", "--deep", "--tags=a,b", "--tags", "c", "--method=lora"]
    words += ['--more={"a": 1}', "--version", "v3", "--learning-rate=1"]
    assert parse_arguments("x.y", words, SCHEMA) == {
        "count": 3,
        "rate": 2e-4,
        "deep": True,
        "tags": ["a", "b", "c"],
        "method": "lora",
        "more": {"a": 1},
        "version": "v3",
        "learning_rate": 1.0,
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--coutn=3"], "Did you mean --count?"),
        (["--count=many"], "must be a whole number, not 'many'"),
        (["--rate"], "--rate needs a value"),
        (["three"], "'three' is no argument"),
        (["--deep=perhaps"], "must be yes or no"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(words: list[str], told: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments("x.y", words, SCHEMA)
    assert told in str(raised.value)


def test_paths_are_meant_from_where_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my mails.csv").touch()
    (tmp_path / "tickets").touch()
    (tmp_path / "mails.csv").touch()
    assert parse_arguments("x.y", ["--path=a.csv"], SCHEMA) == {"path": str(tmp_path / "a.csv")}
    assert in_full("add mails.csv as tickets.") == f"add {tmp_path}/mails.csv as tickets."
    assert in_full("add ./mails.csv.") == f"add {tmp_path}/mails.csv."
    assert in_full('add "my mails.csv" now') == f'add "{tmp_path}/my mails.csv" now'
    assert in_full("deploy v1.2 to the phones/tablets") == ("deploy v1.2 to the phones/tablets")


def test_call_answers_with_result_and_receipt(scripted: Home) -> None:
    told = scripted.json("call", "datasets.describe", "--dataset=tickets")
    assert told["status"] == "done" and told["result"]["name"] == "tickets"
    assert told["receipt"]["operation"] == "datasets.describe"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("call", "datasets.lst"), "Did you mean datasets.list"),
        (("call", "datasets.describe", "--dataste=tickets"), "Did you mean --dataset?"),
        (("call", "datasets.describe", "--dataset=tickts"), "Did you mean tickets?"),
        (("call", "datasets.describe"), "dataset is missing"),
        (("call",), "Which operation?"),
        (("calll", "x"), "calll"),
        (("jobs", "show", "999"), "There is no job 999"),
        (("receipts", "R99999"), "There is no receipt"),
        (("approvals", "show", "Anone"), "There is no approval"),
        (("mcp", "nothing"), "nothing"),
    ],
)
def test_bad_input_ends_with_2_and_in_words(
    scripted: Home, words: tuple[str, ...], told: str
) -> None:
    done = scripted.run(*words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr


def test_a_dry_run_changes_nothing(scripted: Home) -> None:
    words = ("call", "devices.enroll", "--name=dry", "--group=dry", "--profile=phone")
    told = scripted.json(*words, "--dry-run")
    assert told["status"] == "dry_run" and told["preview"]["summary"]
    assert "dry" not in scripted.client().get("/api/v1/names")["device"]


def test_a_call_with_the_same_key_is_made_once(scripted: Home) -> None:
    words = ("call", "devices.enroll", "--name=once", "--group=laptops", "--profile=laptop")
    first = scripted.json(*words, "--idempotency-key=k1")
    second = scripted.json(*words, "--idempotency-key=k1")
    assert first["receipt"]["id"] == second["receipt"]["id"]


def test_every_operation_is_listed_with_its_effect(scripted: Home) -> None:
    found = {o["name"]: o["effect"] for o in scripted.json("call", "--list")}
    assert found["registry.archive"] == "dangerous" and found["datasets.list"] == "read"


def test_a_dangerous_call_waits_for_a_person_and_grant_carries_it_out(scripted: Home) -> None:
    asked = scripted.json("users", "add", "hanna", "--role", "approver", code=3)
    approval = asked["approval"]["id"]
    assert "hanna" not in _users(scripted)
    told = scripted.json("approvals", "grant", approval, stdin="hanna\n")
    assert told["status"] == "done" and told["receipt"]["self_approved"]
    assert told["result"]["token"].startswith("ph_")
    assert "hanna" in _users(scripted)
    assert "ph_" not in str(scripted.json("receipts", told["receipt"]["id"]))


def test_wrong_text_grants_nothing(scripted: Home) -> None:
    approval = scripted.json("users", "add", "ina", "--role", "viewer", code=3)["approval"]["id"]
    assert scripted.run("approvals", "grant", approval, stdin="yes\n").returncode == 2
    assert scripted.run("approvals", "grant", approval, stdin="").returncode == 2
    assert scripted.run("approvals", "grant", approval, "--confirm", "inna").returncode == 2
    assert scripted.json("approvals", "show", approval)["status"] == "pending"
    assert "ina" not in _users(scripted)


def test_a_denied_approval_cannot_be_granted_any_more(scripted: Home) -> None:
    approval = scripted.json("users", "add", "jo", "--role", "viewer", code=3)["approval"]["id"]
    assert scripted.run("approvals", "deny", approval, "--reason", "no").returncode == 0
    told = scripted.json("approvals", "grant", approval, "--confirm", "jo", code=4)
    assert told["error"]["code"] == "conflict"
    again = scripted.json("users", "add", "jo", "--role", "viewer", code=3)
    assert again["approval"]["id"] != approval


def test_a_revoked_grant_is_worthless(scripted: Home) -> None:
    approval = scripted.json("users", "add", "kim", "--role", "viewer", code=3)["approval"]["id"]
    scripted.json("approvals", "grant", approval, "--confirm", "kim", "--only-grant")
    assert scripted.json("approvals", "revoke", approval)["status"] == "revoked"
    words = ("call", "platform.add_user", "--name=kim", "--role=viewer")
    told = scripted.json(*words, f"--approval={approval}", code=4)
    assert told["error"]["code"] == "approval_invalid"


def test_a_grant_alone_waits_for_the_same_call(scripted: Home) -> None:
    words = ("call", "platform.add_user", "--name=leo", "--role=viewer")
    approval = scripted.json(*words, code=3)["approval"]["id"]
    scripted.json("approvals", "grant", approval, "--confirm", "leo", "--only-grant")
    assert scripted.json(*words)["receipt"]["approval"] == approval
    assert scripted.json("approvals", "grant", approval, "--confirm=leo", code=4)["error"]


def test_another_approver_grants_without_typing_and_the_proposer_has_done_it(
    scripted: Home, added: Callable[[str, str], str]
) -> None:
    token = added("mona", "approver")
    approval = scripted.json("users", "add", "nils", "--role", "viewer", code=3)["approval"]["id"]
    told = scripted.json("approvals", "grant", approval, PILOTHOUSE_TOKEN=token)
    receipt = told["receipt"]
    assert receipt["principal"] == "owner" and not receipt["self_approved"]
    assert scripted.json("approvals", "show", approval)["decided_by"] == "mona"


def test_roles_hold_at_the_terminal(scripted: Home, added: Callable[[str, str], str]) -> None:
    viewer = {"PILOTHOUSE_TOKEN": added("olga", "viewer")}
    enrol = ("call", "devices.enroll", "--name=x", "--group=y", "--profile=phone")
    assert scripted.json(*enrol, code=4, **viewer)["error"]["code"] == "policy_denied"
    approval = scripted.json("users", "add", "per", "--role", "viewer", code=3)["approval"]["id"]
    refused = scripted.json("approvals", "grant", approval, "--confirm=per", code=4, **viewer)
    assert refused["error"]["code"] == "policy_denied"
    assert scripted.run("ask", "read", PILOTHOUSE_TOKEN="ph_forged").returncode == 2


def test_undo_takes_back_what_still_stands(scripted: Home) -> None:
    words = ("call", "devices.enroll", "--name=undone", "--group=laptops", "--profile=laptop")
    receipt = scripted.json(*words)["receipt"]
    assert receipt["undo"]["operation"] == "devices.retire"
    asked = scripted.json("undo", f"R{receipt['number']}", code=3)
    told = scripted.json("approvals", "grant", asked["approval"]["id"], "--confirm", "undone")
    assert told["operation"] == "devices.retire"


def test_receipts_show_their_evidence(scripted: Home) -> None:
    words = ("call", "devices.enroll", "--name=proven", "--group=laptops", "--profile=laptop")
    receipt = scripted.json(*words)["receipt"]
    done = scripted.run("receipts", f"R{receipt['number']}")
    assert done.returncode == 0
    assert receipt["evidence"][0]["fact"] in done.stdout
    assert receipt["evidence"][0]["source"] in done.stdout


def test_audit_verify_finds_an_altered_record(scripted: Home) -> None:
    scripted.json("call", "datasets.list")
    assert scripted.json("audit", "verify")["intact"]
    database = sqlite3.connect(scripted.path / "pilothouse.db")
    with database:
        query = "SELECT sequence, body FROM ph_audit ORDER BY sequence DESC LIMIT 1 OFFSET 3"
        sequence, body = database.execute(query).fetchone()
        change = "UPDATE ph_audit SET body = ? WHERE sequence = ?"
        database.execute(change, (body.replace("owner", "other"), sequence))
    try:
        done = scripted.run("audit", "verify")
        assert done.returncode == 4 and f"record {sequence} was altered" in done.stdout
    finally:
        with database:
            database.execute(change, (body, sequence))
        database.close()
    assert scripted.json("audit", "verify")["intact"]


def _users(home: Home) -> list[str]:
    return [u["name"] for u in home.json("users")["result"]["users"]]
