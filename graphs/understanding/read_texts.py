"""Paths, questions, search words, periods, flags and numbers of a clause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.understanding import values
from graphs.understanding.asking import ask
from graphs.understanding.clause import join, polite
from graphs.understanding.lexicon import phrases, split_phrases, words
from graphs.understanding.limits import out_of_range
from graphs.understanding.name_lists import further_names
from graphs.understanding.read_layers import read_layers
from graphs.understanding.read_space import read_space
from graphs.understanding.reading import Reading
from graphs.understanding.text import Token, find_phrase, phrase_at

_HUNDRED = 100
_PERIODS = {"period": values.read_period, "rows_period": values.read_rows_period}
_ALIAS_WORDS = frozenset(["champion", "challenger", "staging", "production"])


def periods(r: Reading) -> None:
    """A span of time."""
    for name in r.fields:
        reader = _PERIODS.get(r.spec(name).get("reader", ""))
        if reader is not None and (found := reader(r.clause)):
            r.set(name, *found)


def texts(r: Reading) -> None:
    """Texts by the reader that the tables name for each argument."""
    for name in r.fields:
        reader = r.spec(name).get("reader")
        if not r.open(name):
            continue
        if reader == "path" and (found := values.read_path(r.clause)):
            r.set(name, *found)
        elif reader == "new_name":
            _given_name(r, name)
        elif reader == "whole":
            r.set(name, join(r.clause.tokens) if r.scope.steps else r.scope.whole.strip())
        elif reader == "query":
            _query(r, name)
        elif reader == "dictated":
            _dictated(r, name)
        elif reader in _PERIODS and (period := _PERIODS[reader](r.clause)):
            r.set(name, *period)
        elif reader == "flag" and (flag := values.read_flag(r.clause, r.spec(name))):
            r.set(name, *flag)
        elif reader == "word" and (word := values.read_word(r.clause, r.spec(name))):
            r.set(name, *word)
        elif reader == "shaped" and (shaped := values.read_shaped(r.clause, r.spec(name))):
            r.set(name, *shaped)
        elif reader == "layers" and (layers := read_layers(r.clause, r.spec(name))):
            r.set(name, *layers)
        elif reader == "topic":
            _topic(r, name)
        elif reader == "space" and (space := read_space(r.clause)):
            for span in space[1]:
                r.set(name, space[0], span)


def words_and_flags(r: Reading) -> None:
    """Single words and switches: `only with label urgent`, `skip bad rows`."""
    for name in r.fields:
        reader = r.spec(name).get("reader")
        if not r.open(name):
            continue
        if reader == "flag" and (flag := values.read_flag(r.clause, r.spec(name))):
            r.set(name, *flag)
        elif reader == "word" and (word := values.read_word(r.clause, r.spec(name))):
            r.set(name, *word)


def given_names(r: Reading) -> None:
    """Names that are given in so many words: `call it X`."""
    for name in r.fields:
        if r.open(name) and r.spec(name).get("reader") == "new_name":
            _given_name(r, name)


def _given_name(r: Reading, name: str) -> None:
    given = values.read_new_name(r.clause, _also_before(r, name))
    if given and given[0] not in _ALIAS_WORDS and given[0] not in words("naming", "generic"):
        r.set(name, _known_as(r, name, given[0]), given[1])
        if r.spec(name).get("bare"):
            further_names(r, name, given[1][1])


def _also_before(r: Reading, name: str) -> tuple[tuple[str, ...], ...]:
    """Small words that stand before a name where something is given one: `register it as X`."""
    named = r.spec(name).get("as") or r.operation.name == "datasets.add"
    return (("as",), ("under",)) if named else ()


def _known_as(r: Reading, name: str, said: str) -> str:
    slot = r.slots.get(name)
    if slot is None or slot.kind is None:
        return said
    from tools.kernel.entities import fold

    exact = r.scope.linker.index(slot.kind, r.scope.names).exact(fold(said))
    return exact[0].name if exact else said


def _query(r: Reading, name: str) -> None:
    tokens = r.clause.tokens
    quoted = next((i for i, t in enumerate(tokens) if t.kind == "quote"), None)
    if quoted is not None:
        r.set(name, tokens[quoted].text, (quoted, quoted + 1))
        return
    span = r.clause.find(phrases("searching", "before"))
    start = _after_place(tokens, span[1] if span else 0)
    while start < len(tokens) and tokens[start].kind == "punctuation":
        start += 1
    end = len(tokens)
    for number in range(start, end):
        counted = tokens[number].low == "," and values.number_at(tokens, number + 1)
        if number > start and (counted or tokens[number].low in {"top", "best", "limit"}):
            end = number
            break
    while end > start and tokens[end - 1].kind == "punctuation":
        end -= 1
    if end > start:
        end = _before_place(tokens, start, end)
        r.set(name, join(tokens[start:end]), (start, end))


def _after_place(tokens: Sequence[Token], start: int) -> int:
    """Past the words for where is searched: `the docs for`; the place alone is what is sought."""
    at = start
    while at < len(tokens) and tokens[at].low in words("searching", "place_before"):
        at += 1
    if (end := _place(tokens, at)) == at:
        return start
    follows = end < len(tokens) - 1 and tokens[end].low in words("searching", "place_after")
    return end + 1 if follows else start


def _before_place(tokens: Sequence[Token], start: int, end: int) -> int:
    """Where what is sought ends: before `in our documents`, before `please`."""
    while end - 1 > start and (tokens[end - 1].low,) in polite():
        end -= 1
    for at in range(start + 1, end - 1):
        noun = at + 1
        if tokens[at].low not in words("searching", "place_before") - words("words", "determiners"):
            continue
        while noun < end and tokens[noun].low in words("words", "determiners"):
            noun += 1
        if _place(tokens, noun) == end and noun < end:
            return at
    return end


def _place(tokens: Sequence[Token], at: int) -> int:
    for phrase in phrases("searching", "places"):
        if find_phrase(tokens, phrase, at, min(at + len(phrase), len(tokens))) == at:
            return at + len(phrase)
    return at


def _topic(r: Reading, name: str) -> None:
    span = r.clause.find(phrases("searching", "help"))
    tokens, end = r.clause.tokens, len(r.clause.tokens)
    start = span[1] if span else end
    while end > start and (
        tokens[end - 1].kind == "punctuation" or (tokens[end - 1].low,) in polite()
    ):
        end -= 1
    if any(t.low not in _NO_TOPIC for t in tokens[start:end]):
        r.set(name, join(tokens[start:end]), (start, end))


def _dictated(r: Reading, name: str) -> None:
    """What a person dictates, word for word: quoted, or from a lead-in to the clause's end."""
    tokens, spec = r.clause.tokens, r.spec(name)
    quoted = next((i for i, t in enumerate(tokens) if t.kind == "quote"), None)
    if quoted is not None:
        r.set(name, tokens[quoted].text, (quoted, quoted + 1))
        return
    leads, reasons = split_phrases(spec["leads"]), split_phrases(spec["reasons"])
    end = len(tokens)
    lead = next(
        (i for i in range(r.clause.told, end) if phrase_at(tokens, i, (*leads, *reasons))), end
    )
    begin = lead
    while size := phrase_at(tokens, begin, leads):
        begin += size
    if begin < end and tokens[begin].low in _OPENED:
        said = "The quotation has no end that I can read."
        r.out.question = ask(r.operation, name, r.scope.names, said=said)
        return
    while end > begin and _closes(tokens[end - 1]):
        end -= 1
    if end > begin:
        r.set(name, join(tokens[begin:end]), (lead, len(tokens)))


