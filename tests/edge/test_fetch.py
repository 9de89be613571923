"""Only what changed is fetched, as fast as is allowed, and goes on wherever it was cut off."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from edge.errors import NoModel, NotNow, Refused, Unreachable
from edge.throttle import Throttle
from edge.wire import Desired
from tests.edge.bundle import Shelf, TestDevice
from tools.deployment.chunks import chunks_of

SIZE = 3 << 20


def go_on() -> None:
    """Nothing newer is desired."""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder, chunked=True)


@pytest.fixture
def device(tmp_path: Path, shelf: Shelf) -> TestDevice:
    return TestDevice(tmp_path / "device", shelf)


def sent(shelf: Shelf) -> int:
    return shelf.sent.get("model.onnx", 0)


def test_the_next_version_costs_only_what_is_new_in_it(device: TestDevice, shelf: Shelf) -> None:
    device.updater.apply(Desired(1, (shelf.add(1, padding=SIZE),)), go_on)
    assert sent(shelf) >= SIZE
    shelf.sent.clear()
    device.updater.apply(Desired(2, (shelf.add(2, shift=1, padding=SIZE),)), go_on)
    assert device.label() == ("shipping", 2)
    assert sent(shelf) < SIZE / 5


def test_cuts_move_with_the_content(tmp_path: Path) -> None:
    data = random.Random(3).randbytes(SIZE)
    (tmp_path / "old").write_bytes(data)
    (tmp_path / "new").write_bytes(data[:700_000] + b"something put in" + data[700_000:])
    old, new = (chunks_of(tmp_path / name) for name in ("old", "new"))
    assert sum(size for _, size in new) == SIZE + 16
    assert len(set(new) - set(old)) <= 2
    assert all(size <= 4 << 16 for _, size in new)


def test_a_cut_at_any_place_costs_at_most_the_pieces_under_way(
    tmp_path: Path, shelf: Shelf
) -> None:
    wanted = shelf.add(1, padding=SIZE)
    total = 0
    for cut in (1, 70_000, 400_000, 1_500_000):
        shelf.cut_after = cut
        with pytest.raises(Unreachable):
            TestDevice(tmp_path / "device", shelf).updater.apply(Desired(1, (wanted,)), go_on)
        total += cut
    shelf.cut_after = None
    device = TestDevice(tmp_path / "device", shelf)
    device.updater.apply(Desired(1, (wanted,)), go_on)
    assert device.label() == ("login", 1)
    most_lost = 4 * 4 * (4 << 16)  # four cuts, four pieces under way, each of at most 256 KB
    assert SIZE <= sent(shelf) <= SIZE + 100_000 + most_lost


def test_half_written_pieces_are_found_out(tmp_path: Path, shelf: Shelf) -> None:
    wanted = shelf.add(1, padding=SIZE)
    shelf.cut_after = 2 << 20
    with pytest.raises(Unreachable):
        TestDevice(tmp_path / "device", shelf).updater.apply(Desired(1, (wanted,)), go_on)
    part = tmp_path / "device" / "incoming" / wanted.bundle / "model.onnx.part"
    data = bytearray(part.read_bytes())
    for place in range(0, len(data), 300_000):
        data[place] ^= 0xFF
    part.write_bytes(data)
    shelf.cut_after = None
    device = TestDevice(tmp_path / "device", shelf)
    device.updater.apply(Desired(1, (wanted,)), go_on)
    assert device.label() == ("login", 1)


def test_a_damaged_slot_is_no_source(device: TestDevice, shelf: Shelf) -> None:
    first = shelf.add(1, padding=SIZE)
    device.updater.apply(Desired(1, (first,)), go_on)
    slot = device.slots.find(first.bundle)
    assert slot is not None
    data = bytearray((slot / "model.onnx").read_bytes())
    for place in range(0, len(data), 20_000):
        data[place] ^= 0xFF
    (slot / "model.onnx").write_bytes(data)
    shelf.sent.clear()
    device.updater.apply(Desired(2, (shelf.add(2, shift=1, padding=SIZE),)), go_on)
    assert device.label() == ("shipping", 2)
    assert sent(shelf) >= SIZE


def test_a_piece_altered_on_its_way_is_refused_and_asked_for_again(
    device: TestDevice, shelf: Shelf
) -> None:
    wanted = shelf.add(1, padding=SIZE)
    path = shelf.path(wanted.bundle, "model.onnx")
    sound = path.read_bytes()
    path.write_bytes(sound[: SIZE // 2] + bytes([sound[SIZE // 2] ^ 1]) + sound[SIZE // 2 + 1 :])
    with pytest.raises(NotNow, match="altered"):
        device.updater.apply(Desired(1, (wanted,)), go_on)
    with pytest.raises(NoModel):
        device.label()
    path.write_bytes(sound)
    device.updater.apply(Desired(1, (wanted,)), go_on)
    assert device.label() == ("login", 1)


def test_a_manifest_altered_on_its_way_is_asked_for_again(device: TestDevice, shelf: Shelf) -> None:
    wanted = shelf.add(1)
    path = shelf.path(wanted.bundle, "manifest.json")
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"router", b"rooter"))
    with pytest.raises(NotNow):
        device.updater.apply(Desired(1, (wanted,)), go_on)
    path.write_bytes(sound)
    device.updater.apply(Desired(1, (wanted,)), go_on)
    assert device.label() == ("login", 1)


@pytest.mark.parametrize(
    "chunks", [[["0" * 64, 5]], [["zz", 10]], [["0" * 64, -1]], [["0" * 64]], "chunks"]
)
def test_a_manifest_whose_pieces_do_not_add_up_is_refused(
    device: TestDevice, shelf: Shelf, chunks: Any
) -> None:
    files = {"model.onnx": {"sha256": "0" * 64, "size": 10, "chunks": chunks}}
    with pytest.raises(Refused, match="malformed"):
        device.updater.apply(Desired(1, (shelf.add(1, changes={"files": files}),)), go_on)


def test_an_adapter_comes_without_the_base_that_is_here(device: TestDevice, shelf: Shelf) -> None:
    """A base is shared by the slots, as one file on the disk."""
    base = 9 << 20
    device.updater.apply(Desired(1, (shelf.add(1, extra={"base.bin": base}),)), go_on)
    second = shelf.add(2, shift=1, extra={"base.bin": base})
    shelf.sent.clear()
    device.updater.apply(Desired(2, (second,)), go_on)
    assert "base.bin" not in shelf.sent and sent(shelf) > 0
    slot = device.slots.find(second.bundle)
    assert slot is not None and (slot / "base.bin").stat().st_nlink == 2


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=17 << 20))
    with pytest.raises(Refused, match="17 MB free"):
        device.updater.apply(Desired(1, (shelf.add(1, padding=SIZE),)), go_on)
    assert sent(shelf) == 0


def test_a_rate_is_kept_by_all_threads_together() -> None:
    throttle = Throttle(1_000_000)
    began = time.monotonic()
    for _ in range(5):
        throttle.take(60_000)
    assert time.monotonic() - began >= 0.29
