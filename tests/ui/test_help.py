"""The command line answers at once and in words."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ui.home import VERSION

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "alembic",
    "autogen_agentchat",
    "chromadb",
    "dbos",
    "fastapi",
    "langgraph",
    "mcp",
    "mlflow",
    "numpy",
    "prompt_toolkit",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "torch",
    "uvicorn",
}


def _modules_after(words: list[str]) -> set[str]:
    code = (
        "import sys, json; from ui.cli import main; code = main(json.loads(sys.argv[1]));"
        "print('MODULES', json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, cwd=ROOT
    )
    line = next(x for x in done.stdout.splitlines() if x.startswith("MODULES "))
    return {name.partition(".")[0] for name in json.loads(line.removeprefix("MODULES "))}


@pytest.mark.parametrize(
    "words", [["--help"], ["ask", "--help"], ["approvals", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    assert not HEAVY & _modules_after(words)


def test_help_names_every_command_and_the_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0
    expected = "ask parse chat call jobs approvals undo audit receipts models mcp doctor"
    for command in f"{expected} up down status logs users".split():
        assert f"\n  {command} " in done.stdout
    assert "3 needs an approval" in done.stdout


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
