"""Which words of a sentence name which things of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause, Mention
from graphs.understanding.lexicon import words
from graphs.understanding.names import IndexCache, NameIndex, NameView, split_name
from graphs.understanding.slips import slips
from graphs.understanding.text import Token
from graphs.understanding.written import ATTACHED, read_version
from tools.kernel.entities import EntityKind, EntityName, fold

_LONGEST = 6
_SHOWN = 5
_UNNUMBERED = (
    EntityKind.JOB,
    EntityKind.RECEIPT,
    EntityKind.MODEL_VERSION,
    EntityKind.ROLLOUT,
    EntityKind.SCHEDULE,
)
ALIASES = ("champion", "challenger", "staging")


_WHERE = frozenset(["in", "of", "at", "from", "the", "our"])


class Linker:
    """Finds names. Keeps the indices of the catalogues used last and nothing else.

    Args:
        ordinary: words that are no misspelt names; without them nothing is taken for one.
    """

    def __init__(self, ordinary: frozenset[str] = frozenset()) -> None:
        self._cache = IndexCache()
        self._ordinary = ordinary

    def index(self, kind: EntityKind, names: NameView) -> NameIndex:
        """The index of a kind's names."""
        owner = getattr(names, "owner", None)
        return self._cache.get(names.names(kind), None if owner is None else (kind, owner))

    def mentions(self, tokens: Sequence[Token], names: NameView) -> list[Mention]:
        """Every naming of a thing: the longest at each place, for each kind by itself."""
        found: list[Mention] = []
        for kind in EntityKind:
            if kind is EntityKind.MODEL_VERSION or not names.names(kind):
                continue
            if kind is EntityKind.JOB:
                found.extend(self._jobs(tokens, self.index(kind, names)))
                continue
            found.extend(self._of_kind(kind, tokens, self.index(kind, names)))
        found += self._by_parts(tokens, found, names)
        if self._ordinary:
            found += slips(tokens, found, lambda kind: self._known(kind, names), self._ordinary)
        return _without_covered(found)

    def _known(self, kind: EntityKind, names: NameView) -> NameIndex | None:
        return self.index(kind, names) if names.names(kind) else None

    def _jobs(self, tokens: Sequence[Token], index: NameIndex) -> list[Mention]:
        """Numbers that are jobs and can hardly be anything else: `17 came out nice`."""
        found: list[Mention] = []
        for at, token in enumerate(tokens):
            before = tokens[at - 1].low if at else ""
            after = tokens[at + 1].low if at + 1 < len(tokens) else ""
            sole = before in _BEFORE_JOB or not before
            going_on = not after or after in _AFTER_JOB
            if token.kind != "number" or not sole or not going_on:
                continue
            if exact := index.exact(token.low):
                found.append(Mention(EntityKind.JOB, at, at + 1, tuple(exact)))
        return found

    def _by_parts(
        self, tokens: Sequence[Token], found: list[Mention], names: NameView
    ) -> list[Mention]:
        """Two words or more that only one name holds: `the rollback runbook`."""
        taken = {i for m in found for i in range(m.start, m.end)}
        parts: list[Mention] = []
        for kind in _BY_PARTS:
            if not names.names(kind):
                continue
            index = self.index(kind, names)
            for at in range(len(tokens) - 1):
                for size in (_over_small(tokens, at, kind), 3, 2):
                    span = range(at, min(at + size, len(tokens)))
                    if len(span) < max(size, 2) or taken & set(span):
                        continue
                    said = [tokens[i] for i in span if size <= 3 or tokens[i].low not in _WHERE]
                    if any(t.kind != "word" or t.low in _NO_PART for t in said):
                        continue
                    if not all(
                        index.has_word(t.low.removesuffix("s")) or index.has_word(t.low)
                        for t in said
                    ):
                        continue
                    holding = index.partial([p for t in said for p in split_name(t.low)])
                    if len(holding) == 1:
                        parts.append(Mention(kind, at, at + size, tuple(holding), "partial"))
                        taken |= set(span)
                        break
        return parts

    def misspelt(
        self,
        tokens: Sequence[Token],
        taken: Sequence[Mention],
        known: frozenset[str],
        names: NameView,
    ) -> list[Mention]:
        """Words that look like a slip of one name. Only for the router: they name nothing."""
        used = {i for m in taken for i in range(m.start, m.end)}
        found: list[Mention] = []
        for at, token in enumerate(tokens):
            if at in used or token.kind != "word" or len(token.low) < _SHORTEST:
                continue
            if headed := self._headed(tokens, at, names):
                found.append(headed)
                continue
            if token.low.endswith("s") and self._names_groups(token.low, names):
                found.append(Mention(EntityKind.DEVICE_GROUP, at, at + 1, (), "partial"))
                continue
            if token.low in known or len(token.low) <= _SHORTEST:
                continue
            for kind in _MISSPELT:
                if names.names(kind) and (near := self.index(kind, names).near(token.low, 1)):
                    found.append(Mention(kind, at, at + 1, tuple(near), "partial"))
                    break
        return found

    def _headed(self, tokens: Sequence[Token], at: int, names: NameView) -> Mention | None:
        """`the invoice model`: a part of names before what they name."""
        head = tokens[at + 1].low if at + 1 < len(tokens) else ""
        kind = _HEADED.get(head)
        if kind is None or tokens[at].low in words("words", "stop") or not names.names(kind):
            return None
        return (
            Mention(kind, at, at + 2, (), "partial")
            if self.index(kind, names).has_word(tokens[at].low)
            else None
        )

    def _names_groups(self, word: str, names: NameView) -> bool:
        """True for the `servers` of `servers-emea`, in the plural, which name groups."""
        if word in words("words", "stop"):
            return False
        return self.index(EntityKind.DEVICE_GROUP, names).has_word(word)

    def partial(self, kind: EntityKind, text: Sequence[Token], names: NameView) -> list[EntityName]:
        """Things that part of a name, its beginning or its initials may mean."""
        parts = [part for token in text for part in split_name(token.low)]
        index = self.index(kind, names)
        joined = fold("".join(token.low for token in text))
        return index.exact(joined) or index.plural(joined) or index.partial(parts)

    def near(self, kind: EntityKind, text: str, names: NameView) -> list[EntityName]:
        """Things whose names are spelt nearly so."""
        return self.index(kind, names).near(text)

    def akin(self, kind: EntityKind, text: Sequence[Token], names: NameView) -> list[EntityName]:
        """Things whose names share a word with an unknown one: `tills-north` for `tills-west`."""
        parts = [p for token in text for p in split_name(token.low) if len(p) > 2]
        return self.index(kind, names).sharing(parts, _SHOWN)

    def _of_kind(
        self, kind: EntityKind, tokens: Sequence[Token], index: NameIndex
    ) -> list[Mention]:
        found: list[Mention] = []
        at = 0
        while at < len(tokens):
            mention = self._longest(kind, tokens, at, index)
            if mention is None:
                at += 1
            else:
                found.append(mention)
                at = mention.end
        return found

    def _longest(
        self, kind: EntityKind, tokens: Sequence[Token], at: int, index: NameIndex
    ) -> Mention | None:
        for end in range(min(at + _LONGEST, len(tokens)), at, -1):
            part = tokens[at:end]
            if any(t.kind == "punctuation" and t.low not in "-_." for t in part):
                continue
            if part[0].kind == "punctuation" or part[-1].kind == "punctuation":
                continue
            if part[0].low in words("words", "determiners"):
                continue
            folded = fold("".join(token.low for token in part).removesuffix("'s"))
            if folded.isdigit() and kind in (*_UNNUMBERED, EntityKind.DOCUMENT):
                continue
            if len(part) == 1 and part[0].low in words("words", "prepositions"):
                continue
            if exact := index.exact(folded):
                return Mention(kind, at, end, tuple(exact))
            if end == at + 1:
                return self._attached(kind, part[0], at, index) or self._plural(
                    kind, folded, at, index
                )
        return None

    def _plural(self, kind: EntityKind, folded: str, at: int, index: NameIndex) -> Mention | None:
        if folded in words("words", "stop") or not (found := index.plural(folded)):
            return None
        return Mention(kind, at, at + 1, tuple(found), "plural")

    def _attached(
        self, kind: EntityKind, token: Token, at: int, index: NameIndex
    ) -> Mention | None:
        if kind is EntityKind.DATASET:
            return _dataset_version(token, at, index)
        match = ATTACHED.match(token.low) if kind is EntityKind.MODEL else None
        if match is None:
            return None
        found = index.exact(fold(match["name"]))
        how = "exact"
        if not found:
            found, how = index.partial(split_name(match["name"])), "partial"
        if not found:
            return None
        written = match["at"] or match["v"] or match["n"]
        version = read_version(written)
        return Mention(kind, at, at + 1, tuple(found), how, version)  # type: ignore[arg-type]


