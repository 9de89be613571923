"""Homes with real platform processes, and a small data file to train on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.people import Person
from tests.ui.homes import Home

TOPICS = {
    "billing": "invoice refund receipt payment price discount charge voucher",
    "login": "password username lockout code session login account token",
    "shipping": "parcel courier delivery warehouse shipment postage customs tracking",
}
FRAMES = (
    "My {} has been wrong since {}",
    "Please help with the {} from {}",
    "The {} has not worked since {}, what now?",
)
DAYS = ("Monday", "Easter", "the update", "March", "yesterday", "noon", "the weekend", "June")


@pytest.fixture(scope="session")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy-two short texts in three classes."""
    path = tmp_path_factory.mktemp("data") / "mails.jsonl"
    rows = [
        {"text": frame.format(word, DAYS[(number + 3 * turn) % 8]), "label": label}
        for label, words in TOPICS.items()
        for number, word in enumerate(words.split())
        for turn, frame in enumerate(FRAMES)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def person(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """The owner of a home that a module's tests share; its platform starts when it is needed."""
    path = tmp_path_factory.mktemp("journey") / "home"
    shutil.copytree(template_home, path)
    shutil.rmtree(path / "keys", ignore_errors=True)
    (path / "audit.head").unlink(missing_ok=True)
    made = Person(Home(path))
    yield made
    made.leave()
