"""Files that are named beside the first: one with test rows, and further ones of a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic.fields import FieldInfo

from graphs.understanding import values
from graphs.understanding.asking import ask
from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import split_phrases, words
from graphs.understanding.name_lists import BETWEEN
from graphs.understanding.read_choices import choose
from graphs.understanding.reading import Reading
from graphs.understanding.text import Token, phrase_at

_JOINTS = BETWEEN | {"with", ";"}
_OF = frozenset(["of", "in", "from"])


def files_first(r: Reading) -> None:
    """A file in a role, and values in words that would else be a name: `as gold as a test set`."""
    _in_roles(r, fewest=2)


def files_said(r: Reading) -> None:
    """The same in words that only say more of an act: `the test rows are in test.csv`."""
    _in_roles(r, fewest=2 if r.clause.tokens[0].low in r.scope.verbs else 1)


def _in_roles(r: Reading, fewest: int) -> None:
    for name, info in r.fields.items():
        if r.open(name) and r.spec(name).get("reader") == "path_in_role":
            _in_role(r, name, fewest)
        if r.open(name) and r.spec(name).get("early"):
            _early(r, name, info)


def _early(r: Reading, name: str, info: FieldInfo) -> None:
    if r.spec(name).get("reader") == "word":
        if word := values.read_word(r.clause, r.spec(name)):
            r.set(name, *word)
        return
    choose(r, name, info)
    if r.open(name):
        _around_files(r, name, info)


def _in_role(r: Reading, name: str, fewest: int) -> None:
    """`train.csv with test.csv as its test rows`: the second file, by the words around it."""
    tokens = r.clause.tokens
    paths = [at for at in range(len(tokens)) if _is_file(r.clause, at)]
    before, after = (split_phrases(r.spec(name)[side]) for side in ("before", "after"))
    for at in paths if len(paths) >= fewest else ():
        leads = [p for p in before if len(p) <= at and phrase_at(tokens, at - len(p), [p])]
        lead = max(map(len, leads), default=0)
        trail = phrase_at(tokens, at + 1, after)
        if not (lead or trail):
            continue
        begin = at - lead
        while begin > 0 and tokens[begin - 1].low in _JOINTS:
            begin -= 1
        r.set(name, tokens[at].text, (begin, at + 1 + trail))
        return


def _around_files(r: Reading, name: str, info: FieldInfo) -> None:
    """A choice in whose words a file stands: `use every row of a.csv for testing`."""
    tokens = r.clause.tokens
    kept = [
        at
        for at in range(len(tokens))
        if not _is_file(r.clause, at)
        and not (tokens[at].low in _OF and at + 1 < len(tokens) and _is_file(r.clause, at + 1))
    ]
    if len(kept) == len(tokens):
        return
    found = values.read_choice(Clause([tokens[at] for at in kept]), name, values.choices_of(info))
    if found is not None:
        r.out.arguments[name] = found[0]
        for at in kept[slice(*found[1])]:
            r.clause.claim(at, at + 1, name)


def further_files(r: Reading) -> None:
    """Further files of a list, each of which makes a step of its own: `add a.csv, b.csv`.

    Each has the name of its file, or one given to it: `a.csv as mails and b.csv as chats`. One name
    for all of them is asked about.
    """
    tokens, claimed = r.clause.tokens, r.clause.claimed
    if not r.spec("path").get("several"):
        return
    if "path" in r.answered():
        _claim(r, [at for at in range(len(tokens)) if _is_file(r.clause, at)])
        return  # the one that is meant was asked for
    if "path" not in claimed:
        return
    places = [claimed.index("path")]
    for at in range(places[0] + 1, len(tokens)):
        if _is_file(r.clause, at) and tokens[at - 1].low in BETWEEN:
            places.append(at)
    if len(places) == 1:
        return
    _claim(r, places[1:])
    r.out.several["path"] = [tokens[at].text for at in places[1:]]
    given = [_name_of(r, at, end) for at, end in _parts(places, len(tokens))]
    names = [name for name in given if name]
    if len(names) == len(places):
        r.out.arguments["name"], *r.out.several["name"] = names
    elif "name" in r.out.arguments:
        _one_name(r, [tokens[at].text for at in places])


def _one_name(r: Reading, files: Sequence[str]) -> None:
    said = (
        f"{r.out.arguments['name']!r} can be the name of only one of these {len(files)} files: "
        "each is a dataset of its own. To add all, leave the name out, give each its name (`a.csv "
        "as mails and b.csv as chats`), or say which one holds the test rows (`b.csv as its test "
        "set`)."
    )
    r.out.question = ask(r.operation, "path", r.scope.names, said=said, candidates=[*files])


def _claim(r: Reading, places: Sequence[int]) -> None:
    for at in places:
        begin = at
        while begin > 0 and r.clause.tokens[begin - 1].low in BETWEEN:
            begin -= 1
        r.clause.claim(begin, at + 1, "path")


def _parts(places: Sequence[int], end: int) -> list[tuple[int, int]]:
    """From behind each file to the next one."""
    return [(at + 1, after) for at, after in zip(places, [*places[1:], end], strict=True)]


def _name_of(r: Reading, begin: int, end: int) -> str | None:
    """The name that is given to a file, in the words behind it."""
    part = Clause(r.clause.tokens[begin:end])
    found = values.read_new_name(part, (("as",), ("under",)))
    if found is None or found[0] in words("naming", "generic"):
        return None
    r.clause.claim(begin + found[1][0], begin + found[1][1], "name")
    return found[0]


def _is_file(clause: Clause, at: int) -> bool:
    token: Token = clause.tokens[at]
    named = token.kind == "path" or (token.kind == "quote" and re.search(r"[./\\]", token.text))
    return bool(named) and clause.free(at, at + 1)
