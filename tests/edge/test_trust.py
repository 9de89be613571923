"""Keys that are replaced, end, or were never the platform's."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.errors import Refused
from edge.trust import KEYS_PREFIX, Trust
from edge.wire import Desired
from tests.edge.bundle import KEY, PLATFORM_KEY, Shelf, TestDevice

FRESH = Ed25519PrivateKey.generate()


def pem(key: Ed25519PrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def listing(
    serial: int, signer: Ed25519PrivateKey = KEY, *, old_ends: float = 1e6, **more: Any
) -> tuple[bytes, bytes]:
    """A document that replaces KEY by FRESH, and its signature."""
    keys = [
        {"pem": pem(FRESH), "expires": None},
        {"pem": pem(KEY), "expires": time.time() + old_ends},
    ]
    data = {"serial": serial, "issued": time.time(), "keys": keys, **more}
    document = json.dumps(data).encode()
    return document, base64.b64encode(signer.sign(KEYS_PREFIX + document))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return Shelf(folder)


@pytest.fixture
def device(tmp_path: Path, shelf: Shelf) -> TestDevice:
    return TestDevice(tmp_path / "device", shelf)


def apply(device: TestDevice, generation: int, *models: Any) -> None:
    device.updater.apply(Desired(generation, models), lambda: None)


def test_a_new_key_is_trusted_once_the_old_one_says_so(device: TestDevice, shelf: Shelf) -> None:
    wanted = shelf.add(1, key=FRESH)
    with pytest.raises(Refused, match="not of a key"):
        apply(device, 1, wanted)
    assert device.trust.adopt(*listing(1))
    apply(device, 1, wanted)
    assert device.label() == ("login", 1)


def test_a_replaced_key_outlives_a_restart(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    device.trust.adopt(*listing(1))
    apply(TestDevice(tmp_path / "device", shelf), 1, shelf.add(1, key=FRESH))


def test_an_expired_key_brings_nothing_new_and_takes_nothing_away(
    tmp_path: Path, device: TestDevice, shelf: Shelf
) -> None:
    apply(device, 1, shelf.add(1))
    device.trust.adopt(*listing(1, old_ends=-1))
    with pytest.raises(Refused, match="expired"):
        apply(device, 2, shelf.add(2, shift=1))
    again = TestDevice(tmp_path / "device", shelf)
    assert again.updater.restore() is None
    assert again.label() == ("login", 1)


def test_a_clock_that_is_set_back_does_not_bring_a_key_back(
    device: TestDevice, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.trust.adopt(*listing(1, old_ends=-1))
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    with pytest.raises(Refused, match="expired"):
        apply(device, 1, shelf.add(1))


def test_a_list_that_a_stranger_signed_is_refused() -> None:
    trust = Trust(PLATFORM_KEY.decode())
    with pytest.raises(Refused):
        trust.adopt(*listing(1, FRESH))
    with pytest.raises(Refused):
        trust.adopt(b"{}", b"no signature")


def test_an_older_list_is_not_taken_again() -> None:
    trust = Trust(PLATFORM_KEY.decode())
    assert trust.adopt(*listing(2))
    assert not trust.adopt(*listing(1, old_ends=1e9))
    assert trust.serial == 2


@pytest.mark.parametrize("more", [{"keys": []}, {"keys": [{}]}, {"issued": "x"}, {"keys": None}])
def test_a_malformed_list_changes_nothing(more: dict[str, Any]) -> None:
    trust = Trust(PLATFORM_KEY.decode())
    with pytest.raises(Refused, match="malformed"):
        trust.adopt(*listing(5, **more))
    assert trust.serial == 0
