"""The index of the catalogue's names: found by words, never by a scan of all names."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphs.understanding.lexicon import fields
from tools.kernel.entities import EntityKind, EntityName, fold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD = re.compile(r"[a-z]+|\d+", re.I)
_KEPT_INDICES = 64
_LARGE = 10_000
"""Names from which on an index takes longer to build (0.1 s) than a sentence should wait."""
_BUILDER = "name index"
_TELLING = 500
"""Names that may hold a word by which an unknown name is likened to them."""
_NEAR = 70.0


class NameView(Protocol):
    """The names that a sentence may use: a tenant's live catalogue, or a file."""

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        """All names of a kind. The same object again means that nothing has changed."""
        ...


def covers(names: NameView, kind: EntityKind) -> bool:
    """False if the catalogue knows nothing of a kind, so that any name must be accepted for it."""
    known = getattr(names, "covers", None)
    return True if known is None else bool(known(kind))


class NameIndex:
    """The names of one kind. Built once for a catalogue's state; every look-up is by key."""

    def __init__(self, names: Sequence[EntityName]) -> None:
        self.names = names
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._words: dict[str, list[int]] = defaultdict(list)
        self._initials: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(names):
            for spelling in (name.name, *name.also):
                self._exact[fold(spelling)].append(number)
            parts = split_name(name.name)
            for part in set(parts):
                self._words[part].append(number)
            letters = [p for p in parts if not p.isdigit()]
            if len(letters) > 1:
                self._initials["".join(p[0] for p in letters)].append(number)
                if len(letters) < len(parts):
                    short = "".join(p if p.isdigit() else p[0] for p in parts)
                    self._initials[short].append(number)
        self._vocabulary = sorted(self._words)
        self._near = _Trigrams([fold(name.name) for name in names])

    def has_word(self, word: str) -> bool:
        """True if a name, or a part of one, is exactly this word."""
        return word in self._words or fold(word) in self._exact

    def exact(self, folded: str) -> list[EntityName]:
        """Names equal but for case, spaces, dashes and underscores."""
        return self._unique(self._exact.get(folded, ()))

    def plural(self, folded: str) -> list[EntityName]:
        """Names that differ by a final `s` only."""
        other = folded[:-1] if folded.endswith("s") else folded + "s"
        return self._unique(self._exact.get(other, ())) if len(other) > 2 else []

    def partial(self, words: Sequence[str]) -> list[EntityName]:
        """Names that hold all these words, or words that begin so, or have these initials."""
        if not words:
            return []
        if any(word in _written() for word in words):
            short = [_written().get(word, word) for word in words]
            if found := self._all_holding(short):
                return found
        if len(words) == 1 and (initials := self._initials.get(words[0])):
            return self._unique(initials)
        return self._all_holding(words)

    def _all_holding(self, words: Sequence[str]) -> list[EntityName]:
        found: set[int] | None = None
        for word in words:
            holding = self._holding(word)
            found = holding if found is None else found & holding
            if not found:
                return []
        return self._unique(sorted(found or ()))

    def sharing(self, words: Sequence[str], limit: int) -> list[EntityName]:
        """Names that hold one of these words; a word that very many names hold tells nothing."""
        found: dict[EntityName, None] = {}
        for word in words:
            holding = self._holding(word)
            if len(holding) <= _TELLING:
                found |= dict.fromkeys(self._unique(sorted(holding)))
        return list(found)[:limit]

    def near(self, text: str, limit: int = 3) -> list[EntityName]:
        """Names that a misspelling may have meant, best first."""
        from rapidfuzz import fuzz

        folded = fold(text)
        if len(folded) < 3:
            return []
        scored: list[tuple[float, int]] = []
        for number in self._near.closest(folded):
            known = fold(self.names[number].name)
            score = fuzz.ratio(folded, known)
            for word in split_name(self.names[number].name):
                if len(word) > 3:
                    score = max(score, fuzz.ratio(folded, word) - 8)
            if score >= _NEAR:
                scored.append((-score, number))
        return self._unique([number for _, number in sorted(scored)[: limit * 2]])[:limit]

    def alike(self, folded: str) -> list[EntityName]:
        """Names that share groups of letters with a folded text, the likeliest first."""
        return self._unique(self._near.closest(folded))

    def _holding(self, word: str) -> set[int]:
        found = set(self._words.get(word, ()))
        if len(word) > 3 and word.endswith("s"):
            found |= set(self._words.get(word[:-1], ()))
        elif len(word) > 2:
            found |= set(self._words.get(word + "s", ()))
        if not found and len(word) > 2 and not word.isdigit():
            start = bisect_left(self._vocabulary, word)
            for known in self._vocabulary[start : start + 200]:
                if not known.startswith(word):
                    break
                found |= set(self._words[known])
        return found

    def _unique(self, numbers: Iterable[int]) -> list[EntityName]:
        return list(dict.fromkeys(self.names[number] for number in numbers))