def _dataset_version(token: Token, at: int, index: NameIndex) -> Mention | None:
    """`tickets@2`: a version of a dataset is named with its number."""
    name, mark, version = token.low.partition("@")
    found = index.exact(fold(name)) if mark and version.removeprefix("v").isdigit() else []
    if len(found) != 1:
        return None
    named = EntityName(f"{found[0].name}@{version.removeprefix('v')}")
    return Mention(EntityKind.DATASET, at, at + 1, (named,))


_BY_PARTS = (
    EntityKind.MODEL,
    EntityKind.DATASET,
    EntityKind.DOCUMENT,
    EntityKind.DEVICE_GROUP,
    EntityKind.SCHEDULE,
)
_BEFORE_JOB = frozenset(
    ["is", "how", "how's", "what's", "let", "pause", "resume", "hold", "cancel", "kill", "stop",
     "abort", "register", "did", "has",
     "on", "end", "why", "terminate", "halt", "evaluate", "and", "about", "for", "of", "with", ","]
)  # fmt: skip
_AFTER_JOB = frozenset(
    ["is", "still", "done", "came", "doing", "finished", "going", "running", "looks", "look", "was",
     "has", "finish", "fail", "failed", "stuck", "ready", "please", "now", "?", "as", "yet",
     "getting", "coming", "over", "up", "through", "turned", "chewing", "alive", "dead", "ok",
     "and", ",", "&", "go", "run", "continue", "carry", "proceed", "rest"]
)  # fmt: skip
_SHORTEST = 4
_HEADED = {
    "model": EntityKind.MODEL,
    "classifier": EntityKind.MODEL,
    "dataset": EntityKind.DATASET,
    "data": EntityKind.DATASET,
}
_MISSPELT = (
    EntityKind.MODEL,
    EntityKind.DEVICE_GROUP,
    EntityKind.DATASET,
    EntityKind.DEVICE,
    EntityKind.USER,
)
_NO_PART = words("words", "determiners") | words("words", "prepositions")


