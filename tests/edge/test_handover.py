"""A device hands over what it is unsure of, works alone when cut off, and says who answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.handover import Policy
from edge.samples import Samples
from edge.serve import ServeOptions
from tests.edge.test_serve import Served

Make = Callable[..., Served]
UNSURE = "something else entirely"  # no keyword: about a third for each label


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Served] = []

    def start(name: str, *, shift: int = 0, **more: Any) -> Served:
        folder = tmp_path / name
        folder.mkdir()
        served = Served(folder, name=name, **more)
        served.apply(1, served.shelf.add(1, shift=shift))
        made.append(served)
        return served

    yield start
    for served in made:
        served.server.shutdown()
        served.server.server_close()


def test_an_unsure_answer_is_left_to_the_server_group(make: Make) -> None:
    server = make("server-1", shift=1)
    phone = make("phone-1", policy=Policy((server.server.address,), below=0.6))
    status, sure = phone.ask({"text": "my password"})
    assert (status, sure["device"], sure["label"]) == (200, "phone-1", "login")
    assert "handed_over" not in sure
    status, other = phone.ask({"text": UNSURE})
    assert (status, other["device"]) == (200, "server-1")
    assert other["handed_over"]["by"] == "phone-1" and "0.60" in other["handed_over"]["reason"]
    assert (phone.server.handover.handed, phone.server.handover.last) == (1, "server-1")


def test_a_text_too_large_for_the_device_goes_straight_to_the_server(make: Make) -> None:
    server = make("server-1", shift=1)
    phone = make("phone-1", policy=Policy((server.server.address,), longer=100))
    _, answer = phone.ask({"texts": ["my password", "password " * 50]})
    assert answer["device"] == "server-1" and len(answer["predictions"]) == 2
    assert not phone.counters.traffic(), "the phone did not try"


def test_a_device_that_is_cut_off_answers_alone_and_stops_asking(make: Make) -> None:
    policy = Policy(("http://127.0.0.1:9",), below=0.9, longer=100, seconds=0.5)
    phone = make("phone-1", policy=policy)
    for body in ({"text": UNSURE}, {"text": "password " * 50}, {"text": UNSURE}):
        status, answer = phone.ask(body)
        assert (status, answer["device"]) == (200, "phone-1")
    assert (phone.server.handover.handed, phone.server.handover.failed) == (0, 1)


def test_what_was_handed_over_goes_no_further(make: Make) -> None:
    first = make("server-1", policy=Policy(("http://127.0.0.1:9",), below=0.99))
    first.server.handover._policy = Policy(  # pyright: ignore[reportPrivateUsage]
        (first.server.address,), below=0.99
    )
    _, answer = first.ask({"text": UNSURE})
    assert answer["handed_over"]["by"] == "server-1"
    assert first.server.handover.handed == 1


def test_a_device_with_a_key_answers_only_those_who_have_it(make: Make) -> None:
    server = make("server-1", options=ServeOptions(key="secret"))
    assert server.ask({"text": UNSURE})[0] == 401
    stranger = make("phone-1", policy=Policy((server.server.address,), below=0.9))
    assert stranger.ask({"text": UNSURE})[1]["device"] == "phone-1"
    friend = make("phone-2", policy=Policy((server.server.address,), below=0.9, key="secret"))
    assert friend.ask({"text": UNSURE})[1]["device"] == "server-1"


@pytest.mark.parametrize(("privacy", "kept"), [("off", 0), ("redacted", 1), ("texts", 1)])
def test_samples_are_kept_only_as_their_owner_says(
    make: Make, tmp_path: Path, privacy: str, kept: int
) -> None:
    path = tmp_path / "samples.jsonl"
    device = make("phone-1", samples=Samples(path, privacy, share=1.0))
    device.ask({"text": "my password is hunter2"})
    lines = path.read_text().splitlines() if path.exists() else []
    assert len(lines) == kept
    assert ("hunter2" in "".join(lines)) is (privacy == "texts")
    if kept:
        assert '"label": "login"' in lines[0] and path.stat().st_mode & 0o077 == 0


def test_a_classifier_says_that_it_does_not_chat(make: Make) -> None:
    device = make("phone-1")
    body = {"messages": [{"role": "user", "content": "hello"}]}
    status, answer = device.ask(body, path="/v1/chat/completions")
    assert status == 400 and "/predict" in answer["error"]
    for bad in ({}, {"messages": []}, {"messages": ["hello"]}, {"messages": [{"role": "user"}]}):
        assert device.ask(bad, path="/v1/chat/completions")[0] == 400
    assert device.server.models()["data"] == [{"id": "router:1", "object": "model"}]
