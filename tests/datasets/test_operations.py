"""Datasets through the gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tools.datasets.service import DatasetService
from tools.datasets.tables import DatasetRow
from tools.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

Caller = Callable[..., Outcome]


def write(path: Path, rows: int = 40, salt: str = "") -> Path:
    values = [
        {"text": f"message {i} {salt} about {i * i} and {i * 37}", "label": "ab"[i % 2]}
        for i in range(rows)
    ]
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_a_fresh_home_has_the_tickets(call: Caller):
    listed = call("datasets.list").result.model_dump()["datasets"]
    assert [(d["name"], d["version"], d["builtin"]) for d in listed] == [("tickets", 1, True)]
    for name in ("bundled tickets", "the bundled tickets", "support tickets", "ticket data"):
        assert call("datasets.describe", dataset=name).result.model_dump()["name"] == "tickets"


def test_adding_is_proved_by_the_stored_rows_and_adding_again_changes_nothing(
    call: Caller, tmp_path: Path
):
    path = write(tmp_path / "week 31.jsonl")
    first = call("datasets.add", path=str(path))
    result = first.result.model_dump()
    assert (result["name"], result["version"], result["known"]) == ("week-31", 1, False)
    facts = {e.fact: e.value for e in first.receipt.evidence}
    assert facts["rows of week-31 v1"] == 40
    assert facts["SHA-256 of the stored rows of week-31 v1"] == result["sha256"]
    again = call("datasets.add", path=str(path)).result.model_dump()
    assert (again["name"], again["version"], again["known"]) == ("week-31", 1, True)


def test_other_content_under_a_known_name_is_its_next_version(call: Caller, tmp_path: Path):
    call("datasets.add", path=str(write(tmp_path / "a.jsonl")), name="Mails")
    second = call("datasets.add", path=str(write(tmp_path / "b.jsonl", salt="new")), name="mails")
    assert second.result.model_dump()["version"] == 2
    described = call("datasets.describe", dataset="mails v1").result.model_dump()
    assert (described["version"], described["versions"]) == (1, [1, 2])
    assert call("datasets.describe", dataset="mails").result.model_dump()["version"] == 2
    with pytest.raises(NotFound):
        call("datasets.describe", dataset="mails v7")


def test_a_version_that_does_not_exist_is_told_with_those_that_do(
    kernel: Kernel, call: Caller, tmp_path: Path
):
    call("datasets.add", path=str(write(tmp_path / "mails.jsonl")))
    with pytest.raises(NotFound, match=r"mails has no version 7") as caught:
        call("datasets.describe", dataset="mails@7")
    assert caught.value.hint == "There is only version 1."
    for salt in ("second", "third"):
        call("datasets.add", path=str(write(tmp_path / f"{salt}.jsonl", salt=salt)), name="mails")
    with pytest.raises(NotFound) as caught:
        call("training.estimate", dataset="mails v7")
    assert caught.value.hint == "There are versions 1, 2 and 3."
    with pytest.raises(NotFound, match="mails has no version 8"):
        kernel.get(DatasetService).resolve("default", "mails@8")


def test_content_that_is_known_under_another_name_says_which_and_makes_no_other(
    call: Caller, tmp_path: Path
):
    call("datasets.add", path=str(write(tmp_path / "first.jsonl")))
    again = call("datasets.add", path=str(write(tmp_path / "second.jsonl")))
    assert again.result.model_dump()["unused_name"] == "second"
    assert "first v1 holds exactly this content already" in again.receipt.says
    assert "no dataset second was made" in again.receipt.says
    names = {d["name"] for d in call("datasets.list").result.model_dump()["datasets"]}
    assert names == {"tickets", "first"}


def test_ones_own_tickets_do_not_hide_the_bundled_ones(call: Caller, tmp_path: Path):
    added = call("datasets.add", path=str(write(tmp_path / "tickets.jsonl")))
    assert added.result.model_dump()["version"] == 2
    assert call("datasets.describe", dataset="tickets").result.model_dump()["version"] == 2
    bundled = call("datasets.describe", dataset="bundled tickets").result.model_dump()
    assert (bundled["version"], bundled["builtin"]) == (1, True)


def test_a_preview_finds_what_is_wrong_and_stores_nothing(
    kernel: Kernel, context: RequestContext, tmp_path: Path
):
    with pytest.raises(NotFound):
        kernel.gate.preview("datasets.add", {"path": str(tmp_path / "none.csv")}, context)
    preview = kernel.gate.preview(
        "datasets.add", {"path": str(write(tmp_path / "fine.jsonl"))}, context
    )
    assert "40 rows in 2 classes" in preview.summary
    names = [n.name for n in kernel.get(DatasetService).names("default")]
    assert names == ["tickets"]


def test_undoing_an_add_removes_the_rows(
    call: Caller, approved: Caller, kernel: Kernel, tmp_path: Path
):
    added = call("datasets.add", path=str(write(tmp_path / "gone.jsonl"))).receipt
    assert added.undo is not None
    removed = approved(added.undo.operation, **added.undo.arguments)
    assert removed.receipt.evidence[0].value == "absent"
    with pytest.raises(NotFound):
        call("datasets.describe", dataset="gone")
    assert not list((kernel.settings.home / "datasets").glob(f"{added.result['sha256']}*"))


def test_what_is_used_or_bundled_is_not_removed(call: Caller, kernel: Kernel, tmp_path: Path):
    call("datasets.add", path=str(write(tmp_path / "used.jsonl")))
    service = kernel.get(DatasetService)
    service.record_use(service.resolve("default", "used"), "default", "training job 7")
    with pytest.raises(Conflict, match="used by training job 7"):
        call("datasets.remove", dataset="used")
    service.forget_use("default", "training job 7")
    assert service.describe("default", "used").used_by == []
    with pytest.raises(Conflict, match="ships with the platform"):
        call("datasets.remove", dataset="tickets")


def test_a_full_disk_leaves_nothing_behind(
    kernel: Kernel, call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    path = write(tmp_path / "big.jsonl")
    call("datasets.list")
    before = sorted((kernel.settings.home / "datasets").iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        call("datasets.add", path=str(path))
    assert sorted((kernel.settings.home / "datasets").iterdir()) == before
    monkeypatch.undo()
    assert call("datasets.add", path=str(path)).result.model_dump()["known"] is False


def test_a_database_that_cannot_be_written_leaves_no_files(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    service = kernel.get(DatasetService)
    service.list("default")
    before = sorted((kernel.settings.home / "datasets").iterdir())

    def refuse(*_: Any, **__: Any) -> None:
        raise Unavailable("The database could not be used.")

    planned = service.plan_add("default", str(write(tmp_path / "x.jsonl")), None)
    assert not planned.known
    monkeypatch.setattr(DatasetRow, "__init__", refuse)
    with pytest.raises(Unavailable):
        service.add("default", str(tmp_path / "x.jsonl"), None)
    assert sorted((kernel.settings.home / "datasets").iterdir()) == before


def test_tenants_do_not_see_each_other(kernel: Kernel, tmp_path: Path):
    service = kernel.get(DatasetService)
    service.add("one", str(write(tmp_path / "secret.jsonl")), None)
    assert [d.name for d in service.list("two").datasets] == ["tickets"]
    with pytest.raises(NotFound):
        service.rows("two", "secret")
    assert len(service.rows("one", "secret")) == 40
    assert {r.split for r in service.rows("one", "secret", "test")} == {"test"}


def test_many_threads_adding_the_same_file_make_one_version(kernel: Kernel, tmp_path: Path):
    service = kernel.get(DatasetService)
    path = str(write(tmp_path / "same.jsonl"))
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: service.add("default", path, None), range(8)))
    assert sum(not a.known for a in added) == 1
    assert {a.version for a in added} == {1}


def test_names_that_say_nothing_are_refused(call: Caller, tmp_path: Path):
    path = write(tmp_path / "a.jsonl")
    with pytest.raises(InvalidInput, match="no letter or digit"):
        call("datasets.add", path=str(path), name="---")


def test_operations_load_without_heavy_imports():
    code = (
        "import sys, tools.datasets.operations, tools.training.operations;"
        "heavy = {'torch', 'mlflow', 'pandas', 'sqlalchemy', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
