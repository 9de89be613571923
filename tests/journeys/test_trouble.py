"""Two commands at once on a fresh home, files that are no dataset, several steps, a full disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.people import Person
from tests.ui.homes import Home

pytestmark = pytest.mark.timeout(300)
GOOD = '{"text": "hello there", "label": "greeting"}\n'
WRONG = {
    "bad bytes.csv": (b"text,label\nhello \xff\xfe world,greeting\nbye,farewell\n", "UTF-8"),
    "no-label.csv": (b"text,kind\nhello,greeting\nbye,farewell\n", "label"),
    "empty.jsonl": (b"", "empty"),
    "line.jsonl": (GOOD.encode() + b'{"text": "bye", \n' + GOOD.encode(), "ine 2"),
    "numbers.parquet": (b"PAR1 this is no parquet", "arquet"),
}


@pytest.mark.slow
def test_two_commands_on_a_fresh_home_are_served_by_one_platform(person: Person) -> None:
    both = [person.begins("ask", "which datasets are there?", "--json") for _ in range(2)]
    told = [json.loads(process.communicate(timeout=100)[0]) for process in both]
    assert [t["status"] for t in told] == ["done", "done"]
    lines = person.home.files.log.read_text().splitlines()
    assert len([line for line in lines if "ready on" in line]) == 1
    assert person.runs("up")["started"] is False


@pytest.mark.slow
def test_files_that_are_no_dataset_are_named_and_nothing_is_added(
    person: Person, tmp_path: Path
) -> None:
    before = person.calls("datasets.list")["datasets"]
    for name, (content, told) in WRONG.items():
        path = tmp_path / name
        path.write_bytes(content)
        answer = person.asks(f'add the dataset "{path}" and call it wrong', "wrong", code=4)
        (failure,) = answer["failures"].values()
        assert told.casefold() in failure["message"].casefold(), (name, failure)
        assert failure["code"] == "invalid_input" and not answer["receipts"]
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path / "folder.csv", tmp_path / "missing.csv"):
        answer = person.asks(f'add the dataset "{path}" and call it wrong', "wrong", code=4)
        assert str(path) in json.dumps(answer["failures"])
    assert person.calls("datasets.list")["datasets"] == before


def test_a_dataset_of_one_class_is_refused_before_it_is_trained_on(
    person: Person, tmp_path: Path
) -> None:
    path = tmp_path / "single.jsonl"
    rows = [{"text": f"hello number {n}, how do you do", "label": "greeting"} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    person.asks(f"add the dataset {path} and call it single", "single")
    told = person.asks("train a greeter on single", "single", code=4)
    assert "class" in json.dumps(told["failures"]) and person.jobs("training.start") == []


def test_several_steps_run_and_conditions_hold_on_real_results(person: Person, mails: Path) -> None:
    text = f"add the dataset {mails} as mails, list the devices and show me the models"
    told = person.asks(text, "several")
    assert {r["operation"] for r in told["receipts"]} == {
        "datasets.add",
        "devices.list",
        "registry.list",
    }
    assert all(not step["depends_on"] for step in told["plan"]["steps"])


def test_a_dry_run_of_several_steps_changes_nothing(person: Person) -> None:
    text = "what would happen if you trained a mail sorter on mails and then evaluated it?"
    told = person.asks(text, "dry")
    assert told["plan"]["dry_run"] and told["previews"] and not told["failures"]
    assert not told["receipts"] and person.jobs("training.start") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_nothing_is_lost(
    template_home: Path, small_disk: Path, mails: Path
) -> None:
    shutil.copytree(template_home, small_disk / "home")
    shutil.rmtree(small_disk / "home/keys", ignore_errors=True)
    (small_disk / "home/audit.head").unlink(missing_ok=True)
    person = Person(Home(small_disk / "home"))
    try:
        person.asks(f"add the dataset {mails} and call it before", "disk")
        ballast = small_disk / "ballast"
        fill(ballast)
        done = False  # the act may still have fitted, with its receipt
        for _ in range(3):
            told = person.asks(f"add the dataset {mails} and call it during", "disk", code=4)
            said = json.dumps([told["error"], told["failures"], told["message"]])
            assert "full" in said, said
            done = done or bool(told["receipts"])
        ballast.unlink()
        person.asks(f"add the dataset {mails} and call it after", "disk")
        found = {d["name"] for d in person.calls("datasets.list")["datasets"]}
        assert {"before", "after"} <= found
        assert ("during" in found) is done
        assert person.runs("audit", "verify")["intact"]
        statuses = {t["status"] for t in person.client().get("/api/v1/conversations/disk")}
        assert statuses <= {"done", "failed"}
    finally:
        person.leave()


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (1_000_000, 4096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
