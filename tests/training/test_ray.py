"""The same run on a Ray cluster: a real one, of a head and two workers on this machine."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.training.conftest import rows, write_rows
from tests.training.language.conftest import make_language_model, questions
from tests.training.similarity.test_similarity import texts
from tools.kernel.errors import Unavailable
from tools.kernel.settings import Settings
from tools.training.cluster.connecting import connect
from tools.training.cluster.placing import placed

LOST = "a worker was lost; another goes on from the checkpoint"
CLUSTER = Path(__file__).parents[1] / "support" / "ray_cluster.py"
APART = ["unshare", "--net", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough rows for a training to be caught in the middle."""
    return write_rows(tmp_path / "many.jsonl", rows(600))


@pytest.fixture
def short() -> Iterator[str]:
    """A folder for temporary files with a short path: Ray makes sockets there."""
    with TemporaryDirectory(prefix="ray") as folder:
        yield folder


@pytest.fixture
def on_a_cluster(home: Path, base: Path, many: Path, short: str) -> Callable[..., dict[str, Any]]:
    """Run a scenario of `ray_cluster.py`; what it printed last."""

    def run(scenario: str, data: Path = many, base: Path = base) -> dict[str, Any]:
        if subprocess.run([*APART, "true"], capture_output=True).returncode:
            pytest.skip("namespaces cannot be made here, and Ray would listen on every address")
        command = [sys.executable, str(CLUSTER), str(home), str(data), str(base), scenario]
        fast = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_agent_register_timeout_ms": "100000",
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_failure_threshold": "4",
        }
        environment = {**os.environ, **fast, "TMPDIR": short, "RAY_TMPDIR": short}
        # Ray starts a dozen Python processes and gives each node 30 s: they share bytecode.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run([*APART, *command], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def went_on(told: list[str]) -> bool:
    """Whether a run took up its checkpoint after a worker was lost."""
    after = told[told.index(LOST) :]
    again = [message for message in after if message.startswith("epoch 1 of 40")]
    return not again and any(message.startswith("epoch 3") for message in after)


def epochs(told: list[str]) -> list[int]:
    """The epochs that messages tell of."""
    found = (re.match(r"epoch (\d+) of", message) for message in told)
    return [int(each[1]) for each in found if each]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_training_survives_the_loss_of_its_worker_and_gives_the_same(on_a_cluster):
    found = on_a_cluster("lost")
    here, there = found["here"], found["there"]
    assert went_on(found["told"])
    assert there["final_loss"] == pytest.approx(here["final_loss"], abs=1e-6)
    assert there["weights"] == here["weights"]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_workers_give_what_one_gives_and_one_goes_on_without_the_other(on_a_cluster):
    found = on_a_cluster("together")
    here, there = found["here"], found["there"]
    assert went_on(found["told"])
    assert there["final_loss"] == pytest.approx(here["final_loss"], abs=1e-3)
    assert there["validation_accuracy"] == pytest.approx(here["validation_accuracy"], abs=0.02)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_workers_train_a_language_model_as_one_does(on_a_cluster, tmp_path: Path):
    llama = make_language_model(tmp_path / "llama")
    (tmp_path / "chats").mkdir()
    chats = write_rows(tmp_path / "chats" / "many.jsonl", questions(300))
    found = on_a_cluster("spoken", chats, llama)
    here, there = found["here"], found["there"]
    assert there["final_loss"] == pytest.approx(here["final_loss"], abs=1e-3)
    assert there["final_loss"] < there["initial_loss"]
    assert Path(there["artifact_path"]).is_dir()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_train_an_embedding_as_one_does_though_one_of_their_processes_is_killed(
    on_a_cluster, tmp_path: Path
):
    pairs = [{"anchor": a, "positive": b} for a, b in texts(600, triplets=False)]
    (tmp_path / "pairs").mkdir()
    found = on_a_cluster("alike", write_rows(tmp_path / "pairs" / "many.jsonl", pairs))
    here, there = found["here"], found["there"]
    [death] = [line for line in found["told"] if "SIGKILL" in line]
    assert "try 2 of 4" in death
    assert min(epochs(found["told"][found["told"].index(death) :])) >= 3
    assert there["final_loss"] == pytest.approx(here["final_loss"], abs=1e-3)
    assert there["metrics"]["mrr"] == pytest.approx(here["metrics"]["mrr"], abs=0.01)
    assert there["final_loss"] < there["initial_loss"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_that_is_killed_on_a_worker_goes_on_three_times_then_is_paused_and_resumed(
    on_a_cluster,
):
    found = on_a_cluster("killed")
    here, there = found["here"], found["there"]
    assert all("was ended by SIGKILL; most likely memory ran out" in d for d in found["deaths"])
    where = r"paused; The computing process of job 2 on 127\.0\.0\.[34] was"
    assert re.match(where, found["deaths"][3])
    assert "`resume training job 2` goes on" in found["deaths"][3]
    assert min(epochs(found["told"])) >= 3
    assert there["final_loss"] == here["final_loss"]
    assert there["weights"] == here["weights"]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_trials_compute_on_all_workers_at_once_and_a_cancel_frees_them(on_a_cluster):
    found = on_a_cluster("trials")
    assert [trial["state"] for trial in found["tuned"]["trials"]] == ["complete", "complete"]
    assert found["tuned"]["weights"]
    assert found["cancelled"] == "cancelled"
    assert found["busy"] == []
    assert found["left"] == []


def test_nothing_changes_without_an_address(home: Path):
    assert placed(Settings(home=home), "a.child", {"x": 1}) == ("a.child", {"x": 1})


def test_a_closed_port_is_told_at_once():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"No Ray cluster could be joined at {address}"):
            connect(address)


def test_without_ray_the_error_says_what_installs_it(home: Path, monkeypatch):
    monkeypatch.setattr("tools.training.cluster.placing.find_spec", lambda name: None)
    settings = Settings(home=home, ray_address="head:6379")
    with pytest.raises(Unavailable, match="make setup"):
        placed(settings, "a.child", {})
