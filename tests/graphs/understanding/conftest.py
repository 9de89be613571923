from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns
from graphs.understanding.parsed import ParsedPlan
from tools.catalog import load_operations
from tools.kernel.embedding import get_embedder

Says = Callable[..., ParsedPlan]
"""The plan after the last of some turns of one conversation."""
CATALOGUE = Path(__file__).parents[3] / "evals" / "datasets" / "ops_catalogue.json"


@pytest.fixture(scope="session")
def understanding() -> Understanding:
    return Understanding(load_operations(), get_embedder())


@pytest.fixture(scope="session")
def names() -> FileNames:
    return FileNames(json.loads(CATALOGUE.read_text()))


@pytest.fixture
def says(understanding: Understanding, names: FileNames) -> Says:
    return lambda *turns: parse_turns(list(turns), understanding, names)
