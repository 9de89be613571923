"""The layers between packages hold, and our generic package names mean our packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]


@lru_cache(maxsize=1)
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def test_layers_hold() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
            "--config",
            str(ROOT / "pyproject.toml"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_composition_root_imports_both_agents_and_servers() -> None:
    graph = _graph()
    both = {
        module
        for module in graph.modules
        if {"agents", "mcp_servers"}
        <= {
            imported.partition(".")[0]
            for imported in graph.find_modules_directly_imported_by(module)
        }
    }
    outside = {
        module for module in both if module.partition(".")[0] not in {"agents", "mcp_servers"}
    }
    assert outside <= {"graphs.assistant"}


@pytest.mark.parametrize("name", PACKAGES)
def test_package_name_resolves_to_this_repository(name: str, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, sys;"
        "spec = u.find_spec(sys.argv[1]);"
        "print(spec.origin if spec else 'not found')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, name],  # as installed: no PYTHONPATH, no current folder
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(ROOT / name / "__init__.py")


def test_every_package_with_sources_is_in_the_wheel_the_layers_and_the_coverage() -> None:
    shipped: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert shipped == PACKAGES == PROJECT["tool"]["coverage"]["run"]["source"]
    beside = {"benchmarks", "deploy", "docs", "scripts", "tests"}
    found = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if not path.parent.name.startswith(".")
    }
    assert found - beside <= set(PACKAGES)


def test_no_module_of_a_door_is_named_after_a_library() -> None:
    libraries = {"mcp", "chainlit", "fastapi", "typer", "rich", "langgraph", "chromadb", "mlflow"}
    assert not {path.stem for path in (ROOT / "ui").glob("*.py")} & libraries