_OPENED = frozenset(['"', "“", "‘"])
"""Marks that open a quotation; they stand alone only where its end was taken for something else."""


def _closes(token: Token) -> bool:
    """Marks and courtesies at the end of what was said."""
    return token.kind == "punctuation" or (token.low,) in polite()


_NO_TOPIC = frozenset(["me", "us", "it", "this", "that", "them", "here", "you", "now", "today"])
"""What helps nobody to find help: `what can you do for me`."""


def _said_amount(r: Reading, spec: dict[str, Any]) -> tuple[float, tuple[int, int]] | None:
    """An amount that is said without a number: `half an hour`."""
    for said, value in spec.get("said", {}).items():
        if span := r.clause.find((tuple(said.split()),)):
            return float(value), span
        if spec.get("trails") and _trails(r, said):
            return float(value), (0, 0)
    return None


def _what_is_left(r: Reading, spec: dict[str, Any]) -> tuple[float, tuple[int, int]] | None:
    """The share that `30 % smaller` leaves."""
    words_of_less = spec.get("less")
    found = values.read_number(r.clause, {"after": words_of_less}) if words_of_less else None
    return None if found is None else (round(1 - found[0] / _HUNDRED, 4), found[1])


def _trails(r: Reading, said: str) -> bool:
    """True for words that stand right behind a clause, cut off as a `not` of their own.

    `train on tickets, seed 3, without early stopping`
    """
    after = r.scope.whole[r.clause.tokens[-1].end :] if r.clause.tokens else ""
    return after.casefold().lstrip(" ,;-").removeprefix("and ").startswith(said)


def _in_percent(tokens: Sequence[Token]) -> bool:
    return any(token.low in {"%", "percent", "pct"} for token in tokens)


def _in_points(tokens: Sequence[Token]) -> bool:
    return _in_percent(tokens) or any(t.low in {"point", "points", "pp"} for t in tokens)


def numbers(r: Reading) -> None:
    """Shares, and numbers beside the words that belong to an argument."""
    for name, info in r.fields.items():
        if not r.open(name):
            continue
        spec = r.spec(name)
        if spec.get("reader") == "percent":
            if found := values.read_percent(r.clause):
                _set_within(r, name, *found)
            continue
        if amount := _said_amount(r, spec) or _what_is_left(r, spec):
            _set_within(r, name, *amount)
            if r.out.question is not None:
                return
            continue
        plain = values.bare_type(info) in (int, float) and r.kind(name) is None and spec
        read = values.read_number(r.clause, spec, name) if plain else None
        if read is None:
            continue
        value, span = read
        in_percent = spec.get("percent") and _in_percent(r.clause.tokens[span[0] : span[1] + 1])
        if (spec.get("share") and value > 1) or in_percent:
            value /= _HUNDRED
        if value < spec.get("share_below", 0) and not _in_points(r.clause.tokens[slice(*span)]):
            value = round(value * _HUNDRED, 6)  # `minimum effect 0.02` is of a share
        _set_within(r, name, value, span)
        if r.out.question is not None:
            return


def _set_within(r: Reading, name: str, value: float, span: tuple[int, int]) -> None:
    """Set a number if its argument takes it; else ask: `250 percent`, `lr 3`."""
    number = values.as_number(value, r.fields[name])
    below = r.spec(name).get("below", value + 1)
    problem = out_of_range(r.operation, name, number)
    if value != number:
        problem = "must be a whole number"
    elif value >= below:
        problem = f"must be less than {below}"
    if problem is None:
        r.set(name, number, span)
        return
    said = f"{r.clause.text(*span)!r} says {value:g}; the {name.replace('_', ' ')} {problem}."
    r.out.question = ask(r.operation, name, r.scope.names, said=said)
