"""Settings come from the environment, and what is wrong in it is named."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tools.kernel.errors import InvalidInput, Unavailable
from tools.kernel.kernel import Kernel
from tools.kernel.keys import Keys
from tools.kernel.operations import OperationSet
from tools.kernel.settings import Settings


def test_a_setting_is_read_from_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path / "x" / ".." / "h"))
    monkeypatch.setenv("PILOTHOUSE_THREADS", "4")
    settings = Settings()
    assert (settings.home, settings.threads) == (tmp_path / "h", 4)
    assert settings.database == f"sqlite:///{tmp_path}/h/pilothouse.db"


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    monkeypatch.setenv("PILOTHOUSE_HOME", "")
    monkeypatch.setenv("PILOTHOUSE_MODEL", "")
    settings = Settings()
    assert settings.home == Path.home() / ".pilothouse"
    assert settings.model is None


def test_what_is_wrong_is_named_without_its_value(monkeypatch):
    monkeypatch.setenv("PILOTHOUSE_PORT", "secret-99999999")
    monkeypatch.setenv("PILOTHOUSE_THREADS", "0")
    with pytest.raises(InvalidInput) as wrong:
        Settings()
    told = str(wrong.value)
    assert "PILOTHOUSE_PORT" in told
    assert "PILOTHOUSE_THREADS" in told
    assert "99999999" not in told


def test_no_secret_has_a_default_and_none_is_shown(monkeypatch):
    assert Settings().model_key is None
    monkeypatch.setenv("PILOTHOUSE_MODEL_KEY", "sk-very-secret")
    assert "very-secret" not in repr(Settings())


def test_a_home_is_the_owners_alone(tmp_path):
    kernel = Kernel(Settings(home=tmp_path / "h"), OperationSet())
    kernel.keys.seal("x")
    kernel.keys.signing()
    kernel.stop()
    for path in (tmp_path / "h", tmp_path / "h" / "keys"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for key in (tmp_path / "h" / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_home_that_is_a_file_is_told(tmp_path):
    (tmp_path / "h").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        Kernel(Settings(home=tmp_path / "h"), OperationSet())


def test_a_damaged_database_is_told(tmp_path):
    (tmp_path / "pilothouse.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Unavailable, match="could not be used"):
        Kernel(Settings(home=tmp_path), OperationSet())


def test_a_database_of_a_newer_version_is_told(home):
    import sqlite3

    with sqlite3.connect(home / "pilothouse.db") as raw:
        raw.execute("insert into ph_schema_version values ('kernel_9999')")
    raw.close()
    with pytest.raises(Unavailable, match="does not fit this version"):
        Kernel(Settings(home=home), OperationSet())


def test_keys_are_made_once_and_differ_between_homes(tmp_path):
    one, again, other = Keys(tmp_path / "a"), Keys(tmp_path / "a"), Keys(tmp_path / "b")
    assert one.seal("x") == again.seal("x") != other.seal("x")
    assert one.public_pem() == again.public_pem() != other.public_pem()
    assert [p.name for p in (tmp_path / "a").iterdir() if p.name.startswith(".")] == []


def test_a_seal_covers_its_parts_and_their_borders(tmp_path):
    keys = Keys(tmp_path)
    seals = {keys.seal(*p) for p in [("a", "b"), ("ab",), ("a", "b", ""), ("a\x1fb",), ("b", "a")]}
    assert len(seals) == 5
    assert keys.sealed(keys.seal("a"), "a")
    assert not keys.sealed(None, "a")
    assert not keys.sealed("", "a")


def test_a_damaged_key_is_told_and_seals_nothing(tmp_path):
    (tmp_path / "seal.key").write_bytes(b"")
    with pytest.raises(Unavailable, match="damaged"):
        Keys(tmp_path).seal("x")
