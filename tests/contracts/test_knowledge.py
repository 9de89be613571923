"""What every store of passages' vectors does; a new backend joins with one entry in `STORES`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tools.knowledge.chroma import ChromaStore
from tools.knowledge.store import PassageStore

STORES: dict[str, Callable[[Path], PassageStore]] = {"chroma": ChromaStore}


def _vectors(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 384)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class PassageStoreContract:
    """Derive from this, and give `reopen` a way to open the backend on a folder."""

    @pytest.fixture(params=sorted(STORES))
    def reopen(self, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], PassageStore]:
        """Opens the store, or the same one again."""
        return lambda: STORES[request.param](tmp_path / "vectors")

    @pytest.fixture
    def store(self, reopen: Callable[[], PassageStore]) -> Iterator[PassageStore]:
        """An empty store."""
        opened = reopen()
        yield opened
        opened.close()

    def test_the_nearest_come_first_with_their_cosine(self, store: PassageStore) -> None:
        vectors = _vectors(20)
        store.put("t", "doc.md", [f"p{n}" for n in range(20)], vectors)
        found = store.nearest("t", vectors[7], 5)
        assert len(found) == 5
        assert found[0][0] == "p7"
        assert found[0][1] == pytest.approx(1.0, abs=1e-3)
        expected = sorted((vectors @ vectors[7]).tolist(), reverse=True)[:5]
        assert [s for _, s in found] == pytest.approx(expected, abs=1e-3)

    def test_putting_again_overwrites(self, store: PassageStore) -> None:
        first, second = _vectors(1, 1), _vectors(1, 2)
        store.put("t", "doc.md", ["p"], first)
        store.put("t", "doc.md", ["p"], second)
        assert store.ids("t") == {"p"}
        assert store.nearest("t", second[0], 1)[0][1] == pytest.approx(1.0, abs=1e-3)

    def test_removed_passages_are_found_no_more(self, store: PassageStore) -> None:
        vectors = _vectors(3)
        store.put("t", "doc.md", ["a", "b", "c"], vectors)
        store.remove("t", ["a", "c", "never there"])
        assert store.ids("t") == {"b"}
        assert [name for name, _ in store.nearest("t", vectors[0], 3)] == ["b"]

    def test_ids_are_listed_by_document(self, store: PassageStore) -> None:
        store.put("t", "one.md", ["a"], _vectors(1))
        store.put("t", "two.md", ["b", "c"], _vectors(2))
        assert store.ids("t", "two.md") == {"b", "c"}
        assert store.ids("t", "three.md") == set()
        assert store.ids("t") == {"a", "b", "c"}

    def test_tenants_are_apart(self, store: PassageStore) -> None:
        vectors = _vectors(2)
        store.put("mine", "doc.md", ["a"], vectors[:1])
        store.put("yours", "doc.md", ["b"], vectors[1:])
        assert store.ids("mine") == {"a"}
        assert [n for n, _ in store.nearest("mine", vectors[1], 5)] == ["a"]
        store.remove("yours", ["a"])
        assert store.ids("mine") == {"a"}

    def test_an_empty_store_answers(self, store: PassageStore) -> None:
        assert store.ids("t") == set()
        assert store.nearest("t", _vectors(1)[0], 3) == []
        store.remove("t", ["nothing"])

    def test_what_was_put_is_there_after_reopening(
        self, reopen: Callable[[], PassageStore]
    ) -> None:
        vectors = _vectors(2)
        first = reopen()
        first.put("t", "doc.md", ["a", "b"], vectors)
        first.close()
        second = reopen()
        assert second.ids("t") == {"a", "b"}
        assert second.nearest("t", vectors[1], 1)[0][0] == "b"
        second.close()

    def test_threads_may_write_and_ask_at_once(self, store: PassageStore) -> None:
        vectors = _vectors(40)
        failures: list[BaseException] = []

        def work(part: int) -> None:
            try:
                ids = [f"p{part}-{n}" for n in range(10)]
                store.put("t", f"{part}.md", ids, vectors[part * 10 : part * 10 + 10])
                store.nearest("t", vectors[part], 5)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert len(store.ids("t")) == 40


class TestPassageStores(PassageStoreContract):
    """The backends of `STORES`."""
