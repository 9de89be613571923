"""What must not become a step: quoted and pasted text, other languages, "what if"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from graphs.understanding.clause import strip_leading
from graphs.understanding.lexicon import lexicon, phrases, words
from graphs.understanding.text import Token, find_phrase, outside_paths, tokenise

_LOG = re.compile(lexicon()["guards"]["log_line"], re.I)
_REPORTING = re.compile(
    r"(?:^|(?<=\W))(?:" + "|".join(re.escape(c) for c in lexicon()["guards"]["reporting"]) + ")",
    re.I,
)
_SPEAKER = re.compile(
    r"^\s*(?:(?:[\[(][\d:.,/ apm-]{3,20}[\])]\s*)?[\w.@ -]{1,30}:\s"
    r"|[\[(](?:[\w.@-]+ ){1,3}\d{1,2}:\d\d[^\])]*[\])])"
)
_STAMPED = re.compile(
    r"^\s*(?:[\[(](?:[\w.@-]+ ){0,3}\d{1,2}:\d\d[^\])]*[\])]\s*[\w.@ -]{0,30}:?\s"
    r"|(?:system|assistant|user|tool|developer)\s*:\s)",
    re.I,
)
"""A line of a chat by itself, or one that plays the part of a model's prompt."""
_ASKED_FIRST = re.compile(r".*[.?!;](?=\s)")
"""What stands before the words that lead up to pasted text: `how is it doing? its log:`."""
_FENCE = re.compile(r"```.*?(?:```|$)", re.S)


def own_words(text: str) -> tuple[str, bool]:
    """The person's own words without pasted logs, quoted lines and reported speech.

    Returns:
        The words, and True if something was left out.
    """
    kept = _FENCE.sub(" ", text)
    lines = [line for line in kept.splitlines() if line.strip()]
    own: list[str] = []
    for line in lines:
        several = len(lines) > 1
        pasted = _LOG.match(line) or _STAMPED.match(line)
        if pasted or (several and (_SPEAKER.match(line) or line.rstrip().endswith(":"))):
            if not pasted and (asked := _ASKED_FIRST.match(line)):
                own.append(asked.group())
            break  # what follows a pasted line is taken as pasted too
        own.append(line)
    words_ = "\n".join(own if len(own) < 5 else own[:1])
    cut = _reported(_without_hearsay(_without_reports(words_)))
    return cut, cut.strip() != text.strip()


def after_paste(text: str) -> str:
    """What stands behind pasted lines and may be the person's own; empty if there is nothing."""
    lines = [line for line in _FENCE.sub("```", text).splitlines() if line.strip()]
    pasted = [
        at
        for at, line in enumerate(lines)
        if _LOG.match(line) or _SPEAKER.match(line) or _STAMPED.match(line) or line.strip() == "```"
    ]
    return "\n".join(lines[pasted[-1] + 1 :]) if pasted else ""


def _without_reports(text: str) -> str:
    """The text without statements that quote: `the log says "…". show me the jobs`.

    A question about what is quoted, and an order that has a quotation in it, stay.
    """
    tokens = tokenise(text)
    for at, token in enumerate(tokens):
        if token.kind != "quote" and not _quoted_order(token, text):
            continue
        ends = [
            i
            for i, t in enumerate(tokens)
            if t.low in ".!?;" or text[t.start - 1 : t.start] == "\n"
        ]
        begin = max((i + 1 for i in ends if i < at), default=0)
        end = min((i for i in ends if i > at), default=len(tokens))
        before = [t.low for t in tokens[begin:at] if t.kind != "punctuation"]
        asks = end < len(tokens) and tokens[end].low == "?"
        after = [t.low for t in tokens[at + 1 : end]]
        told = not asks and not (before and before[0] in _ASKING_FIRST)
        if told and set(before or after) & words("guards", "telling"):
            stop = tokens[end].end if end < len(tokens) else len(text)
            return _without_reports(text[: tokens[begin].start] + text[stop:])
    return text


