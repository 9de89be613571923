"""The audit finds whatever was done to it, also after more was written."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kernel.test_forged_approvals import sql
from tools.kernel.audit import GENESIS
from tools.kernel.errors import Unavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def audit(lab):
    for number in range(6):
        lab.audit.append("default", {"event": "e", "number": number})
    assert lab.audit.verify().intact
    return lab.audit


def rewrite(lab, rows):
    """The whole chain anew, as somebody without the key can make it."""
    import hashlib

    previous = GENESIS
    sql(lab, "delete from ph_audit")
    for number, body in enumerate(rows, 1):
        link = hashlib.sha256((previous + body).encode()).hexdigest()
        sql(
            lab,
            "insert into ph_audit values (?, 'default', '2026-01-01T00:00:00', ?, ?, ?)",
            number,
            body,
            previous,
            link,
        )
        previous = link


def found(lab, problem):
    """The damage is found now, and still after more was written."""
    first = lab.audit.verify()
    assert not first.intact
    assert problem in first.problem
    lab.audit.append("default", {"event": "later"})
    later = lab.audit.verify()
    assert not later.intact, "writing on must not heal the chain"
    return later


def test_an_untouched_chain_is_intact(lab, audit):
    verdict = audit.verify()
    assert (verdict.records, verdict.intact, verdict.problem) == (6, True, None)


def test_an_empty_audit_is_intact(lab):
    assert lab.audit.verify().intact


@pytest.mark.parametrize("column", ["body", "at", "tenant", "hash", "previous"])
def test_an_altered_record_is_found(lab, audit, column):
    sql(lab, f"update ph_audit set {column} = {column} || ' ' where sequence = 3")
    found(lab, "record 3")


def test_a_removed_record_is_found(lab, audit):
    sql(lab, "delete from ph_audit where sequence = 3")
    found(lab, "record 3 is missing")


def test_a_cut_off_end_is_found_also_after_more_was_written(lab, audit):
    sql(lab, "delete from ph_audit where sequence > 4")
    assert "record 5 is missing" in found(lab, "record 6").problem


def test_an_emptied_audit_is_found(lab, audit):
    sql(lab, "delete from ph_audit")
    found(lab, "record 6")


def test_exchanged_records_are_found(lab, audit):
    sql(lab, "update ph_audit set sequence = 99 where sequence = 2")
    sql(lab, "update ph_audit set sequence = 2 where sequence = 3")
    sql(lab, "update ph_audit set sequence = 3 where sequence = 99")
    found(lab, "record 2")


def test_a_chain_written_anew_is_found(lab, audit):
    rewrite(lab, ['{"event":"nothing"}'] * 6)
    found(lab, "record 1 was altered")


def test_a_record_added_by_a_statement_is_found(lab, audit):
    sql(
        lab,
        "insert into ph_audit select 7, tenant, at, body, hash, ? from ph_audit where sequence=6",
        "ab" * 32,
    )
    found(lab, "record 7 was altered")


def test_a_missing_head_is_found(lab, audit):
    (lab.settings.home / "audit.head").unlink()
    found(lab, "the sealed head is missing")


@pytest.mark.parametrize("content", ["", "7 abc def", "6 x", "6 " + "0" * 64 + " " + "0" * 64])
def test_an_altered_head_is_found(lab, audit, content):
    (lab.settings.home / "audit.head").write_text(content)
    found(lab, "the sealed head was altered")


def test_an_old_head_with_its_seal_does_not_hide_a_cut(lab, audit):
    head = lab.settings.home / "audit.head"
    old = head.read_text()
    audit.append("default", {"event": "to be hidden"})
    newest = head.read_text()
    sql(lab, "delete from ph_audit where sequence = 7")
    assert not audit.verify().intact
    head.write_text(old)  # cut and head set back together: all that a copy of the home could tell
    assert audit.verify().intact
    head.write_text(newest)
    assert not audit.verify().intact


def test_a_head_that_a_crash_left_behind_is_no_damage(lab, audit):
    head = lab.settings.home / "audit.head"
    old = head.read_text()
    audit.append("default", {"event": "committed just before the crash"})
    head.write_text(old)
    assert audit.verify().intact
    audit.append("default", {"event": "next"})
    assert audit.verify().records == 8
    assert audit.verify().intact


def test_another_homes_key_does_not_fit(lab, audit):
    (lab.settings.home / "keys" / "seal.key").write_bytes(b"k" * 32)
    del lab.keys.__dict__["_seal_key"]
    assert not audit.verify().intact


def test_a_transaction_that_fails_leaves_no_record(lab, audit):
    with pytest.raises(RuntimeError), audit.writing() as ledger:
        ledger.append("default", {"event": "never"})
        raise RuntimeError
    assert audit.verify().records == 6
    assert audit.append("default", {"event": "next"}) == 7
    assert audit.verify().intact


def test_a_tenants_tail_is_its_own(lab, audit):
    audit.append("other", {"event": "theirs"})
    assert [r.body["event"] for r in audit.tail("other")] == ["theirs"]
    assert [r.sequence for r in audit.tail("default", 2)] == [5, 6]


def test_verifying_while_others_write_finds_no_damage(lab, audit):
    with ThreadPoolExecutor(4) as pool:
        writers = [
            pool.submit(lambda: [audit.append("default", {"event": "w"}) for _ in range(40)])
            for _ in range(3)
        ]
        while not all(w.done() for w in writers):
            assert audit.verify().intact
    assert audit.verify().records == 126


def test_two_processes_append_at_once_to_one_chain(lab):
    code = (
        "import sys; from pathlib import Path; from tools.kernel.kernel import Kernel;"
        "from tools.kernel.settings import Settings; from tools.kernel.operations import *;"
        "k = Kernel(Settings(home=Path(sys.argv[1])), OperationSet()); sys.stdin.readline();"
        "[k.audit.append('default', {'event': 'p', 'n': n}) for n in range(60)]"
    )
    command = [sys.executable, "-c", code, str(lab.settings.home)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    for process in both:
        assert process.wait(90) == 0
    verdict = lab.audit.verify()
    assert (verdict.records, verdict.problem) == (120, None)


def test_a_head_that_cannot_be_written_stops_what_comes_next(lab, audit, monkeypatch):
    written = audit._write_head

    def full(tip):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit, "_write_head", full)
    audit.append("default", {"event": "its record stands"})
    with pytest.raises(Unavailable, match="No space left"):
        audit.append("default", {"event": "not taken"})
    monkeypatch.setattr(audit, "_write_head", written)
    assert audit.append("default", {"event": "next"}) == 8
    assert audit.verify().intact


def test_a_home_that_cannot_be_locked_takes_no_record(lab, audit, monkeypatch):
    (lab.settings.home / "audit.lock").unlink()
    (lab.settings.home / "audit.lock").mkdir()
    with pytest.raises(Unavailable, match="nothing was done"):
        audit.append("default", {"event": "no"})
