"""The platform process: one a home, found again, restarted, stopped, and clear about trouble."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ui.homes import ROOT, Home
from ui.errors import translate
from ui.home import HomeFiles
from ui.platform_log import Masking


def test_two_at_once_start_one_platform(empty: Home) -> None:
    command = [sys.executable, "-m", "ui.cli", "up", "--json"]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env=empty.environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=100)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0]["pid"] == answers[1]["pid"]
    third = subprocess.run(
        [sys.executable, "-m", "ui.platform"],
        cwd=ROOT,
        env=empty.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert third.returncode == 4 and "runs on" in third.stderr and "Traceback" not in third.stderr
    again = empty.json("up")
    assert again["pid"] == answers[0]["pid"] and not again["started"]


@pytest.mark.slow
def test_a_killed_platform_is_started_again_by_the_next_command(empty: Home) -> None:
    first = empty.json("up")
    os.kill(first["pid"], signal.SIGKILL)
    _until(lambda: not empty.files.is_running())
    assert empty.files.run.exists()
    stopped = empty.run("status")
    assert stopped.returncode == 4 and "No platform runs" in stopped.stdout
    done = empty.run("call", "datasets.list", "--json")
    assert done.returncode == 0, done.stderr
    assert "Starting the platform" in done.stderr
    again = empty.json("status")
    assert again["pid"] != first["pid"]
    assert again["url"] == first["url"]  # devices know the address


def test_it_stops_gracefully_and_tidily(empty: Home) -> None:
    state = empty.json("up")
    began = time.monotonic()
    os.kill(state["pid"], signal.SIGTERM)
    _until(lambda: not empty.files.is_running())
    assert time.monotonic() - began < 10
    assert not empty.files.run.exists()
    assert "stopping" in empty.files.log.read_text()
    assert empty.json("down")["was_running"] is False


def test_down_stops_what_up_started(empty: Home) -> None:
    empty.json("up")
    assert empty.json("down")["was_running"] is True
    assert empty.json("status", code=4)["status"] == "stopped"
    assert "ready on" in empty.run("logs").stdout


def test_another_version_is_named_in_a_line(scripted: Home) -> None:
    before = scripted.files.run.read_text()
    try:
        scripted.files.run.write_text(json.dumps({**json.loads(before), "version": "0.0.9"}))
        done = scripted.run("status")
    finally:
        scripted.files.run.write_text(before)
    assert done.returncode == 0
    assert "The platform runs version 0.0.9, this command is" in done.stderr


def test_a_port_in_use_is_named(empty: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = empty.run("up", PILOTHOUSE_PORT=str(port))
    assert done.returncode == 4
    assert f"Port {port}" in done.stderr and "PILOTHOUSE_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(empty: Home) -> None:
    done = empty.run("up", PILOTHOUSE_PORT="many")
    assert done.returncode == 4
    assert "PILOTHOUSE_PORT" in done.stderr and "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for words in (("up",), ("ask", "read"), ("call", "datasets.list"), ("up", "--foreground")):
        done = Home(file / "home").run(*words)
        assert done.returncode == 4
        assert str(file) in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_is_named() -> None:
    told = translate(OSError(errno.ENOSPC, "No space left on device", "/home/x"))
    assert told is not None and "disk" in told.message and "full" in told.message
    wrapped = RuntimeError("something")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert translate(wrapped) is not None
    assert translate(ValueError("a defect")) is None


def test_what_nobody_expected_goes_to_the_log_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ui.guard import guarded

    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))

    def broken() -> int:
        raise ZeroDivisionError("a defect")

    assert guarded(broken, as_json=False) == 4
    told = capsys.readouterr().err
    assert "Traceback" not in told and str(tmp_path) in told
    assert "ZeroDivisionError: a defect" in HomeFiles(tmp_path).commands_log.read_text()
    assert guarded(broken, as_json=True) == 4
    assert json.loads(capsys.readouterr().out)["status"] == "failed"


def test_secrets_are_masked_in_the_log() -> None:
    import logging

    text = "Bearer abcdefgh1234 and ph_0123456789abcdefXYZ and the-local-token"
    record = logging.LogRecord("x", logging.INFO, "f", 1, text, None, None)
    told = Masking(hidden=("the-local-token",)).format(record)
    assert "abcdefgh1234" not in told and "ph_0123" not in told and "the-local" not in told


def test_doctor_looks_at_everything_and_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "never-made")
    told = home.json("doctor")
    found = {check["name"]: check["state"] for check in told["checks"]}
    expected = "python packages libraries configuration assets home disk platform port database"
    assert set(found) == {*expected.split(), "audit", "language model"}
    assert "wrong" not in found.values(), told
    assert not home.path.exists()


@pytest.mark.slow
def test_doctor_knows_a_home_in_order_and_one_that_is_not(empty: Home) -> None:
    empty.json("up")
    empty.json("down")
    states = {c["name"]: c["state"] for c in empty.json("doctor")["checks"]}
    assert states["database"] == states["audit"] == states["home"] == "good"
    empty.path.chmod(0o755)
    with sqlite3.connect(empty.path / "pilothouse.db") as database:
        database.execute("DELETE FROM ph_schema_version")
    told = {c["name"]: c for c in empty.json("doctor", code=4)["checks"]}
    assert "mode 755" in told["home"]["told"]
    assert told["database"]["state"] == "note" and "behind" in told["database"]["told"]


def _until(holds: object, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while callable(holds) and not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_reason_of_a_failed_start_is_the_platforms_last_word(tmp_path: Path) -> None:
    files = HomeFiles(tmp_path)
    files.prepare()
    files.errors.write_text("a library's noise\npilothouse: Port 1 is in use.\nUse another.\n")
    assert files.tail() == "Port 1 is in use.\nUse another."
    files.errors.write_text("Traceback\nnoise\n")
    assert files.tail() == "Traceback\nnoise"


def test_a_full_database_is_a_full_disk() -> None:
    try:
        raise sqlite3.OperationalError("database or disk is full")
    except sqlite3.OperationalError as cause:
        error = RuntimeError("an insert failed")
        error.__cause__ = cause
    told = translate(error)
    assert told is not None and "full" in told.message
