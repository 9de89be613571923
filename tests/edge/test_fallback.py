"""A model that turns out bad on the device is left by the device itself, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.errors import Refused
from edge.guard import FAILURES, Guard
from edge.runtime import LoadedModel
from edge.slots import SlotStore
from edge.wire import Desired
from tests.edge.bundle import Shelf, TestDevice


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture
def device(tmp_path: Path, shelf: Shelf) -> TestDevice:
    """Serves version 2 and has version 1 to fall back to."""
    made = TestDevice(tmp_path / "device", shelf)
    for version in (1, 2):
        apply(made, version, shelf.add(version, shift=version - 1))
    return made


def apply(device: TestDevice, generation: int, *models: Any) -> None:
    device.updater.apply(Desired(generation, models), lambda: None)


def test_falling_back_serves_the_former_model_also_after_a_restart(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    assert device.updater.fall_back("it fails")
    assert device.label() == ("login", 1)
    again = TestDevice(tmp_path / "device", shelf)
    assert again.updater.restore() is None
    assert again.label() == ("login", 1)
    pointer = again.slots.pointer()
    assert (pointer.generation, pointer.failed, pointer.reason) == (-1, 2, "it fails")
    assert not again.updater.fall_back("and again"), "there is nothing before the former model"


def test_a_fallback_is_forgotten_with_the_next_good_update(
    device: TestDevice, shelf: Shelf
) -> None:
    device.updater.fall_back("it fails")
    apply(device, 3, shelf.add(3, shift=2))
    assert device.label() == ("billing", 3)
    assert device.slots.pointer().failed == -1


def test_a_model_that_fails_its_requests_is_given_up(
    device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[str] = []
    device.runtime.guard = Guard(reasons.append)
    apply(device, 3, shelf.add(3, shift=2))

    def broken(self: LoadedModel, texts: list[str]) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(LoadedModel, "predict", broken)
    for _ in range(FAILURES + 2):
        with pytest.raises(RuntimeError):
            device.label()
    assert len(reasons) == 1 and "out of memory" in reasons[0]


def test_a_model_that_is_far_slower_than_the_one_before_is_given_up() -> None:
    reasons: list[str] = []
    guard = Guard(reasons.append)
    guard.watch(frozenset({"new"}), former_ms=100)
    for _ in range(100):
        guard.answered("old", 9000)
        guard.answered("new", 480)
    assert not reasons
    for _ in range(100):
        guard.answered("new", 520)
    assert len(reasons) == 1 and "520 ms" in reasons[0]


def test_a_single_slow_or_failed_answer_is_no_reason() -> None:
    reasons: list[str] = []
    guard = Guard(reasons.append)
    guard.watch(frozenset({"new"}), former_ms=1)
    for _ in range(50):
        guard.failed("new", "once")
        guard.answered("new", 20)
    guard.answered("new", 5000)
    assert not reasons


def test_a_model_that_is_far_slower_on_its_golden_inputs_is_not_swapped_in(
    device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LoadedModel.warm_up

    def slow(self: LoadedModel) -> None:
        real(self)
        self.golden_ms = 4000.0

    monkeypatch.setattr(LoadedModel, "warm_up", slow)
    with pytest.raises(Refused, match="4000 ms"):
        apply(device, 3, shelf.add(3, shift=2))
    assert device.label() == ("shipping", 2)


def test_a_model_under_which_the_program_keeps_dying_is_left(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    for _ in range(2):
        again = TestDevice(tmp_path / "device", shelf)
        assert again.updater.restore() is None
        assert again.label() == ("shipping", 2), "a power cut or two are no proof"
    again = TestDevice(tmp_path / "device", shelf)
    assert "did not stay up" in (again.updater.restore() or "")
    assert again.label() == ("login", 1)


def test_a_model_under_which_the_program_died_is_tried_once_more_and_then_left(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    (second,) = device.slots.pointer().serve

    def start(times: int) -> TestDevice:
        started = [TestDevice(tmp_path / "device", shelf) for _ in range(times)]
        for one in started:
            one.updater.restore()
        return started[-1]

    left = start(3)
    assert left.label() == ("login", 1)
    assert left.slots.try_again()
    apply(left, 2, second)
    assert left.label() == ("shipping", 2)
    again = start(3)
    assert again.label() == ("login", 1)
    assert not again.slots.try_again(), "twice is no coincidence"
    assert again.slots.pointer().failed == 2


def test_a_model_that_failed_its_requests_is_not_tried_again(device: TestDevice) -> None:
    device.updater.fall_back("it failed 3 times in a row")
    assert not device.slots.try_again()


def test_a_model_that_proved_good_may_be_restarted_at_will(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    device.slots.prove()
    for _ in range(6):
        again = TestDevice(tmp_path / "device", shelf)
        assert again.updater.restore() is None
        assert again.label() == ("shipping", 2)


def test_a_model_that_takes_the_program_down_while_it_loads_is_refused(
    tmp_path: Path, device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        """The program is gone."""

    wanted = shelf.add(3, shift=2)
    journal = tmp_path / "device" / "loading.json"

    def dies(self: LoadedModel) -> None:
        raise Died(journal.read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(LoadedModel, "warm_up", dies)
        for _ in range(2):
            with pytest.raises(Died) as died:
                apply(device, 3, wanted)
            journal.write_bytes(died.value.args[0])  # what a dead program cannot take away
    again = TestDevice(tmp_path / "device", shelf)
    with pytest.raises(Refused, match="died 2 times"):
        apply(again, 3, wanted)
    apply(again, 4, wanted)
    assert again.label() == ("billing", 3)


def test_the_only_model_is_served_although_the_program_died_twice_while_it_loaded(
    tmp_path: Path, shelf: Shelf
) -> None:
    apply(TestDevice(tmp_path / "device", shelf), 1, shelf.add(1))
    again = TestDevice(tmp_path / "device", shelf)
    (served,) = again.slots.pointer().serve
    noted = json.dumps({"bundle": served.bundle, "deaths": 2})
    (tmp_path / "device" / "loading.json").write_text(noted)
    assert again.updater.restore() is None
    assert again.label() == ("login", 1)


def test_a_model_on_trial_stays_if_the_slot_of_the_former_one_was_taken_by_the_next(
    tmp_path: Path, device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: SlotStore, generation: int, serve: Any) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(SlotStore, "commit", cut)
        with pytest.raises(OSError, match="power"):
            apply(device, 3, shelf.add(3, shift=2))
    for _ in range(4):
        again = TestDevice(tmp_path / "device", shelf)
        again.updater.restore()
        assert again.label() == ("shipping", 2)
