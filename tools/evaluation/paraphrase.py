"""A text in other words, offline: contractions, common synonyms, the order of clauses, a courtesy.

Rules do not understand a text. They change what can be changed without understanding it, and
`reworded` tells those rows apart in which they found something from those in which they did not.
"""

from __future__ import annotations

import random
import re

_WORDING = {
    "cannot": "can not",
    "can't": "cannot",
    "won't": "will not",
    "don't": "do not",
    "doesn't": "does not",
    "didn't": "did not",
    "isn't": "is not",
    "wasn't": "was not",
    "aren't": "are not",
    "couldn't": "could not",
    "i'm": "i am",
    "i've": "i have",
    "i'd": "i would",
    "we're": "we are",
    "it's": "it is",
    "what's": "what is",
    "that's": "that is",
    "i am": "i'm",
    "do not": "don't",
    "it is": "it's",
    "want to": "would like to",
    "need to": "have to",
    "how do i": "how can i",
    "how can i": "how do i",
    "a lot of": "many",
    "as well as": "and also",
    "in order to": "to",
    "based on": "built on",
    "as soon as": "once",
    "buy": "purchase",
    "get": "obtain",
    "help": "assist",
    "fix": "repair",
    "broken": "not working",
    "begin": "start",
    "quickly": "fast",
    "big": "large",
    "small": "little",
    "wrong": "incorrect",
    "right": "correct",
    "happy": "glad",
    "show": "display",
    "shows": "displays",
    "tell": "inform",
    "ask": "enquire",
    "also": "too",
    "but": "however",
    "very": "really",
    "often": "frequently",
    "maybe": "perhaps",
    "create": "make",
    "creates": "makes",
    "provides": "offers",
    "provide": "offer",
    "contains": "includes",
    "contain": "include",
    "uses": "employs",
    "various": "several",
    "different": "various",
    "simple": "easy",
    "main": "chief",
    "error": "mistake",
    "problem": "issue",
    "issue": "problem",
    "answer": "reply",
    "send": "pass on",
    "receive": "get",
    "received": "got",
    "change": "alter",
    "delete": "remove",
    "remove": "delete",
    "whole": "entire",
    "between": "among",
    "about": "regarding",
    "still": "even now",
    "again": "once more",
}
_WORDS = re.compile(r"\b(" + "|".join(sorted(_WORDING, key=len, reverse=True)) + r")\b", re.I)
_FRAMES = (
    "could you look at this: {}",
    "hello, {}",
    "{}, thank you",
    "please note: {}",
    "a question: {}",
    "{} - any idea?",
)
_JOINS = r"because|when|after|while|before|if|although|unless|whenever"
_SECOND = re.compile(
    rf"^(?P<main>\w[^.!?;]*?),? (?P<join>{_JOINS}) (?P<side>[^.!?;,]+)(?P<end>\W*)$", re.I
)
_FIRST = re.compile(
    rf"^(?P<join>{_JOINS}) (?P<side>[^.!?;,]+), (?P<main>[^.!?;]+?)(?P<end>\W*)$", re.I
)


def paraphrase(text: str, rng: random.Random) -> str:
    """A text in other words, with a courtesy round it.

    Args:
        text: any text.
        rng: chooses the courtesy.
    """
    return rng.choice(_FRAMES).format(reworded(text))


def reworded(text: str) -> str:
    """A text with its clauses in the other order and common words exchanged.

    The text as it is where no rule finds anything.
    """
    return _WORDS.sub(_exchanged, _turned(text))


def _turned(text: str) -> str:
    """`A because B` as `Because B, A`, and the other way round."""
    if found := _FIRST.match(text):
        return f"{found['main']} {found['join'].lower()} {found['side']}{found['end']}"
    if found := _SECOND.match(text):
        return f"{found['join']} {found['side']}, {found['main']}{found['end']}"
    return text


def _exchanged(found: re.Match[str]) -> str:
    said = _WORDING[found[0].lower()]
    return said.capitalize() if found[0][0].isupper() and found[0] != "I" else said