def _quoted_order(token: Token, text: str) -> bool:
    """True for `'please forget notes.md'`, which only ends as the name of a file does."""
    return token.kind == "path" and text[token.start] in _MARKS and bool(_ASKS.match(token.low))


_MARKS = frozenset("\"'`“‘")
_ASKS = re.compile(r"\s*(?:please|pls|can you|could you|would you)\s")
_HEARSAY = re.compile(
    r"(?P<who>[a-z][\w'-]*(?:\s[a-z][\w'-]*){0,3}?)\s(?:just\s|also\s|always\s|then\s)?"
    r"(?:said|says|wrote|writes|told(?:\s(?:me|us|them|him|her))?|(?:is|was|keeps?|kept)\ssaying"
    r"|insists|insisted|suggested|suggests|shouted|texted|mailed|messaged)"
    r"(?:\s(?:to|please)|[,:])?\s+(?P<verb>[a-z][\w-]*)",
    re.I,
)
"""Somebody, a word for saying, and the first word of what was said: `nadia said roll back …`."""
_OWN = frozenset(
    ["i", "we", "you", "as", "like", "if", "when", "unless", "until", "once", "because"]
)


def _without_hearsay(text: str) -> str:
    """The text without sentences that tell what somebody else said should be done."""
    kept = [part for part in re.split(r"(?<=[.!?;\n])(?=\s)", text) if not _is_hearsay(part)]
    return "".join(kept)


def _is_hearsay(sentence: str) -> bool:
    found = _HEARSAY.match(sentence.strip())
    if found is None:
        return False
    first = found["who"].lower().split()[0]
    return (
        found["verb"].lower() in words("verbs", "commands")
        and first not in _OWN
        and first not in _ASKING_FIRST
    )


_MANNERS = frozenset([("please",), ("pls",), ("can",), ("could",), ("you",), ("hey",), ("hi",)])
_ASKING_FIRST = words("segment", "questions") | words("verbs", "commands") | {"what's", "please"}


def _reported(text: str) -> str:
    """The text up to where it begins to report what something or somebody says."""
    found = next(outside_paths(_REPORTING, text), None)
    if found is None:
        return text
    before = text[: found.start()]
    begin = max(before.rfind(mark) for mark in ".!?;\n") + 1
    comma = before.rfind(",")
    first = next((t.low for t in tokenise(before[begin:]) if (t.low,) not in _MANNERS), "")
    if comma > begin and first in words("verbs", "commands"):
        return before[:comma]  # an order of one's own: `check the kiosks, the log says: …`
    return before[:begin]


def is_foreign(tokens: Sequence[Token]) -> bool:
    """True if the sentence is not in English."""
    said = [t.low for t in tokens if t.kind == "word"]
    if not said:
        return False
    letters = "".join(said)
    if sum(not c.isascii() for c in letters) > 0.3 * len(letters):
        return True
    foreign = sum(w in words("guards", "foreign") for w in said)
    english = sum(w in _ENGLISH for w in said)
    return foreign >= 2 and foreign > english


_ENGLISH = (
    words("words", "stop") | words("words", "determiners") | words("words", "prepositions")
) - (words("guards", "foreign"))


def hypothetical(tokens: Sequence[Token]) -> tuple[list[Token], bool]:
    """The sentence without its "what would happen if", and whether it had one."""
    kept, found = list(tokens), False
    for phrase in phrases("guards", "hypothetical"):
        start = find_phrase(kept, phrase)
        if start < 0 or not _whole(phrase, kept, start):
            continue
        found = True
        rest = kept[start + len(phrase) :]
        before = [t for t in kept[:start] if t.kind != "punctuation"]
        kept = kept[:start] + _without_fillers(rest) if len(before) > 2 else _without_fillers(rest)
    return kept, found


def _whole(phrase: tuple[str, ...], tokens: list[Token], start: int) -> bool:
    if phrase in _AT_FIRST:
        return start == 0
    return True


_AT_FIRST = frozenset(
    (
        *[(word,) for word in ("preview", "suppose", "imagine", "simulate", "pretend")],
        ("say", "i"),
        ("say", "we"),
    )
)
"""What supposes something only where a sentence begins with it."""


