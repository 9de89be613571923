"""What the router sees: names, numbers and paths replaced by the kinds of things they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from graphs.understanding.clause import Clause, Mention
from graphs.understanding.lexicon import fields, routes, words
from graphs.understanding.link import Linker
from graphs.understanding.models import VERSION_WORDS, model_mentions
from graphs.understanding.text import Token, tokenise
from tools.kernel.entities import EntityKind, EntityName

MASKS = {
    EntityKind.MODEL: "the model",
    EntityKind.DATASET: "the dataset",
    EntityKind.DEVICE_GROUP: "the devices",
    EntityKind.DEVICE: "the device",
    EntityKind.DOCUMENT: "the document",
    EntityKind.RECEIPT: "the receipt",
    EntityKind.BASE_MODEL: "the base model",
    EntityKind.USER: "the user",
    EntityKind.JOB: "job 7",
    EntityKind.SCHEDULE: "the schedule",
}
_ORDER = list(MASKS)
_VERSION = re.compile(r"^v\.?\d+$")
_NAMED = re.compile(r"^[a-z]{2,}[a-z_.-]*\d")
UNKNOWN = "name-1"
"""Stands for a name that no catalogue holds."""
_NUMBERED = frozenset(["job", "run", "training", "receipt", "task", "tuning", "version"])
_TRAINING = frozenset(
    ["lora", "lr", "epochs", "bs", "train", "tune", "finetune", "fine-tune", "ft"]
)
_RECEIPT = re.compile(r"^r\d+$")


class TrainingNames:
    """The made-up names in example sentences, so that they are masked as live ones are."""

    def __init__(self) -> None:
        self._names = {
            EntityKind(kind): tuple(EntityName(name) for name in names)
            for kind, names in routes()["names"].items()
        }

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        """The made-up names of a kind."""
        return self._names.get(kind, ())


@lru_cache(maxsize=1)
def _training_names() -> TrainingNames:
    return TrainingNames()


def mask_example(text: str, linker: Linker) -> str:
    """An example sentence as the router learns it."""
    tokens = tokenise(text)
    return mask(tokens, linker.mentions(tokens, _training_names()))


def mask_clause(
    clause: Clause, misspelt: Sequence[Mention] = (), known: frozenset[str] | None = None
) -> str:
    """A clause as the router sees it; hyphenated words that are not `known` are taken for names."""
    return mask(clause.tokens, [*clause.mentions, *misspelt], known, _bare_versions(clause))


def _bare_versions(clause: Clause) -> frozenset[int]:
    """Where a number alone says a version: the 6 of `is spam-gate 7 better than 6`."""
    named = {i for m in clause.mentions for i in range(m.start, m.end)}
    return frozenset(
        i
        for m in model_mentions(clause)
        for i in range(m.start, m.end)
        if i not in named
        and clause.tokens[i].kind == "number"
        and (i == 0 or clause.tokens[i - 1].low not in VERSION_WORDS)
    )


def mask(
    tokens: Sequence[Token],
    mentions: Sequence[Mention],
    known: frozenset[str] | None = None,
    versions: frozenset[int] = frozenset(),
) -> str:
    """The words with every name, version, number and path replaced by what it is."""
    at = {m.start: m for m in sorted(mentions, key=_preference, reverse=True) if m.kind in MASKS}
    parts: list[str] = []
    trains = any(token.low in _TRAINING for token in tokens)
    index = 0
    while index < len(tokens):
        mention = at.get(index)
        if mention is not None and not _ordinary(tokens, mention):
            _append_named(parts, MASKS[mention.kind])
            if mention.version is not None:
                parts.append("v3")
            index = mention.end
            continue
        if size := _numbered_job(tokens, index):
            _append_named(parts, MASKS[EntityKind.JOB])
            index += size
            continue
        ranked = trains and _RECEIPT.match(tokens[index].low)
        said = "rank 5" if ranked else _plain(tokens[index], known)
        parts.append("v3" if index in versions else said)
        index += 1
    return " ".join(part for part in parts if part).strip()


def _numbered_job(tokens: Sequence[Token], at: int) -> int:
    """How many tokens write a job as `#7`, without the word."""
    if tokens[at].low != "#" or at + 1 >= len(tokens) or tokens[at + 1].kind != "number":
        return 0
    before = tokens[at - 1].low if at else ""
    return 0 if before in _NUMBERED else 2


def _preference(mention: Mention) -> tuple[int, int]:
    return (
        mention.end - mention.start,
        -_ORDER.index(mention.kind) if mention.kind in MASKS else -99,
    )


def _ordinary(tokens: Sequence[Token], mention: Mention) -> bool:
    """True for a name that is a word of everyday ops language where it stands (`canary`)."""
    return mention.end == mention.start + 1 and tokens[mention.start].low in words("words", "stop")


def _append_named(parts: list[str], name: str) -> None:
    while parts and parts[-1] in words("words", "determiners"):
        parts.pop()
    parts.append(name)


def _plain(token: Token, known: frozenset[str] | None) -> str:
    if token.kind == "path":
        return (
            "file.txt"
            if not token.low.endswith(("csv", "json", "jsonl", "parquet", "tsv"))
            else "file.csv"
        )
    if token.kind == "number" or (token.low in fields()["numbers"] and token.low != "one"):
        return "5"
    if re.fullmatch(r"j\d+", token.low):
        return MASKS[EntityKind.JOB]
    if token.kind == "quote":
        return token.low if len(token.low.split()) < 4 else "something"
    if _VERSION.match(token.low):
        return "v3"
    if _RECEIPT.match(token.low):
        return "the receipt"
    if token.kind == "punctuation":
        return token.low if token.low in "?%" else ""
    joined = any(mark in token.low for mark in "-._@")
    strange = known is not None and joined and token.low not in known
    return UNKNOWN if strange or _NAMED.match(token.low) else token.low
