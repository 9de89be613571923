"""What an access token lends and what it is for: `a read-only token for the grafana scraper`."""

from __future__ import annotations

import re

from graphs.understanding.lexicon import split_phrases, words
from graphs.understanding.reading import Reading
from graphs.understanding.text import phrase_at
from tools.kernel.entities import EntityKind

_MAKES = "platform.create_token"
_READING = split_phrases(
    [
        "read-only", "read only", "readonly", "only read", "only reading", "reading only",
        "only for reading", "for reading only", "just read", "just reading", "only reads",
        "read access only", "only read access", "read access and nothing else", "read access",
        "with read rights", "read rights only", "only has read rights", "reading rights only",
        "reading rights", "nothing but read", "nothing but reading", "no more than read",
        "cannot change anything", "can't change anything", "that changes nothing",
    ]
)  # fmt: skip
_LEADS = frozenset(["can", "may", "is", "should", "must", "that", "which", "it", "and", "to"])
_ENDS = frozenset(["that", "which", "with", "for", "and", "to", "called", "named", "labelled"])
_LONGEST = 4


def token_scopes(r: Reading) -> None:
    """`read-only`: a token that lends reading and nothing else."""
    if r.operation.name != _MAKES or not r.open("scopes"):
        return
    if said := list(_SCOPE.finditer(r.scope.whole)):
        _written(r, said)
        return
    if (span := r.clause.find(_READING)) is None:
        return
    start = span[0]
    while start and r.clause.tokens[start - 1].low in _LEADS and r.clause.free(start - 1, start):
        start -= 1
    r.set("scopes", ["*:read"], (start, span[1]))


def token_owner(r: Reading) -> None:
    """`everybody's tokens`: those of all users."""
    if r.operation.name == "platform.tokens" and (span := r.clause.find(_EVERYBODY)):
        r.set("user", "*", span)


_EVERYBODY = split_phrases(
    ["everybody 's", "everyone 's", "everybody's", "everyone's", "everybodys", "everyones",
     "of everybody", "of everyone", "of all users", "of all people", "all users '", "all users'",
     "all people 's", "all people's", "by everybody", "by everyone", "from everybody"]
)  # fmt: skip


_SCOPE = re.compile(r"(?<![\w:])(?:\*|[a-z_]+):(?:read|write|dangerous)\b")


def _written(r: Reading, said: list[re.Match[str]]) -> None:
    """Scopes as they are written: `with scopes datasets:read and registry:write`."""
    begin, end = said[0].start(), said[-1].end()
    inside = [i for i, t in enumerate(r.clause.tokens) if begin <= t.start and t.end <= end]
    if not inside:
        return
    start = inside[0]
    while start and r.clause.tokens[start - 1].low in {"scope", "scopes", "with", "the", ":"}:
        start -= 1
    r.set("scopes", [match.group() for match in said], (start, inside[-1] + 1))


def token_labels(r: Reading) -> None:
    """Labels that are given in so many words: `one labelled ci and one labelled cd`."""
    if r.operation.name != _MAKES or not r.open("label"):
        return
    tokens, found = r.clause.tokens, list[str]()
    for at in range(1, len(tokens)):
        size = phrase_at(tokens, at - 1, _GIVEN)
        begin = at - 1 + size
        if not size or begin >= len(tokens) or tokens[begin].kind not in ("word", "quote"):
            continue
        if r.clause.free(begin, begin + 1) and tokens[begin].low not in _ENDS | {"it", "as"}:
            found.append(tokens[begin].text)
            r.set("label", found[0], (at - 1, begin + 1))
    if len(found) > 1:
        r.out.several["label"] = found[1:]
    if not found:
        _for_whom_nobody_is(r)


def _for_whom_nobody_is(r: Reading) -> None:
    """The label of `a token for grafana`, which is no user here and is spelt like none."""
    tokens, kind = r.clause.tokens, EntityKind.USER
    for at in range(len(tokens) - 1):
        word = tokens[at + 1]
        ends = at + 2 == len(tokens) or tokens[at + 2].low in _ENDS | {",", ".", "!"}
        if tokens[at].low != "for" or word.kind != "word" or not ends or word.low in _NOBODY:
            continue
        known = any(m.start <= at + 1 < m.end for m in r.clause.mentions)
        near = r.scope.linker.near(kind, word.text, r.scope.names)
        if not known and not near and word.low not in r.scope.verbs:
            r.set("label", word.text, (at, at + 2))
            return


_NOBODY = frozenset(["me", "us", "him", "her", "them", "it", "now", "that", "this"])


_GIVEN = split_phrases(
    ["labelled", "labeled", "called", "named", "label it", "call it", "name it", "the label",
     "label", "titled", "by the name of", "label :", "label ="]
)  # fmt: skip


def token_label(r: Reading) -> None:
    """What a token is for, where it has no other label: `for the grafana scraper`."""
    if r.operation.name != _MAKES or not r.open("label"):
        return
    tokens = r.clause.tokens
    for at, token in enumerate(tokens[:-2]):
        if token.low != "for" or not phrase_at(tokens, at + 1, _THE):
            continue
        end = begin = at + 2
        while end < len(tokens) and end - begin < _LONGEST and _names(r, end):
            end += 1
        if end > begin:
            r.set("label", r.clause.text(begin, end), (at, end))
            return


_THE = (("the",), ("our",), ("my",), ("a",), ("an",), ("its",))


def _names(r: Reading, at: int) -> bool:
    token = r.clause.tokens[at]
    plain = token.kind == "word" and r.clause.free(at, at + 1)
    return plain and token.low not in _ENDS | words("words", "prepositions") | {"user", "account"}
