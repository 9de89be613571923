"""Numbers, shares, paths, periods, choices and new names, read from a clause."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from graphs.understanding.clause import Clause, join, polite
from graphs.understanding.lexicon import fields, phrases, split_phrases, words
from graphs.understanding.text import Token, slug, tokenise

Span = tuple[int, int]
_PERIOD = re.compile(
    r"\b(?:(?:(?:the\s+)?(?:last|past|this|previous)\s+(?:\d+\s+|two\s+|three\s+|four\s+|six\s+|seven\s+|ten\s+|thirty\s+)?(?:hours?|days?|weeks?|months?|quarters?|years?))"
    r"|since\s+(?:new\s+year|\d{4}-\d\d-\d\d|yesterday|(?:last\s+)?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)|(?:january|february|march|april|may|june|july|august|september|october|november|december)(?:\s+\d{4})?)"
    r"|from\s+\d{4}-\d\d-\d\d\s+to\s+\d{4}-\d\d-\d\d"
    r"|(?:january|february|march|april|june|july|august|september|october|november|december|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)(?=\s+\d{4}))(?:\s+\d{4})?|may\s+\d{4}"
    r"|q[1-4](?:\s+\d{4})?|\d{4}-\d\d(?:-\d\d)?|yesterday|today|(?:19|20)\d\d)\b",
    re.I,
)
_POSSESSIVE = re.compile(r"'s$", re.I)
_MAY = re.compile(r"(?<=\bfrom )may\b|(?<=\bof )may\b|(?<=\bin )may\b|\bsince may\b", re.I)
"""The month, which elsewhere is a verb."""
_OWNS = re.compile(r"['’]s?\s+(?:worth of\s+)?\w", re.I)
"""After a span of time: the thing that is from then."""
_BARE = re.compile(r"\s+(?!and\b|then\b|with\b|using\b|for\b|on\b|at\b|so\b)[a-z]", re.I)
"""The same without an apostrophe: `last week tickets`."""
_OF_TIME = re.compile(
    r"\b(?:from|of|in|within|over|during|covering|written|created|opened|received|collected)"
    r"\s+(?:the\s+)?$",
    re.I,
)
"""Before a span of time, if it tells which rows."""


def bare_type(info: FieldInfo) -> Any:
    """A field's type without None."""
    annotation = info.annotation
    if get_origin(annotation) is Literal:
        return annotation
    parts = [part for part in get_args(annotation) if part is not NoneType]
    while parts and get_origin(parts[0]) is not Literal and get_args(parts[0]):
        parts = [part for part in get_args(parts[0]) if part is not NoneType]
    return parts[0] if parts else annotation


def choices_of(info: FieldInfo) -> list[str]:
    """The values of a field that is a choice; empty if it is none."""
    kind = bare_type(info)
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return []


def is_list(info: FieldInfo) -> bool:
    """True for a field that takes several values in one call."""
    kinds = [info.annotation, *get_args(info.annotation)]
    return any(get_origin(kind) is list for kind in kinds)


