"""The index of names while the catalogue changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from graphs.understanding import names
from graphs.understanding.link import Linker
from tools.kernel.entities import EntityKind, EntityName


class Changing:
    """A catalogue of many datasets that changes, as a tenant's live one does."""

    owner = "tenant"

    def __init__(self, size: int) -> None:
        self.listed = tuple(EntityName(f"mails-{n:06d}") for n in range(size))

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        return self.listed if kind is EntityKind.DATASET else ()


def test_no_sentence_waits_for_a_large_index_that_is_built_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linker, catalogue, go = Linker(), Changing(20_000), threading.Event()
    first = linker.index(EntityKind.DATASET, catalogue)

    def slow(listed: Sequence[EntityName]) -> names.NameIndex:
        assert go.wait(30)
        return whole(listed)

    whole = names.NameIndex
    monkeypatch.setattr(names, "NameIndex", slow)
    catalogue.listed = (*catalogue.listed, EntityName("fresh"))
    assert linker.index(EntityKind.DATASET, catalogue) is first
    assert first.exact("mails000007") and not first.exact("fresh")
    go.set()
    for thread in threading.enumerate():
        if thread.name == "name index":
            thread.join(30)
    assert linker.index(EntityKind.DATASET, catalogue).exact("fresh")


def test_a_small_catalogue_is_known_anew_at_once() -> None:
    linker, catalogue = Linker(), Changing(100)
    linker.index(EntityKind.DATASET, catalogue)
    catalogue.listed = (*catalogue.listed, EntityName("fresh"))
    assert linker.index(EntityKind.DATASET, catalogue).exact("fresh")
