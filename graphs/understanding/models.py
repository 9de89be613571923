"""References to models as people write them: `ticket-router v3`, "version 2 of it"."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from graphs.understanding.clause import Clause, Mention
from graphs.understanding.lexicon import fields, words
from graphs.understanding.values import number_at
from graphs.understanding.written import alias_of, read_version
from tools.kernel.entities import EntityKind

VERSION_WORDS = frozenset(["version", "ver", "v", "rev", "revision", "release", "versions", "ver."])


@dataclass
class ModelMention:
    """A model, a version, or both, at one place of a clause.

    Attributes:
        mention: the words that name the model, if any do.
        version: the number or the alias that was said.
        start: index of its first token.
        end: index after its last.
    """

    mention: Mention | None
    version: int | str | None
    start: int
    end: int


def model_mentions(clause: Clause, aliases: bool = True) -> list[ModelMention]:
    """Models and versions in the order in which they stand.

    Args:
        clause: where to look.
        aliases: False where an alias is what the operation sets, not what it points with.
    """
    named = {
        m.start: m for m in clause.mentions if m.kind is EntityKind.MODEL and _usable(clause, m)
    }
    found: list[ModelMention] = []
    index = 0
    while index < len(clause.tokens):
        if (mention := named.get(index)) is not None:
            found.append(ModelMention(mention, mention.version, mention.start, mention.end))
            index = mention.end
            continue
        version = _version(clause, index, aliases, found)
        if version is None:
            index += 1
            continue
        value, end = version
        found.append(ModelMention(None, value, index, end))
        index = end
    return _paired(clause, found)


def _usable(clause: Clause, mention: Mention) -> bool:
    return clause.free(mention.start, mention.end)


def _version(
    clause: Clause, at: int, aliases: bool, found: list[ModelMention]
) -> tuple[int | str, int] | None:
    token = clause.tokens[at]
    if not clause.free(at, at + 1):
        return None
    if token.low in VERSION_WORDS:
        following = at + 1
        while following < len(clause.tokens) and clause.tokens[following].low in {
            "number",
            "#",
            "no",
            ".",
        }:
            following += 1
        if number := number_at(clause.tokens, following):
            return int(number[0]), number[1]
        if following < len(clause.tokens):
            written = read_version(clause.tokens[following].low)
            if isinstance(written, int):
                return written, following + 1
        return None
    if token.kind == "word" and token.low[0] in "v" and isinstance(read_version(token.low), int):
        return int(read_version(token.low) or 0), at + 1
    ordinal = fields()["ordinals"].get(token.low)
    following = clause.tokens[at + 1].low if at + 1 < len(clause.tokens) else ""
    if ordinal and following in {"version", "revision"}:
        return ordinal, at + 2
    previous = found[-1] if found else None
    direct = previous and previous.end == at and previous.mention and previous.version is None
    if direct and token.low != "one" and (number := number_at(clause.tokens, at)):
        after = clause.tokens[number[1]].low if number[1] < len(clause.tokens) else ""
        if number[0] == int(number[0]) and after not in UNITS:
            return int(number[0]), number[1]
    if aliases and token.kind == "number" and _gets_alias(clause, at):
        return int(token.low), at + 1
    counted = at and clause.tokens[at - 1].low in _COUNTING
    if previous and not counted and _version_too(clause, at, previous):
        return int(token.low), at + 1
    if aliases and not _named_so(clause, at):
        alias = alias_of(token.low.removesuffix("'s"))
        return (alias, at + 1) if alias is not None else None
    return None


_COUNTING = frozenset(["top", "first", "last", "limit", "worst"])
"""Words before how many, and before no version: `…, top 25`."""


def _named_so(clause: Clause, at: int) -> bool:
    """True for the `live` of `evaluate it on live`, where a dataset or a group has that name."""
    return any(
        m.start <= at < m.end and m.how == "exact" and m.kind is not EntityKind.MODEL
        for m in clause.mentions
    )


def _gets_alias(clause: Clause, at: int) -> bool:
    """True for the 4 of `make 4 the champion of ticket-router`."""
    tokens = clause.tokens
    if not at or not tokens[at].low.isdigit() or tokens[at - 1].low not in _GIVING:
        return False
    following = [t.low for t in tokens[at + 1 : at + 4] if t.low not in {"the", "as", "to", "our"}]
    return bool(following) and alias_of(following[0]) is not None


_GIVING = frozenset(["make", "set", "mark", "crown", "tag", "promote", "label", "use", "number"])


def _version_too(clause: Clause, at: int, previous: ModelMention) -> bool:
    """True for the 6 of `is spam-gate 7 better than 6`, `archive v1 and 6`."""
    tokens = clause.tokens
    if tokens[at].kind != "number" or not tokens[at].low.isdigit():
        return False
    if not isinstance(previous.version, int) or tokens[at - 1].low not in _JOINING | _beating():
        return False
    if at - previous.end > _APART or _among_amounts(clause, previous.end, at):
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if following is None or (following.kind == "punctuation" and following.low != "%"):
        return True
    return following.low in words("words", "prepositions") | _GOES_ON


def _among_amounts(clause: Clause, start: int, at: int) -> bool:
    """True for the 10 of `v3 on the phones at 1, 10 and 50 percent`: one of several amounts."""
    tokens = clause.tokens
    if any(token.kind == "number" for token in tokens[start:at]):
        return True
    end, between = at + 1, _JOINING | {"then"}
    while end < len(tokens) and (tokens[end].kind == "number" or tokens[end].low in between):
        end += 1
    if "then" in [t.low for t in tokens[at:end]] and tokens[end - 1].kind == "number":
        return True
    return end < len(tokens) and tokens[end].low in {"%", "percent", "pct"}


@lru_cache(maxsize=1)
def _beating() -> frozenset[str]:
    """The last words of what says that one is better: the `beats` of `7 beats 6`."""
    options = [said.split()[-1] for entry in fields()["versus"].values() for said in entry]
    return frozenset(options) - words("words", "prepositions")


_APART = 5
_JOINING = frozenset(
    ["than", "with", "and", "to", "against", "vs", "versus", ",", "or", "&", "over"]
)
_GOES_ON = frozenset(["and", "or", "then", "please", "if", "is", "are", "really", "any"])
UNITS = frozenset(
    ["%", "percent", "epochs", "epoch", "trials", "times", "devices", "per", "minutes"]
)


def _paired(clause: Clause, found: list[ModelMention]) -> list[ModelMention]:
    """Versions joined with the models that they belong to."""
    paired: list[ModelMention] = []
    for item in found:
        last = paired[-1] if paired else None
        if last and _belongs(clause, last, item):
            mention = last.mention or item.mention
            version = last.version if last.version is not None else item.version
            paired[-1] = ModelMention(mention, version, last.start, item.end)
        else:
            paired.append(item)
    owner = next((p.mention for p in paired if p.mention), None)
    for item in paired:
        item.mention = item.mention or owner
    return paired


def _belongs(clause: Clause, last: ModelMention, item: ModelMention) -> bool:
    between = [t.low for t in clause.tokens[last.end : item.start]]
    if last.mention and last.version is None and item.mention is None:
        return set(between) <= {
            "'s",
            "s",
            "the",
            ",",
            "(",
            "model",
            "at",
            "@",
            "in",
            "current",
            "its",
            "latest",
        }
    if last.mention is None and item.mention and item.version is None:
        return (bool(set(between) & {"of", "for", "from"}) and len(between) < 4) or between in (
            [],
            ["model"],
        )
    return False
