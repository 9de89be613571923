"""The version that a model card names says whether the code was that of its commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.training import environment


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one module, committed."""
    (tmp_path / "code.py").write_text("a = 1\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    monkeypatch.setattr(environment, "code_commit", environment.code_commit.__wrapped__)
    monkeypatch.setattr(environment, "code_version", environment.code_version.__wrapped__)
    return tmp_path


def test_code_that_was_changed_since_its_commit_is_marked(checkout: Path) -> None:
    clean = environment.code_version()
    assert environment.code_commit()[:12] in clean
    assert "not committed" not in clean
    (checkout / "notes.txt").write_text("no code")
    assert environment.code_version() == clean
    (checkout / "more.py").write_text("b = 2\n")
    assert environment.code_version() == clean.removesuffix(")") + (
        ", with changes that are not committed)"
    )
