"""Slips of the finger in names: `tikcet-router` is read as `ticket-router`, a sibling never is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from graphs.understanding.clause import Mention
from graphs.understanding.names import NameIndex, split_name
from graphs.understanding.text import Token
from graphs.understanding.written import ATTACHED, read_version
from tools.kernel.entities import EntityKind, EntityName, fold

_SHORTEST, _LONG = 5, 9
"""From how many letters on one edit is a slip, and two are."""
_SHORTEST_PART = 4

KINDS = (
    EntityKind.MODEL,
    EntityKind.DATASET,
    EntityKind.DEVICE_GROUP,
    EntityKind.DEVICE,
    EntityKind.DOCUMENT,
    EntityKind.SCHEDULE,
)


def slip_of(said: str, index: NameIndex, ordinary: Collection[str]) -> EntityName | None:
    """The one name that a text can only be a misspelling of; None if there is no such name.

    One edit (a letter more, less, other, or two that changed places: the Damerau-Levenshtein
    distance) in names of 5 letters and more, two in those of 9 and more. No other name may be
    within one edit more, numbers and first letters must be right, and a part that differs must not
    be a word of its own: `phones-east` is no slip of `phones-west`.

    Args:
        said: what was written.
        index: the names of one kind.
        ordinary: words that mean something by themselves.
    """
    from rapidfuzz.distance import OSA

    folded = fold(said)
    if len(folded) < _SHORTEST:
        return None
    allowed = 2 if len(folded) >= _LONG else 1
    near = [
        (distance, name)
        for name in index.alike(folded)
        if (distance := OSA.distance(folded, fold(name.name), score_cutoff=allowed + 1))
        <= allowed + 1
    ]
    if not near:
        return None
    distance, name = min(near, key=lambda pair: pair[0])
    alone = all(other == name or far > distance + 1 for far, other in near)
    return name if distance <= allowed and alone and _plausible(said, name.name, ordinary) else None


def _plausible(said: str, name: str, ordinary: Collection[str]) -> bool:
    """True if what differs is a slip and not another word or number."""
    from rapidfuzz.distance import OSA

    left, right = split_name(said), split_name(name)
    if [p for p in left if p.isdigit()] != [p for p in right if p.isdigit()]:
        return False
    if len(left) != len(right):
        return _same_start(fold(said), fold(name)) and not set(left) <= set(ordinary)
    return all(
        len(known) >= _SHORTEST_PART
        and written not in ordinary
        and _same_start(written, known)
        and (len(known) >= _LONG or OSA.distance(written, known) < 2)
        for written, known in zip(left, right, strict=True)
        if written != known
    )


def _same_start(written: str, known: str) -> bool:
    return written[:1] == known[:1] or written[:2] == known[1::-1]


def cut_short(said: Sequence[Token], name: str) -> bool:
    """True for `tomas` where `tomasz` is known: a letter or two left out, and no short form.

    Args:
        said: the words that name something.
        name: the name that begins so.
    """
    known = split_name(name)
    for word in (part for token in said for part in split_name(token.low)):
        whole = {word, f"{word}s", word.removesuffix("s")} & set(known)
        begun = [k for k in known if k.startswith(word) and len(k) - len(word) <= _LEFT_OUT]
        if not whole and begun and len(word) >= _SHORTEST_PART:
            return True
    return False


_LEFT_OUT = 2


def slips(
    tokens: Sequence[Token],
    taken: Sequence[Mention],
    index_of: Callable[[EntityKind], NameIndex | None],
    ordinary: frozenset[str],
) -> list[Mention]:
    """Every word, or two that make one name, that can only be a slip of one name of a kind.

    Args:
        tokens: the words.
        taken: what names something already.
        index_of: the index of a kind's names; None for a kind without names.
        ordinary: words that mean something by themselves.
    """
    used = {i for m in taken for i in range(m.start, m.end)}
    found: list[Mention] = []
    for at, token in enumerate(tokens):
        if at in used or token.kind != "word" or token.low in ordinary:
            continue
        spans = [span for span in ((at, at + 1), (at - 1, at + 1), (at, at + 2)) if span[0] >= 0]
        for start, end in spans:
            part = tokens[start:end]
            if end > len(tokens) or used & set(range(start, end)):
                continue
            if any(t.kind != "word" for t in part):
                continue
            own = _of_any_kind(start, end, "-".join(t.low for t in part), index_of, ordinary)
            if own:
                found += own
                used |= set(range(start, end))
                break
    return found


def _of_any_kind(
    start: int,
    end: int,
    said: str,
    index_of: Callable[[EntityKind], NameIndex | None],
    ordinary: frozenset[str],
) -> list[Mention]:
    found: list[Mention] = []
    for kind in KINDS:
        index = index_of(kind)
        if index is None or index.has_word(said):
            continue
        version = ATTACHED.match(said) if kind is EntityKind.MODEL else None
        if name := slip_of(version["name"] if version else said, index, ordinary):
            written = (version["at"] or version["v"] or version["n"]) if version else None
            found.append(Mention(kind, start, end, (name,), "slip", read_version(written or "")))
    return found