def _without_fillers(tokens: list[Token]) -> list[Token]:
    fillers = phrases("guards", "hypothetical_fillers")
    changed = True
    while tokens and changed:
        changed = False
        for filler in fillers:
            if find_phrase(tokens, filler, 0, len(filler)) == 0:
                tokens, changed = tokens[len(filler) :], True
                break
    return tokens


def narrates(tokens: Sequence[Token], verbs: frozenset[str]) -> bool:
    """True for what was done or is thought: `I rolled back the kiosks`, `nadia thinks that …`."""
    low = [t.low for t in tokens if t.kind != "punctuation"]
    if any(word in _OPINIONS for word in low[:_EARLY]) and low[0] not in verbs:
        return True
    at = 1 if low and low[0] in _TELLERS else 0
    while at and at < len(low) and (low[at] in _ALREADY or low[at].endswith("ly")):
        at += 1
    if not at or at >= len(low):
        return False
    past = low[at] not in verbs and any(s in verbs for s in stems(low[at]) if low[at][-1] in "dnt")
    return past or (low[at] in _PAST and low[at] not in {"put", "cut", "set"})


_OPINIONS = frozenset(
    ["thinks", "believes", "feels", "reckons", "claims", "argues", "hopes", "insists", "suspects",
     "assumes", "suggested", "suggests", "mentioned", "announced", "proposes", "proposed",
     "recommends", "complained", "complain", "complains", "wondered", "dreamt", "dreamed"]
)  # fmt: skip
_EARLY = 4
_TELLERS = frozenset(
    ["i", "we", "you", "they", "he", "she", "someone", "somebody", "nobody", "everyone", "i've",
     "we've", "they've", "you've", "colleagues"]
)  # fmt: skip
_ALREADY = frozenset(["already", "just", "have", "had", "has", "then", "even", "also", "once"])
_PAST = frozenset(["ran", "sent", "made", "took", "gave", "went", "put", "shipped", "began"])


