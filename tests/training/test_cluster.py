"""What a worker of a cluster does, without a cluster: it runs here as an ordinary object."""

from __future__ import annotations

import io
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.training.conftest import rows
from tools.training.cluster.parcels import delivered, packed, unpacked
from tools.training.cluster.worker import News, Order, Worker
from tools.training.preparing import make_spec, write_data
from tools.training.types import StartTraining

CHILD = "tools.training.child"


class Line:
    """A row of a dataset, as far as `write_data` looks."""

    labels = None

    def __init__(self, text: str, label: str, split: str) -> None:
        self.text, self.label, self.split = text, label, split


@pytest.fixture
def spec(tmp_path: Path, base: Path) -> dict[str, Any]:
    lines = [
        Line(row["text"], row["label"], "validation" if i % 5 == 0 else "train")
        for i, row in enumerate(rows(300))
    ]
    labels = write_data(tmp_path / "data", lines)  # pyright: ignore[reportArgumentType]
    told = {"dataset": "colours", "method": "full", "epochs": 100, "patience": 50}
    args = StartTraining.model_validate(told)
    made = make_spec(args, base, tmp_path, labels, 1)
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    made = Worker()
    yield made
    made.close()
    assert not list(scratch.iterdir())


def begin(worker: Worker, spec: dict[str, Any], kept: bytes | None = None) -> None:
    parcels = (packed(Path(spec[name])) for name in ("base_folder", "data"))
    worker.begin(Order(CHILD, spec, 1, kept), *parcels)


def follow(worker: Worker, until: Any = None, **signals: str) -> list[News]:
    heard: list[News] = []
    deadline = time.monotonic() + 60
    while not heard or not (heard[-1].code is not None or (until and until(heard[-1]))):
        assert time.monotonic() < deadline, heard
        heard.append(worker.look(signals))
    return heard


def result(heard: list[News]) -> dict[str, Any]:
    assert heard[-1].code == 0, heard[-1].log
    return [event for news in heard for event in news.events][-1]["result"]


@pytest.mark.slow
def test_a_training_leaves_its_files_where_the_driver_wants_them(
    worker: Worker, spec: dict[str, Any], tmp_path: Path
):
    begin(worker, {**spec, "epochs": 1})
    assert result(follow(worker))["epochs"] == 1
    delivered(worker.results(), tmp_path)
    assert (tmp_path / "classifier" / "model.safetensors").is_file()
    assert (tmp_path / "curve.json").is_file()
    assert not (tmp_path / "spec.json").exists()


@pytest.mark.slow
def test_a_checkpoint_is_fetched_once_and_another_worker_goes_on_from_it(
    worker: Worker, spec: dict[str, Any]
):
    begin(worker, spec)
    kept = follow(worker, lambda news: news.checkpoint)[-1].checkpoint
    worker.close()
    other = Worker()
    begin(other, spec, kept)
    told = follow(other, lambda news: any("epoch" in e.get("message", "") for e in news.events))
    messages = [event.get("message", "") for news in told for event in news.events]
    assert not [m for m in messages if m.startswith("epoch 1 of 100")]
    other.close()


@pytest.mark.slow
def test_a_wish_to_pause_reaches_the_process(worker: Worker, spec: dict[str, Any]):
    begin(worker, spec)
    follow(worker, lambda news: any("epoch" in e.get("message", "") for e in news.events))
    heard = follow(worker, pause="asked")
    assert result(heard)["paused"]
    assert any(news.checkpoint for news in heard)


def test_how_a_process_died_is_told_with_its_log(worker: Worker, spec: dict[str, Any]):
    begin(worker, {**spec, "labels": None})
    last = follow(worker)[-1]
    assert last.code != 0
    assert b"Traceback" in last.log


@pytest.mark.slow
def test_a_process_that_a_signal_ends_is_told_apart(worker: Worker, spec: dict[str, Any]):
    begin(worker, spec)
    follow(worker, lambda news: any("epoch" in e.get("message", "") for e in news.events))
    [process] = [p for p in psutil.Process().children() if CHILD in p.cmdline()]
    process.kill()
    assert follow(worker)[-1].code == -signal.SIGKILL


def test_a_parcel_follows_links_and_takes_the_place_of_what_was_there(tmp_path: Path):
    (tmp_path / "blob").write_text("weights")
    sent, there = tmp_path / "sent", tmp_path / "there"
    (sent / "model").mkdir(parents=True)
    (sent / "model" / "file").symlink_to(tmp_path / "blob")
    (there / "model").mkdir(parents=True)
    (there / "model" / "old").touch()
    (there / "checkpoint.pt").touch()
    delivered(packed(sent), there)
    assert (there / "model" / "file").read_text() == "weights"
    assert not (there / "model" / "file").is_symlink()
    assert sorted(p.name for p in there.rglob("*")) == ["checkpoint.pt", "file", "model"]


def test_a_parcel_cannot_write_outside_its_folder(tmp_path: Path):
    parcel = io.BytesIO()
    with tarfile.open(fileobj=parcel, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(tarfile.TarError):
        unpacked(parcel.getvalue(), tmp_path / "inside")
    assert not (tmp_path / "outside").exists()