def version_names(model: str, names: NameView) -> list[EntityName]:
    """The versions of a model that the catalogue knows, newest first."""
    own = _versions(names).get(model, ())
    return sorted(own, key=lambda n: -int(n.name) if n.name.isdigit() else 0)


def resolve_alias(model: str, alias: str, names: NameView) -> int | None:
    """The version that an alias of a model points at, if the catalogue tells."""
    for entry in _versions(names).get(model, ()):
        if alias in entry.also and entry.name.isdigit():
            return int(entry.name)
    return None


class _Versions:
    """The versions of the catalogue used last, by model."""

    def __init__(self) -> None:
        self.kept: tuple[Sequence[EntityName], dict[str, list[EntityName]]] = ((), {})


_last = _Versions()


def _versions(names: NameView) -> dict[str, list[EntityName]]:
    listed = names.names(EntityKind.MODEL_VERSION)
    seen, found = _last.kept
    if seen is not listed:
        found = {}
        for entry in listed:
            found.setdefault(entry.of or "", []).append(entry)
        _last.kept = (listed, found)
    return found


def link(clause: Clause, linker: Linker, names: NameView) -> None:
    """Fill a clause's mentions."""
    clause.mentions = linker.mentions(clause.tokens, names)


def _without_covered(found: list[Mention]) -> list[Mention]:
    """Mentions that no longer mention of another kind covers."""
    return [
        m
        for m in found
        if not any(
            o.start <= m.start and m.end <= o.end and (o.end - o.start) > (m.end - m.start)
            for o in found
        )
        and not (
            m.how != "exact"
            and any(o.how == "exact" and o.start <= m.start and m.end <= o.end for o in found)
        )
    ]


def _over_small(tokens: Sequence[Token], at: int, kind: EntityKind) -> int:
    """The length of `phones in the field`, whose words stand apart; 0 for anything else."""
    end = at + 1
    while end < len(tokens) and tokens[end].low in _WHERE:
        end += 1
    apart = kind is EntityKind.DEVICE_GROUP and 3 <= end - at <= 4
    return end + 1 - at if apart and end < len(tokens) else 0