def present_tense(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    """`deployed` → `deploy` where the sentence begins with a past form of a command."""
    if not tokens:
        return tokens
    first = tokens[0]
    for stem in stems(first.low):
        if stem in verbs and first.low not in verbs:
            base = Token(stem, stem, first.start, first.end, "word")
            return [base, *tokens[1:]]
    return tokens


def present_throughout(tokens: list[Token], verbs: frozenset[str]) -> list[Token]:
    """`retired X and removed Y` with every act in the form of an order.

    Args:
        tokens: what is only supposed.
        verbs: the words that begin commands.
    """
    found = present_tense(tokens, verbs)
    for at in range(1, len(found)):
        if found[at - 1].low in _JOINED_BY:
            found[at:] = present_tense(found[at:], verbs)
    return found


_JOINED_BY = frozenset(["and", "then", "or", "also", ",", "i", "we"])


def stems(word: str) -> list[str]:
    """What a word may be another form of: `deployed`, `rolling`."""
    stems: list[str] = []
    if word.endswith("ed"):
        stems += [word[:-2], word[:-1], word[:-3]]
    if word.endswith("ing"):
        stems += [word[:-3], word[:-3] + "e", word[:-4]]
    stems += _IRREGULAR.get(word, [])
    return stems


_IRREGULAR = {
    "froze": ["freeze"],
    "began": ["begin"],
    "shut": ["shut"],
    "stood": ["stand"],
    "split": ["split"],
    "ran": ["run"],
    "sent": ["send"],
    "put": ["put"],
    "made": ["make"],
    "took": ["take"],
    "gave": ["give"],
    "went": ["go"],
}


def act(tokens: Sequence[Token]) -> str | None:
    """What a short sentence is by itself: yes, no, cancel, greeting, thanks, farewell."""
    said = [t.low for t in tokens if t.kind != "punctuation"]
    led = strip_leading(list(tokens), phrases("dialogue", "correction"))
    rest = [t.low for t in led if t.kind != "punctuation"]
    return _act(said) or _act(_unled(said)) or _act(_unled(rest)) or _given_up(tokens)


def after_no(tokens: Sequence[Token]) -> list[Token]:
    """What follows a no that stands alone: `no wait. which tokens does he have?`; empty if none.

    Args:
        tokens: a sentence that changes nothing of what waits.
    """
    at = next((i for i, t in enumerate(tokens) if i and t.low in ".!,;-–—:"), len(tokens))
    said = [t.low for t in tokens[:at]]
    led = words("dialogue", "leading") | {"second", "moment", "sec", "a"}
    denies = act(tokens[:at]) in ("no", "cancel") or ("no" in said and set(said) <= led)
    return list(tokens[at + 1 :]) if denies or {"wait", "stop"} >= set(said) else []


def takes_back(tokens: Sequence[Token]) -> bool:
    """True for a last clause that takes back what was said before it: `…, forget I asked`."""
    said = [t.low for t in tokens if t.kind != "punctuation"]
    if said and _act(["never", *said]) == "cancel":  # its "never" was taken for a negation
        return True
    return len(said) > 1 and _act(said) == "cancel" and said[0] not in ("stop", "cancel", "abort")


def _given_up(tokens: Sequence[Token]) -> str | None:
    """`forget it, too risky tonight`: given up, with the reason for it."""
    at = next((i for i, t in enumerate(tokens) if t.low in ",.!;-–—"), 0)
    if at and _kept([t.low for t in tokens[:at]], [t.low for t in tokens[at + 1 :]]):
        return "no"
    given_up = at > 1 and _act([t.low for t in tokens[:at]]) == "cancel"
    if not given_up:
        return None
    reason = [t.low for t in tokens[at + 1 :] if t.kind != "punctuation"]
    if tokens[at].low != "," and set(reason) & (words("segment", "questions") | {"help"}):
        return None  # another request follows
    orders = set(reason) & (words("verbs", "commands") | _INSTEAD)
    numbered = any(c.isdigit() for word in reason for c in word)
    return "cancel" if len(reason) <= _REASON and not orders and not numbered else None


def _kept(first: list[str], rest: list[str]) -> bool:
    """True for `no, he comes back, leave him`: what was to be changed stays as it is."""
    if (_act(first) or _act(_unled(first))) != "no":
        return False
    pairs = itertools.pairwise(rest)
    return any(a in _KEEPING and b in _KEPT for a, b in pairs) or bool(set(rest) & {"stays"})


_KEEPING = frozenset(["leave", "keep", "let"])
_KEPT = frozenset(["him", "her", "it", "them", "that", "this", "things", "everything", "as"])
_REASON = 7
_INSTEAD = frozenset(["instead", "rather", "but", "wrong", "meant", "mean"])


def tells(tokens: Sequence[Token]) -> bool:
    """True for what people do, told beside an order: `users are screaming`."""
    said = [t.low for t in tokens if t.low not in words("words", "determiners")]
    if len(said) < 2 or "?" in said or said[0] not in words("courtesies", "bystanders"):
        return False
    return said[1] in words("courtesies", "happenings") or said[1].endswith("ing")


def _act(said: list[str]) -> str | None:
    joined = " ".join(said)
    for name in ("cancel", "yes", "no", "thanks", "greeting", "farewell"):
        if joined in _acts(name):
            return name
    return None


def _unled(said: list[str]) -> list[str]:
    """Words without what leads up to them and trails after: `no wait`, `actually`, `please`."""
    led, kept = words("dialogue", "leading"), list(said)
    while len(kept) > 1 and kept[0] in led:
        kept = kept[1:]
    while len(kept) > 1 and kept[-1] in words("dialogue", "trailing"):
        kept = kept[:-1]
    return kept


def _acts(name: str) -> frozenset[str]:
    known = _ACTS.get(name)
    if known is None:
        known = _ACTS[name] = frozenset(
            " ".join(t.low for t in tokenise(entry) if t.kind != "punctuation")
            for entry in lexicon()["dialogue"][name]
        )
        known = _ACTS[name] = (
            known | {f"{said} please" for said in known} | {f"{said} pilothouse" for said in known}
        )
    return known


_ACTS: dict[str, frozenset[str]] = {}