def number_at(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    """A number in digits or words that begins at `at`, and the index after it."""
    found = _simple_number(tokens, at)
    if found is not None and (power := _times_ten(tokens, found[1])):
        return found[0] / 10 ** power[0], power[1]
    if found is None or found[1] + 2 >= len(tokens) or tokens[found[1]].low != "e":
        return found
    power = _simple_number(tokens, found[1] + 2)  # `two e minus four`
    if tokens[found[1] + 1].low not in {"minus", "-"} or power is None:
        return found
    return found[0] / 10 ** power[0], power[1]


def _times_ten(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    """The 4 of `times ten to the minus four`, `x 10^-4`, and where it ends."""
    said = "".join(t.low for t in tokens[at : at + 6])
    led = re.match(r"(?:times|x|\*|·|×)(?:ten|10)(?:tothe(?:powerof)?|\^)?(?:minus|-)", said)
    if led is None:
        return None
    for index in range(at, len(tokens)):
        if tokens[index].low in {"minus", "-"}:
            return _simple_number(tokens, index + 1)
    return None


def _simple_number(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    if not 0 <= at < len(tokens):
        return None
    token = tokens[at]
    if token.kind == "number":
        text = (
            token.low.replace(",", "")
            if re.fullmatch(r"\d{1,3}(,\d{3})+", token.low)
            else token.low
        )
        try:
            return float(text.replace(",", ".")), at + 1
        except ValueError:
            return None
    return _number_words(tokens, at)


def _number_words(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    table = fields()["numbers"]
    total, index = 0.0, at
    while index < len(tokens):
        parts = tokens[index].low.split("-")
        if not all(part in table for part in parts):
            break
        for part in parts:
            value = table[part]
            total = (total or 1) * value if value in (100, 12) and index > at else total + value
        index += 1
    return (total, index) if index > at else None


def read_number(clause: Clause, spec: dict[str, Any], name: str = "") -> tuple[float, Span] | None:
    """A number beside one of the words that the table gives for it, or beside its own name."""
    own = [name, name.replace("_", " "), name.replace("_", "-")] if name else []
    spec = {**spec, "before": [*spec.get("before", []), *own]}
    if attached := _attached_number(clause, spec):
        return attached
    for index in range(len(clause.tokens)):
        found = number_at(clause.tokens, index)
        if found is None or not clause.free(index, found[1]):
            continue
        value, end = found
        if clause.tokens[index].low == "one" and index and clause.tokens[index - 1].low in _NTH:
            continue  # `the first one` counts nothing
        if _another(clause.tokens, index, end, spec):
            continue
        scale = spec.get("scale", {})
        after = clause.tokens[end].low if end < len(clause.tokens) else ""
        if after in scale:
            return value * scale[after], (index, end + 1)
        for phrase in split_phrases(spec.get("after", [])):
            if _stands(clause.tokens, phrase, end) and not _keyed(clause, index, end, phrase):
                led = [len(p) for p in split_phrases(own)
                       if _stands(clause.tokens, p, index - len(p))]  # fmt: skip
                return value, (index - max(led, default=0), end + len(phrase))
        linked = index and clause.tokens[index - 1].low in {"is", "=", ":", "to", "of", "at"}
        begin = index - 1 if linked else index
        for phrase in split_phrases(spec.get("before", [])):
            for at in {index, begin}:
                if _stands(clause.tokens, phrase, at - len(phrase)):
                    return value, (at - len(phrase), end)
    return None


_NTH = frozenset(["first", "second", "third", "last", "other"])


def _another(tokens: Sequence[Token], at: int, end: int, spec: dict[str, Any]) -> bool:
    """True where words beside a number make it another one: `3 epochs without progress`."""
    trails = split_phrases(spec.get("not_with", []))
    leads = split_phrases(spec.get("not_behind", []))
    follows = any(_stands(tokens, phrase, end) for phrase in trails)
    return follows or any(_stands(tokens, phrase, at - len(phrase)) for phrase in leads)


def _keyed(clause: Clause, at: int, end: int, phrase: tuple[str, ...]) -> bool:
    """True for the 8 of `bs 8 epochs 6`: each number there belongs to the word before it."""
    following = number_at(clause.tokens, end + len(phrase))
    before = clause.tokens[at - 1].low if at else ""
    return following is not None and before in _keys()


@lru_cache(maxsize=1)
def _keys() -> frozenset[str]:
    entries = fields()["fields"].values()
    return frozenset(w for entry in entries for w in entry.get("before", []) if " " not in w)


_KEYED = re.compile(r"([a-z_]+?)[-:=]?(\d+(?:\.\d+)?(?:e-?\d+)?)")
"""A number with its word written to it: `r16`, `bs8`."""


def _attached_number(clause: Clause, spec: dict[str, Any]) -> tuple[float, Span] | None:
    """`r=16`, `lr=2e-4`, `epochs:3`, `3-epoch`."""
    names = {
        p[0] for p in split_phrases(spec.get("before", []) + spec.get("after", [])) if len(p) == 1
    }
    for index in range(len(clause.tokens) - 2):
        mark = clause.tokens[index + 1].low
        if clause.tokens[index].low in names and mark in "=:":
            found = number_at(clause.tokens, index + 2)
            if found and clause.free(index, found[1]):
                return found[0], (index, found[1])
    keys = {p[0] for p in split_phrases(spec.get("before", [])) if len(p) == 1}
    for index, token in enumerate(clause.tokens):
        keyed = _KEYED.fullmatch(token.low)
        if keyed and keyed[1] in keys and clause.free(index, index + 1):
            return float(keyed[2]), (index, index + 1)
        match = re.fullmatch(r"(\d+)[-]?([a-z]+)", token.low)
        if match and match[2] in names and clause.free(index, index + 1):
            return float(match[1]), (index, index + 1)
        first, _, second = token.low.partition("-")
        number = fields()["numbers"].get(first)
        if number and second in names and clause.free(index, index + 1):
            return float(number), (index, index + 1)
    return None


def _stands(tokens: Sequence[Token], phrase: tuple[str, ...], at: int) -> bool:
    if at < 0 or at + len(phrase) > len(tokens):
        return False
    return all(tokens[at + k].low == word for k, word in enumerate(phrase))


def read_percent(clause: Clause) -> tuple[float, Span] | None:
    """A share: `10%`, `ten percent`, `half of`, `a third`."""
    for index in range(len(clause.tokens)):
        found = number_at(clause.tokens, index)
        if found and clause.free(index, found[1]) and found[1] < len(clause.tokens):
            end = found[1]
            word = clause.tokens[end].low
            if word in {"%", "percent", "percentage", "pct", "prozent"}:
                return found[0], (index, end + 1)
            if word == "per" and _stands(clause.tokens, ("per", "cent"), end):
                return found[0], (index, end + 2)
    if ratio := _ratio(clause) or _one_in(clause) or _plain_share(clause):
        return ratio
    for phrase, value in fields()["fractions"].items():
        if span := clause.find(split_phrases([phrase])):
            return float(value), span
    return None


def _plain_share(clause: Clause) -> tuple[float, Span] | None:
    """The 10 of `canary it on the kiosks at 10`."""
    tokens = clause.tokens
    if not {t.low for t in tokens} & {"canary", "a/b", "ab", "ab-test"}:
        return None
    for index in range(1, len(tokens) - 1):
        found = number_at(tokens, index + 1) if tokens[index].low == "at" else None
        if found and found[1] == len(tokens) and clause.free(index, found[1]):
            return found[0], (index, found[1])
    return None


def _one_in(clause: Clause) -> tuple[float, Span] | None:
    """`one request in twenty`, `one out of ten` as a share in percent."""
    tokens = clause.tokens
    for index in range(1, len(tokens)):
        if tokens[index].low not in {"in", "of"}:
            continue
        of = number_at(tokens, index + 1)
        before = range(index - 1, max(0, index - 3) - 1, -1)
        first = next((i for i in before if number_at(tokens, i)), None)
        one = number_at(tokens, first) if first is not None else None
        between = {t.low for t in tokens[one[1] : index]} if one else {"?"}
        if of and one and one[0] == 1 and of[0] > 1 and between <= _COUNTABLE:
            return round(100 / of[0], 2), (first or 0, of[1])
    return None


_COUNTABLE = frozenset(
    ["request", "requests", "out", "user", "users", "call", "customer", "every", "device"]
)


def _ratio(clause: Clause) -> tuple[float, Span] | None:
    """`15/85`: the share that is said to be for the new one, else the first."""
    tokens = clause.tokens
    for index in range(len(tokens)):
        apart = tokens[index].kind == "number"
        part = "".join(t.low for t in tokens[index : index + 3])
        match = re.match(r"(\d{1,2})[/:-](\d{1,2})$", part)
        if match is None or int(match[1]) + int(match[2]) != 100:
            continue
        span = (index, index + 3 if apart else index + 1)
        for at in range(index + 3, len(tokens) - 2):
            said = number_at(tokens, at)
            new = {t.low for t in tokens[at + 1 : at + 4]} & {"new", "it", "challenger"}
            if said and new and said[0] in (float(match[1]), float(match[2])):
                return said[0], span
        return float(match[1]), span
    return None


def read_choice(
    clause: Clause, field_name: str, values: Sequence[str], described: bool = False
) -> tuple[str, Span] | None:
    """The value that stands earliest in the clause, by itself or by one of its other words."""
    table = fields()["choices"].get(field_name, {})
    best: tuple[int, int, str, Span] | None = None
    for value in values:
        own = [value, value.replace("_", "-"), value.replace("_", " ")]
        plain = field_name not in fields()["not_by_name"]["arguments"]
        options = [*(own if plain else []), *table.get(value, [])]
        for phrase in split_phrases(options):
            span = clause.find([phrase])
            if span is None or (span == (0, 1) and phrase[0] in _VERBS_FIRST):
                continue
            if phrase == (value,) and _followed(clause, span[1], value):
                continue
            key = (-len(phrase), span[0])
            if best is None or key < best[:2]:
                best = (*key, value, span)
    return (best[2], best[3]) if best else None


def _followed(clause: Clause, at: int, value: str) -> bool:
    """True where the words after a choice's make it something else: `head learning rate`."""
    trails = split_phrases(fields()["not_followed"].get(value, []))
    return any(_stands(clause.tokens, phrase, at) for phrase in trails)


def read_path(clause: Clause) -> tuple[str, Span] | None:
    """The first path, or quoted text that looks like one."""
    for index, token in enumerate(clause.tokens):
        if not clause.free(index, index + 1):
            continue
        if token.kind == "path" or (token.kind == "quote" and re.search(r"[./\\]", token.text)):
            return _in_folder(clause, index) or (token.text, (index, index + 1))
    for index, token in enumerate(clause.tokens[:-1]):
        if token.low in {"folder", "directory", "dir", "path", "file"}:
            following = clause.tokens[index + 1]
            small = words("words", "stop") | words("words", "prepositions")
            if following.kind in ("word", "quote") and following.low not in small:
                return following.text, (index, index + 2)
    return None


def _in_folder(clause: Clause, at: int) -> tuple[str, Span] | None:
    """`returns.csv from /mnt/share` as one path."""
    tokens = clause.tokens
    if at + 2 >= len(tokens) or tokens[at + 1].low not in {"from", "in", "under"}:
        return None
    folder = next((i for i in (at + 2, at + 3) if i < len(tokens) and tokens[i].kind == "path"), 0)
    if not folder or "/" in tokens[at].text or not tokens[folder].text.startswith(("/", "~", ".")):
        return None
    return f"{tokens[folder].text.rstrip('/')}/{tokens[at].text}", (at, folder + 1)


def read_rows_period(clause: Clause) -> tuple[str, Span] | None:
    """A span of time that says which rows are meant: `last week's tickets`, `mails from june`.

    A bare `today` or `this week` is when to act, not which rows.
    """
    text = join(clause.tokens)
    spans = (m for m in _PERIOD.finditer(text) if _tells_rows(text, m))
    found = next(spans, None) or _MAY.search(text)
    return None if found is None else _period_at(clause, found)


def is_period(words: str) -> bool:
    """True for the words of a span of time."""
    return _PERIOD.fullmatch(words) is not None


def _tells_rows(text: str, found: re.Match[str]) -> bool:
    said, after = found.group().lower().removeprefix("the "), found.end()
    if text[found.start() - 1 : found.start()] in ("-", "_", "."):
        return False  # it is part of a name
    if said.startswith(("since", "from")) or _OWNS.match(text, after):
        return True
    if said.startswith(("last", "past", "previous")) and _BARE.match(text, after):
        return True
    return _OF_TIME.search(text, 0, found.start()) is not None


def read_period(clause: Clause) -> tuple[str, Span] | None:
    """A span of time in words that the reports understand."""
    match = _PERIOD.search(join(clause.tokens))
    return None if match is None else _period_at(clause, match)


def _period_at(clause: Clause, match: re.Match[str]) -> tuple[str, Span]:
    wanted = [w.low for w in tokenise(match.group()) if w.low != "the"]
    start = next(
        (
            i
            for i in range(len(clause.tokens))
            if _POSSESSIVE.sub("", clause.tokens[i].low) == wanted[0]
            and all(
                i + k < len(clause.tokens)
                and _POSSESSIVE.sub("", clause.tokens[i + k].low).startswith(word)
                for k, word in enumerate(wanted[:2])
            )
        ),
        None,
    )
    written = re.sub(r"^the\s+", "", match.group(), flags=re.I)
    span = (start, min(start + len(wanted), len(clause.tokens))) if start is not None else (0, 0)
    return written, span


_VERBS_FIRST = frozenset(["test", "stage"])
"""Words that are a verb, not a choice, where a clause begins with them."""


def read_new_name(
    clause: Clause, also: tuple[tuple[str, ...], ...] = ()
) -> tuple[str, Span] | None:
    """A name that is given to something: `call it X`, `named X`, and after words in `also`."""
    options = phrases("naming", "given") + also
    for phrase in options:
        span = clause.find([phrase])
        if span is None:
            continue
        named = _name_words(clause, span[1])
        if named is not None:
            return named[0], (span[0], named[1])
    return None


def _name_words(clause: Clause, at: int) -> tuple[str, int] | None:
    tokens = clause.tokens
    while at < len(tokens) and tokens[at].low in {*words("words", "determiners"), ":", "it"}:
        at += 1
    if at >= len(tokens):
        return None
    if tokens[at].kind == "quote":
        return slug(tokens[at].text.split()), at + 1
    end = at
    while end < len(tokens) and end - at < 4 and tokens[end].kind == "word":
        if tokens[end].low in _STOPS or not clause.free(end, end + 1):
            break
        end += 1
        if any(c in tokens[end - 1].text for c in "-_0123456789"):
            break
    # `as fast as possible` compares; a second `as` that was read already does not
    compares = end < len(tokens) and tokens[end].low == "as" and clause.free(end, end + 1)
    if end == at or compares:
        return None
    return slug([t.text for t in tokens[at:end]]), end


_STOPS = words("words", "prepositions") | words("naming", "given_ends")


def read_word(clause: Clause, spec: dict[str, Any]) -> tuple[str, Span] | None:
    """The one word that stands after the words in the table: `label column cause`."""
    for phrase in split_phrases(spec["before"]):
        span = clause.find([phrase])
        at = span[1] if span else len(clause.tokens)
        while at < len(clause.tokens) and clause.tokens[at].low in {
            "the",
            "column",
            "=",
            ":",
            "of",
        }:
            at += 1
        if span is None or at >= len(clause.tokens) or not clause.free(at, at + 1):
            continue
        token = clause.tokens[at]
        after = clause.tokens[at + 1] if at + 1 < len(clause.tokens) else None
        alone = after is None or after.kind == "punctuation" or (after.low,) in polite()
        alone = alone or (after is not None and after.low in _STOPS | words("words", "stop"))
        noun = after is not None and after.low in {"column", "field"}
        if token.kind in ("word", "quote") and token.low not in _STOPS and (alone or noun):
            return token.text, (span[0], at + 1 + noun)
    return None


def read_shaped(clause: Clause, spec: dict[str, Any]) -> tuple[str, Span] | None:
    """The one word that has the shape in the table: `T1a2b3c4d5e`."""
    shape = re.compile(spec["shape"])
    for at, token in enumerate(clause.tokens):
        if token.kind == "word" and shape.match(token.low) and clause.free(at, at + 1):
            return token.text, (at, at + 1)
    return None


def read_flag(clause: Clause, spec: dict[str, Any]) -> tuple[bool, Span] | None:
    """What the words for a yes or a no that stand in the clause say."""
    for value, words_ in ((False, spec.get("false", [])), (True, spec.get("true", []))):
        for phrase in split_phrases(words_):
            span = clause.find([phrase])
            named = span and any(
                m.start <= span[0] and span[1] <= m.end for m in clause.mentions
            )  # the `lift` of `protect the lift servers`
            if span and not named:
                return value, span
    return None


def as_number(value: float, info: FieldInfo) -> int | float:
    """A number in the type of its field."""
    if bare_type(info) is int or value == int(value):
        return int(value)
    return value