class _Trigrams:
    """Which names share most groups of three letters with a text."""

    def __init__(self, folded: Sequence[str]) -> None:
        import numpy as np

        self._count = len(folded)
        width = min(max((len(name) for name in folded), default=0), 30) + 2
        padded = "".join(f"\1{name[: width - 2]}\2".ljust(width, "\0") for name in folded)
        letters = np.frombuffer(padded.encode("ascii", "replace"), dtype=np.uint8)
        letters = letters.reshape(self._count, width).astype(np.int32)
        codes = (letters[:, :-2] << 16) | (letters[:, 1:-1] << 8) | letters[:, 2:]
        owners = np.repeat(np.arange(self._count, dtype=np.int32), width - 2)
        flat = codes.ravel()
        kept = (flat & 0xFF) != 0
        flat, owners = flat[kept], owners[kept]
        order = np.argsort(flat, kind="stable")
        self._codes: NDArray[np.int32] = flat[order]
        self._owners: NDArray[np.int32] = owners[order]

    def closest(self, folded: str, limit: int = 40) -> list[int]:
        """Numbers of the names with the most in common, best first."""
        import numpy as np

        if not self._count:
            return []
        raw = f"\1{folded[:30]}\2".encode("ascii", "replace")
        codes = {(raw[i] << 16) | (raw[i + 1] << 8) | raw[i + 2] for i in range(len(raw) - 2)}
        wanted = np.array(sorted(codes), dtype=np.int32)
        starts = np.searchsorted(self._codes, wanted, "left")
        ends = np.searchsorted(self._codes, wanted, "right")
        # A group of letters that very many names hold tells little and would cost much.
        spans = sorted((int(e - s), int(s), int(e)) for s, e in zip(starts, ends, strict=True))
        hits: list[Any] = []
        budget = 60_000
        for size, start, end in spans:
            if size > budget and hits:
                break
            hits.append(self._owners[start:end])
            budget -= size
        owners, counts = np.unique(np.concatenate(hits), return_counts=True) if hits else ([], [])
        best = np.argsort(-np.asarray(counts), kind="stable")[:limit]
        return [int(owners[i]) for i in best]


def _written() -> dict[str, str]:
    """Words for what names write short: `german` for `de`."""
    return fields()["written"]


def split_name(name: str) -> list[str]:
    """The words of a name in lower case: `TicketRouter-2` → ticket, router, 2."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [part.lower() for part in _WORD.findall(spaced)]


def _equal(old: Sequence[EntityName], new: Sequence[EntityName]) -> bool:
    """True if a catalogue was loaded anew with the same names."""
    return bool(new) and len(old) == len(new) and old[-1] == new[-1] and old == new


class IndexCache:
    """The indices of the catalogues used last; what has not changed is not read again.

    Threads may share it. A large index that takes the place of another is built in the background:
    until it is ready the one before answers, so that no sentence waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[int, tuple[Sequence[EntityName], NameIndex]] = OrderedDict()
        self._newest: dict[Hashable, NameIndex] = {}
        self._building: set[Hashable] = set()

    def get(self, names: Sequence[EntityName], owner: Hashable = None) -> NameIndex:
        """The index of this very sequence, or for a while of the one before it.

        Args:
            names: the names.
            owner: whose names of which kind; None for names that never change.
        """
        known = self._known.get(id(names))
        if known is not None and known[0] is names:
            return known[1]
        with self._lock:
            before = self._newest.get(owner)
            if before is None or len(names) < _LARGE:
                return self._kept(names, owner, self._same(names) or NameIndex(names))
            if owner not in self._building:
                self._building.add(owner)
                given = (names, owner)
                threading.Thread(target=self._build, args=given, name=_BUILDER, daemon=True).start()
            return before

    def _build(self, names: Sequence[EntityName], owner: Hashable) -> None:
        try:
            index = self._same(names) or NameIndex(names)
            with self._lock:
                self._kept(names, owner, index)
        finally:
            self._building.discard(owner)

    def _same(self, names: Sequence[EntityName]) -> NameIndex | None:
        """The index of a catalogue that was loaded anew with the same names."""
        kept = list(self._known.values())
        return next((index for old, index in kept if _equal(old, names)), None)

    def _kept(self, names: Sequence[EntityName], owner: Hashable, index: NameIndex) -> NameIndex:
        self._known[id(names)] = (names, index)
        while len(self._known) > _KEPT_INDICES:
            self._known.popitem(last=False)
        if owner is not None:
            self._newest[owner] = index
        return index


class NameWords:
    """The words that names of a catalogue have, as something to ask `in` of."""

    def __init__(self, indices: Sequence[NameIndex]) -> None:
        self._indices = indices

    def __contains__(self, word: str) -> bool:
        return any(index.has_word(word) for index in self._indices)
