"""A device keeps a working model whatever arrives and wherever it is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import NoModel, Refused, Superseded, Unreachable
from edge.wire import Assignment, Desired
from tests.edge.bundle import Shelf, TestDevice


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture
def device(tmp_path: Path, shelf: Shelf) -> TestDevice:
    return TestDevice(tmp_path / "device", shelf)


def go_on() -> None:
    """Nothing newer is desired."""


def serve(generation: int, *models: Assignment) -> Desired:
    return Desired(generation, models)


def test_a_bundle_is_fetched_verified_warmed_up_and_served(
    device: TestDevice, shelf: Shelf
) -> None:
    with pytest.raises(NoModel):
        device.label()
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    assert device.label() == ("login", 1)
    assert device.label("where is my parcel") == ("shipping", 1)


def test_a_rollback_needs_no_download(device: TestDevice, shelf: Shelf) -> None:
    first, second = shelf.add(1), shelf.add(2, shift=1)
    device.updater.apply(serve(1, first), go_on)
    device.updater.apply(serve(2, second), go_on)
    assert device.label() == ("shipping", 2)
    shelf.sent.clear()
    device.updater.apply(serve(3, first), go_on)
    assert device.label() == ("login", 1)
    assert not shelf.sent


def test_a_device_can_be_put_back_to_no_model(device: TestDevice, shelf: Shelf) -> None:
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    device.updater.apply(serve(2), go_on)
    with pytest.raises(NoModel):
        device.label()


def test_a_download_goes_on_at_the_byte_where_it_was_cut(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    wanted = shelf.add(1, padding=100_000)
    shelf.cut_after = 60_000
    with pytest.raises(Unreachable):
        device.updater.apply(serve(1, wanted), go_on)
    shelf.cut_after = None
    shelf.sent.clear()
    again = TestDevice(tmp_path / "device", shelf)  # as after a power cut
    again.updater.apply(serve(1, wanted), go_on)
    assert again.label() == ("login", 1)
    size = shelf.path(wanted.bundle, "model.onnx").stat().st_size
    assert shelf.sent["model.onnx"] == size - 60_000


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json", "manifest.sig"])
def test_an_altered_file_is_refused_and_the_old_model_serves_on(
    device: TestDevice, shelf: Shelf, name: str
) -> None:
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    wanted = shelf.add(2, shift=1)
    path = shelf.path(wanted.bundle, name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused):
        device.updater.apply(serve(2, wanted), go_on)
    assert device.label() == ("login", 1)
    assert device.slots.pointer().generation == 1


def test_a_bundle_signed_by_another_key_is_refused(device: TestDevice, shelf: Shelf) -> None:
    wanted = shelf.add(1, key=Ed25519PrivateKey.generate())
    with pytest.raises(Refused, match="signature"):
        device.updater.apply(serve(1, wanted), go_on)
    assert "model.onnx" not in shelf.sent


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"golden": [{"text": "my password", "label": "billing"}]}, "golden"),
        ({"memory_mb": 4000}, "4000 MB"),
        ({"runtime": "tflite"}, "runtime"),
        ({"version": 9}, "v9"),
        ({"labels": ["one"]}, "does not run"),
        ({"files": {"../../escape": {"sha256": "0" * 64, "size": 1}}}, "unsafe"),
    ],
)
def test_a_bundle_that_does_not_fit_or_misbehaves_is_refused(
    device: TestDevice, shelf: Shelf, changes: dict[str, object], told: str
) -> None:
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    with pytest.raises(Refused, match=told):
        device.updater.apply(serve(2, shelf.add(2, shift=1, changes=changes)), go_on)
    assert device.label() == ("login", 1)


def test_work_stops_when_something_newer_is_desired(device: TestDevice, shelf: Shelf) -> None:
    def stop() -> None:
        raise Superseded("newer")

    with pytest.raises(Superseded):
        device.updater.apply(serve(1, shelf.add(1)), stop)
    assert device.slots.pointer().generation == 0


def test_after_a_restart_the_same_model_serves_without_a_server(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    device.updater.apply(serve(2, shelf.add(2, shift=1)), go_on)
    again = TestDevice(tmp_path / "device", shelf)
    assert again.updater.restore() is None
    assert again.label() == ("shipping", 2)


def test_after_a_restart_with_a_damaged_slot_the_last_good_model_serves(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    second = shelf.add(2, shift=1)
    device.updater.apply(serve(1, shelf.add(1)), go_on)
    device.updater.apply(serve(2, second), go_on)
    slot = device.slots.find(second.bundle)
    assert slot is not None
    model = bytearray((slot / "model.onnx").read_bytes())
    model[-1] ^= 1
    (slot / "model.onnx").write_bytes(model)
    again = TestDevice(tmp_path / "device", shelf)
    assert "altered" in (again.updater.restore() or "")
    assert again.label() == ("login", 1)
    again.updater.apply(serve(3, second), go_on)
    assert again.label() == ("shipping", 2)


def test_the_slot_in_use_is_never_written(device: TestDevice, shelf: Shelf) -> None:
    models = [shelf.add(n, shift=n) for n in (1, 2, 3, 4)]
    for generation, wanted in enumerate(models, 1):
        before = {a.assignment.bundle for a in device.runtime.arms}
        device.updater.apply(serve(generation, wanted), go_on)
        held = {c.bundle for c in device.slots.content().values() if c}
        assert before | {wanted.bundle} == held


def test_a_staged_model_is_ready_but_not_served(device: TestDevice, shelf: Shelf) -> None:
    first, second = shelf.add(1), shelf.add(2, shift=1)
    device.updater.apply(serve(1, first), go_on)
    device.updater.apply(Desired(2, (first,), (second,)), go_on)
    assert device.label() == ("login", 1)
    assert device.runtime.prepared == [second.bundle]
    shelf.sent.clear()
    device.updater.apply(serve(3, second), go_on)
    assert device.label() == ("shipping", 2)
    assert not shelf.sent and not device.runtime.prepared


def test_a_split_is_sticky_and_near_its_weights(device: TestDevice, shelf: Shelf) -> None:
    first, second = shelf.add(1), shelf.add(2, shift=1)
    arms = (
        Assignment(first.bundle, "router", 1, 80),
        Assignment(second.bundle, "router", 2, 20),
    )
    device.updater.apply(serve(1, *arms), go_on)
    picked = [device.label(key=f"user-{n}")[1] for n in range(400)]
    assert picked == [device.label(key=f"user-{n}")[1] for n in range(400)]
    assert 50 < picked.count(2) < 110
