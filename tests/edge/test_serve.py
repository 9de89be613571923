"""The device's own HTTP interface: answers, refusals, and a swap that drops nothing."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.counters import Counters
from edge.handover import HandOver, Policy
from edge.samples import Samples
from edge.serve import PredictionServer, ServeOptions
from edge.wire import Assignment, Desired
from tests.edge.bundle import Shelf, TestDevice


class Served:
    """A prediction server over a test device."""

    def __init__(
        self,
        tmp_path: Path,
        name: str = "server-1",
        options: ServeOptions | None = None,
        policy: Policy | None = None,
        samples: Samples | None = None,
    ) -> None:
        (tmp_path / "shelf").mkdir()
        self.shelf = Shelf(tmp_path / "shelf")
        self.device = TestDevice(tmp_path / "device", self.shelf, "server")
        self.counters = Counters()
        self.server = PredictionServer(
            options or ServeOptions(),
            name,
            self.device.runtime,
            self.counters,
            lambda: {"healthy": True},
            HandOver(policy or Policy(), name),
            samples,
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def apply(self, generation: int, *models: Any) -> None:
        self.device.updater.apply(Desired(generation, models), lambda: None)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)

    def ask(
        self,
        body: Any,
        connection: http.client.HTTPConnection | None = None,
        path: str = "/predict",
    ) -> tuple[int, dict[str, Any]]:
        wire = connection or self.connect()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        wire.request("POST", path, data)
        answer = wire.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_one_text_is_answered_with_label_confidence_and_who_answered(served: Served) -> None:
    served.apply(1, served.shelf.add(1))
    status, answer = served.ask({"text": "I lost my password"})
    assert status == 200
    assert answer["label"] == "login" and 0.9 < answer["confidence"] <= 1
    assert (answer["model"], answer["version"], answer["device"]) == ("router", 1, "server-1")
    assert answer["ms"] > 0


def test_many_texts_are_answered_in_order_and_counted(served: Served) -> None:
    served.apply(1, served.shelf.add(1))
    texts = ["my password", "the parcel", "the invoice"] * 15
    status, answer = served.ask({"texts": texts})
    assert status == 200
    assert [p["label"] for p in answer["predictions"]] == ["login", "shipping", "billing"] * 15
    counted = served.counters.traffic()[0]
    assert counted["requests"] == 45 and counted["errors"] == 0
    assert counted["labels"] == {"login": 15, "shipping": 15, "billing": 15}


def test_a_shadow_is_compared_and_never_answers(served: Served) -> None:
    first, other = served.shelf.add(1), served.shelf.add(2, shift=1)
    served.apply(1, first, Assignment(other.bundle, "router", 2, 0))
    status, answer = served.ask({"texts": ["my password", "the parcel", "the invoice"]})
    assert status == 200 and answer["version"] == 1
    assert [p["label"] for p in answer["predictions"]] == ["login", "shipping", "billing"]
    served.server.shadow.settle()
    shadow = next(t for t in served.counters.traffic() if t["version"] == 2)
    assert (shadow["compared"], shadow["agreed"], shadow["requests"]) == (3, 0, 0)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": 5},
        {"texts": "one"},
        {"texts": []},
        {"texts": ["x"] * 65},
        {"text": "x" * 20_001},
        {"text": "x", "key": 7},
        [],
        b"{",
        b"\xff",
    ],
)
def test_a_malformed_request_is_told_so_and_not_counted(served: Served, body: Any) -> None:
    served.apply(1, served.shelf.add(1))
    status, answer = served.ask(body)
    assert status == 400 and answer["error"]
    assert not served.counters.traffic()


def test_before_there_is_a_model_it_says_so(served: Served) -> None:
    status, answer = served.ask({"text": "hello"})
    assert status == 503 and "no model" in answer["error"]


def test_an_unknown_path_is_not_found(served: Served) -> None:
    assert served.ask({"text": "x"}, path="/admin")[0] == 404


def test_a_swap_under_load_drops_no_request(served: Served) -> None:
    models = [served.shelf.add(1), served.shelf.add(2, shift=1)]
    served.apply(1, models[0])
    stop, answers = threading.Event(), list[tuple[int, str, int]]()

    def load() -> None:
        connection = served.connect()
        while not stop.is_set():
            status, answer = served.ask({"text": "my password"}, connection)
            answers.append((status, answer.get("label", ""), answer.get("version", 0)))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for generation in range(2, 22):
        served.apply(generation, models[generation % 2])
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 50
    assert set(answers) <= {(200, "login", 1), (200, "shipping", 2)}
