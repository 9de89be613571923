"""What is said of a rollout's course: its steps, how long and on what each is judged, who is meant.

`canary at 5, 25 then 100 percent, ten minutes each`, `only phones with at least 6 GB on Wi-Fi`,
`between 22:00 and 06:00`, `at most 20 devices a minute`, `until monday because of the audit`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from graphs.understanding import values
from graphs.understanding.reading import Reading
from graphs.understanding.text import Token
from tools.kernel.entities import EntityKind

USUAL_STEPS = [1, 10, 50, 100]
_WHOLE = 100
_BETWEEN = frozenset([",", "then", "and", "/", "->", "→", "next", "finally", "to", ">", "-"])
_SHARE = frozenset(["%", "percent", "pct", "percentage"])
_EVERYBODY = frozenset(["everyone", "everybody", "all", "everything", "rest", "hundred"])
_UNITS_AFTER = frozenset(
    [
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "m",
        "min",
        "mins",
        "minute",
        "minutes",
        "h",
        "hour",
        "hours",
        "gb",
        "gigs",
        "g",
        "devices",
        "machines",
        "answers",
        "requests",
        "samples",
        "predictions",
        "epochs",
        "trials",
        "times",
        ":",
        "points",
    ]
)
_STEPPED = re.compile(
    r"\bcanary\b|\bsteps?\b|\bstages?\b|\bstaged\b|\bphases?\b|\brollout\b|\bgradual(?:ly)?\b"
)
_USUAL = re.compile(r"\b(?:in|with|by) (?:the )?(?:usual |small |several )?(?:steps|stages)\b")
_NUMBER = r"(\d+(?:[.,]\d+)?|half an?|[a-z]+(?:-[a-z]+)?)"
_EACH = r"(?:each|per step|a step|per stage|a stage|at each step|every step|between steps|apart)"
_MINUTES = re.compile(
    rf"\b(?:for )?{_NUMBER} (seconds?|secs?|s|minutes?|mins?|min|hours?|h)"
    rf"(?: (?:for|at|in))? {_EACH}\b"
)
_HELD_FOR = re.compile(
    rf"(?:(?<=% )|(?<=percent ))for {_NUMBER} (seconds?|secs?|s|minutes?|mins?|min|hours?|h)"
    r"(?=(?: [,;.])?(?: and)? then\b| [,;.]|$)"
)
_ONE_STEP = re.compile(r"\b(?:shadow|canary)")
_LASTS = re.compile(rf"\bfor {_NUMBER} (seconds?|secs?|s|minutes?|mins?|min|hours?|h)\b")
"""How long a shadow or a canary, said to last as one, is watched."""
_WATCHED = re.compile(
    r"\b(?:watch\w*|hold\w*|wait\w*|observ\w*|soak\w*|bak\w*)"
    r"(?: (?:each|every|them|it|step|stage|of|one|all|the|at|in|between|steps|stages|for))*"
    rf" {_NUMBER} (seconds?|secs?|s|minutes?|mins?|min|hours?|h)(?: {_EACH})?\b"
)
_SAMPLE = re.compile(
    rf"\b(?:with |after |needing |on )?(?:at least |a minimum of |min )?{_NUMBER} "
    r"(?:answers?|requests?|predictions?|samples?|comparisons?)"
    r"(?: each| per step| a step| at least)?\b"
)
_RATE = re.compile(
    rf"\b(?:at most |no more than |max |up to )?{_NUMBER} (?:devices? |of them |machines? )?"
    r"(?:a|per|each|every|/) ?minute\b"
)
_CLOCK = r"(\d{1,2}(?: : \d\d)?)(?: ?([ap])\.?m\.?)?"
_WINDOW = re.compile(
    r"\b(?:only )?(?:(?:in |during |within )?(?:the |our )?"
    r"(?:maintenance |change |service )?window )?"
    r"(?:of |between |from |during )?"
    rf"{_CLOCK} ?(?:-|–|and|to|until|till) ?{_CLOCK}\b(?: ?utc\b)?"
)
_MEMORY = re.compile(
    r"\b(?:with |that have |having )?(?:at least |more than |over |min |minimum |>= ?|> )?"
    rf"(?:of )?{_NUMBER} ?(?:gb|gigs?|gigabytes?|g)(?: or more)?(?: of)?(?: (?:memory|ram))?\b"
)
_NETWORKS = (
    ("wifi", re.compile(r"\b(?:on |over |with |in )?(?:the )?(?:wi-fi|wifi|wi fi|wlan)\b")),
    ("ethernet", re.compile(r"\b(?:on |over |with )?(?:the )?(?:ethernet|lan|cable|wired)\b")),
    ("cellular", re.compile(r"\b(?:on |over |with )?(?:cellular|mobile data|lte|4g|5g)\b")),
)
_UNTIL = re.compile(r"\b(?:until|till) (.+?)(?= because| since| due to| as we| for the| ,|$)")
_LASTING = re.compile(rf"\bfor (?:the next )?({_NUMBER} (?:hours?|days?|weeks?))\b")
_REASON = re.compile(r"\b(?:because of |because |due to |reason : ?|since |for the )(.+)$")
_KEYS = (
    re.compile(r"\bkey (\S+)"),
    re.compile(r"(?<!version )(?<!\w)(?!v\d+\b)([a-z#_-]*\d\S*) (?:ended|went|turned|came|was)\b"),
    re.compile(r"\b(?:for|of|that) (?!v\d+\b)(\S*\d\S*)"),
)
_VERSION = re.compile(r"\bv(?:ersion)? ?(\d+)\b")
_TESTED = re.compile(r"\ba/b\b|\bab[ -]test\b|\b(?:won|wins|winner|winning)\b|\bis ahead\b")
_BAD = re.compile(
    r"\b(?:fail\w*|badly|bad|wrong|unsuccessful\w*|unsolved|no success|lost"
    r"|(?:not|n't|never) (?:\w+ )?(?:solved|right|correct|well|good|helpful|resolved))\b"
)
_DECISION = re.compile(
    r"\b(?:with |and )?(?:the |our |as )?decision (?:is |was )?(?:: ?)?"
    r"(?:to |that )?(.+)$"
    r"|\bwe decided (?:to |that )(.+)$"
)
_UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0}


def steps(r: Reading) -> None:
    """Shares that follow one another, before a single share is looked for."""
    if "steps" not in r.fields or not r.open("steps"):
        return
    before = list(r.clause.claimed)
    if "minutes" in r.fields and r.open("minutes"):
        _minutes(r)  # the half of `half a minute each` is no share
    tokens = r.clause.tokens
    held = [bool(now and not then) for now, then in zip(r.clause.claimed, before, strict=True)]
    for at in range(len(tokens)):
        found = None if held[at] else _run(tokens, at, held)
        if found is None or any(before[at : found[2]]):
            continue
        shares, with_sign, end = found
        to_all = len(shares) > 2 and shares[-1] == _WHOLE
        if with_sign or to_all or _STEPPED.search(_text(tokens)):
            r.set("steps", shares, (_led_by(tokens, at), end))
            return
    if match := _USUAL.search(_text(tokens)):
        r.set("steps", USUAL_STEPS, _span(tokens, match.span()))


def _led_by(tokens: list[Token], at: int) -> int:
    """Where the `in steps of` before shares begins; where they begin themselves without it."""
    first = at
    while first and tokens[first - 1].low in _LEADING | _NOUNS:
        first -= 1
    return first if {t.low for t in tokens[first:at]} & _NOUNS else at


_NOUNS = frozenset(["steps", "stages", "phases", "waves", "increments", "shares"])
_LEADING = frozenset(["in", "with", "by", "of", "at", "the", "over", "through", ":", "to"])


def details(r: Reading) -> None:
    """All else that may be said of a rollout, once its group and model are known."""
    if r.operation.domain != "deployment" and "decision" not in r.fields:
        return
    for name, reader in _READERS.items():
        if name in r.fields and r.open(name):
            reader(r)


def _run(tokens: list[Token], at: int, held: Sequence[bool]) -> tuple[list[int], bool, int] | None:
    """Growing shares from a token on, whether one has a percent sign, and where they end.

    What is `held` says for how long a step is watched, and may stand between them.
    """
    shares: list[int] = []
    signed, index, end = False, at, at
    while index < len(tokens):
        read = _shares_at(tokens, index) or (_rest(tokens, index) if shares else None)
        after = tokens[read[1]].low if read and read[1] < len(tokens) else ""
        if read is None or after in _UNITS_AFTER or not _grows([*shares, *read[0]]):
            break
        shares += read[0]
        index = end = read[1]
        if index < len(tokens) and tokens[index].low in _SHARE:
            signed, index, end = True, index + 1, index + 1
        while index < len(tokens) and (held[index] or tokens[index].low in _BETWEEN):
            index += 1
    return (shares, signed, end) if len(shares) > 1 else None


def _grows(shares: list[int]) -> bool:
    return shares == sorted(set(shares)) and shares[0] > 0 and shares[-1] <= _WHOLE


def _rest(tokens: list[Token], at: int) -> tuple[list[int], int] | None:
    """The last step in words: `then everyone`, `and a hundred`, `then the rest`."""
    skipped = at + (tokens[at].low in ("a", "the"))
    if skipped < len(tokens) and tokens[skipped].low in _EVERYBODY:
        of_them = [t.low for t in tokens[skipped + 1 : skipped + 3]] in (
            ["of", "it"],
            ["of", "them"],
        )
        return [_WHOLE], skipped + (3 if of_them else 1)
    return None


def _shares_at(tokens: list[Token], at: int) -> tuple[list[int], int] | None:
    """The 5, 25 and 100 of `5,25,100` or `5/25/100`, which is one token, or one number."""
    if re.fullmatch(r"\d{1,3}(?:[,/]\d{1,3})+", tokens[at].low):
        return [int(part) for part in re.split("[,/]", tokens[at].low)], at + 1
    found = values.number_at(tokens, at)
    if found is None or found[0] != int(found[0]):
        return None
    return [int(found[0])], found[1]


def _minutes(r: Reading) -> None:
    alone = _ONE_STEP.search(_text(r.clause.tokens)) is not None
    ways = (_MINUTES, _WATCHED, _HELD_FOR, *((_LASTS,) if alone else ()))
    if (found := next((f for way in ways if (f := _numbered(r, way))), None)) is not None:
        value, match, span = found
        r.set("minutes", round(value * _UNITS[match[2][0]], 4), span)


def _sample(r: Reading) -> None:
    if (found := _numbered(r, _SAMPLE)) is not None:
        r.set("sample", int(found[0]), found[2])


def _rate(r: Reading) -> None:
    if (found := _numbered(r, _RATE)) is not None:
        r.set("per_minute", int(found[0]), found[2])


def _memory(r: Reading) -> None:
    if (found := _numbered(r, _MEMORY)) is not None:
        r.set("min_memory_gb", values.as_number(found[0], r.fields["min_memory_gb"]), found[2])


def _window(r: Reading) -> None:
    tokens = r.clause.tokens
    text = _text(tokens)
    for match in _WINDOW.finditer(text):
        first, half, last, other = (part and part.replace(" ", "") for part in match.groups())
        said = ":" in first + last or "window" in text or half or other
        window = _hours((first, half or other), (last, other or half))
        if said and window is not None:
            r.set("window", window, _span(tokens, match.span()))
            return


def _hours(*clocks: tuple[str, str | None]) -> str | None:
    """`22:00-06:00` of two times, each with the half of the day that it is in, if said."""
    told: list[str] = []
    for said, half in clocks:
        hour, _, minute = said.partition(":")
        number = int(hour) % 12 + 12 * (half == "p") if half else int(hour)
        if number > 23 or (half and not 1 <= int(hour) <= 12):
            return None
        told.append(f"{number:02}:{minute or '00'}")
    return "-".join(told)


def _network(r: Reading) -> None:
    tokens = r.clause.tokens
    for name, pattern in _NETWORKS:
        if match := pattern.search(_text(tokens)):
            r.set("network", name, _span(tokens, match.span()))
            return


def _profile(r: Reading) -> None:
    """A class of device beside a group that was named, or is spoken of, by another word.

    The phones of which it was asked which group they are (`phones-field`) are that group.
    """
    if r.open("group") or "group" in r.answered():
        return
    if found := values.read_choice(r.clause, "profile", values.choices_of(r.fields["profile"])):
        r.set("profile", *found)


def _until(r: Reading) -> None:
    tokens = r.clause.tokens
    if match := _UNTIL.search(_text(tokens)) or _LASTING.search(_text(tokens)):
        said = match[1].strip(" .!")
        r.set("until", said.replace(" : ", ":"), _span(tokens, match.span()))


def _reason(r: Reading) -> None:
    tokens = r.clause.tokens
    match = _REASON.search(_text(tokens))
    if match is None:
        return
    first, said = _span(tokens, match.span(1))[0], match[1].strip(" .!,")
    named = bool(r.scope.linker.partial(EntityKind.DEVICE_GROUP, tokens[first:], r.scope.names))
    named = named or any(m.start == first for m in r.clause.mentions)
    if said and not named:  # `just for the kiosks` gives no reason
        r.set("reason", said, _span(tokens, match.span()))


def _key(r: Reading) -> None:
    tokens = r.clause.tokens
    text = _text(tokens)
    if match := next((m for one in _KEYS if (m := one.search(text))), None):
        first, end = _span(tokens, match.span(1))
        r.set("key", r.clause.text(first, end), _span(tokens, match.span()))


def _decision(r: Reading) -> None:
    tokens = r.clause.tokens
    if match := _DECISION.search(_text(tokens)):
        r.set("decision", (match[1] or match[2]).strip(" .!"), _span(tokens, match.span()))


def _answered_by(r: Reading) -> None:
    """The version whose answer had an outcome, or that won a test: of no model that is named."""
    tokens = r.clause.tokens
    won = r.operation.name == "deployment.promote" and _TESTED.search(_text(tokens))
    if "success" not in r.fields and not won:
        return
    if match := _VERSION.search(_text(tokens)):
        r.set("version", int(match[1]), _span(tokens, match.span()))


def _success(r: Reading) -> None:
    tokens = r.clause.tokens
    if match := _BAD.search(_text(tokens)):
        r.set("success", False, _span(tokens, match.span()))


def _numbered(
    r: Reading, pattern: re.Pattern[str]
) -> tuple[float, re.Match[str], tuple[int, int]] | None:
    """The first match of a pattern whose first group is a number in digits or words."""
    tokens = r.clause.tokens
    for match in pattern.finditer(_text(tokens)):
        span = _span(tokens, match.span())
        first = _span(tokens, match.span(1))
        if match[1].startswith("half a"):
            return 0.5, match, span
        if match[1] in ("a", "an"):
            return 1.0, match, span
        number = values.number_at(tokens, first[0])
        if number is not None and number[1] == first[1]:
            return number[0], match, span
    return None


def _text(tokens: list[Token]) -> str:
    return " ".join(token.low for token in tokens)


def _span(tokens: list[Token], place: tuple[int, int]) -> tuple[int, int]:
    """The tokens that a piece of `_text` is made of."""
    begins: list[int] = []
    length = 0
    for token in tokens:
        begins.append(length)
        length += len(token.low) + 1
    start = bisect_left(begins, place[0])
    if start == len(begins) or begins[start] > place[0]:
        start = max(0, start - 1)
    return start, bisect_left(begins, place[1])


_READERS: dict[str, Callable[[Reading], None]] = {
    "minutes": _minutes,
    "per_minute": _rate,
    "sample": _sample,
    "min_memory_gb": _memory,
    "window": _window,
    "network": _network,
    "profile": _profile,
    "until": _until,
    "reason": _reason,
    "key": _key,
    "success": _success,
    "decision": _decision,
    "version": _answered_by,
}
