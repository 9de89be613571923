"""How much, how long and how often, said in plainer words before anything is read."""

from __future__ import annotations

import re


def _wording(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_ENOUGH = (
    r"(?:should|would|will|'ll|might)\s+(?:do|be\s+(?:plenty|enough|fine|sufficient|ok))"
    r"|(?:is|are)\s+(?:plenty|enough|fine|sufficient)|suffices?|does\s+it"
)
_COUNT = (
    r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty"
    r"|fifty|sixty|seventy|eighty|ninety|hundred)"
)
_OLD_KEY = r"(?:the\s+)?(?:old|previous|former|current|existing)\s+(?:one|key)"

AMOUNTS = (
    (_wording(r"\b(?:an?|one) hour and a half\b|\bone and a half hours\b"), "90 minutes"),
    (_wording(r"\btwo (?:hours and a half|and a half hours)\b"), "150 minutes"),
    (_wording(r"\b(?:an?other|an?|one|the next) fortnight\b"), "14 days"),
    (_wording(r"\btwo fortnights\b"), "28 days"),
    (
        _wording(r"\bfor (?P<count>\d+|one|two|three|four|five|six|seven|ten) more "
                 r"(?=days?\b|weeks?\b|months?\b|hours?\b)"),
        r"for \g<count> ",
    ),
    # `…? 80 rows should be plenty` says how many, and asks for nothing else
    (
        _wording(
            rf"\s*[.?!;,]\s+(?P<count>\d+|{_COUNT}(?:\s+(?:hundred|thousand))?)\s+"
            rf"(?P<unit>rows|trials|epochs|samples|days|devices|examples)\s+(?:{_ENOUGH})"
        ),
        r", \g<count> \g<unit>",
    ),
    (_wording(r"\b(?P<unit>rows|trials|epochs|minutes|hours|days|devices|points?)\s+tops\b"),
     r"\g<unit> at most"),
    (_wording(r"\bnever (?:ever )?more than\b"), "at most"),
    # `don't start new ones after 3 hours` of a tuning
    (
        _wording(r"\b(?:don't|do not|never|no) (?:start|begin) (?:any )?(?:new|further|more) "
                 r"(?:ones|trials|runs) after\b"),
        "no new ones after",
    ),
    # `1e-5..5e-4` is a range, and no end of a sentence
    (_wording(r"(?<=\d)\s*\.\.\.?\s*(?=\d)"), " to "),
    # a power is a share: `with 90 % power`
    (_wording(r"\b(?P<share>\d\d)\s*(?:%|percent|per cent)\s+(?:statistical\s+)?power\b"),
     r"power 0.\g<share>"),
    (_wording(r"\bpower\s+(?:of\s+|at\s+|=\s*)?(?P<share>\d\d)\s*(?:%|percent\b|per cent\b)"),
     r"power 0.\g<share>"),
    # `on 25% of the kiosks, then 50, then all` and `…, 25 first, then 50` are steps
    (
        _wording(
            r"\b(?:on|to|onto)\s+(?P<share>\d+)\s*(?:%|percent)\s+of\s+"
            r"(?P<group>(?:the\s+|our\s+)?[\w-]+(?:\s+[\w-]+)?)\s*,\s*(?:and\s+)?then\s+"
            r"(?=\d|all\b|every)"
        ),
        r"to \g<group>, first \g<share>%, then ",
    ),
    (
        _wording(r",\s*(?P<share>\d+)\s*(?:%|percent)?\s+first\s*,\s*then\s+(?=\d|all\b|every)"),
        r", first \g<share>%, then ",
    ),
    # `5 percent, after it 25, after it everybody` are steps
    (_wording(r"\bafter (?:it|that|this)\s+(?=\d|every(?:body|one)\b|all\b)"), "then "),
    # `the old one stays valid for two weeks`, `let the old one count for two weeks`
    (
        _wording(
            rf"[,;]?\s*(?:\b(?:and|but|while)\s+)?(?:let\s+)?\b{_OLD_KEY}\s+"
            r"(?:shall\s+|should\s+|must\s+|may\s+|can\s+|to\s+)?"
            r"(?:stays?|remains?|keeps?|counts?|lives?|works?|holds?|be)\s+"
            r"(?:valid\s+|good\s+|accepted\s+|usable\s+|working\s+|alive\s+|on\s+)?for\s+"
        ),
        " with the old one valid for ",
    ),
    # a canary is watched: `watch it for 90 minutes`, `observe each step for two hours`
    (
        _wording(
            r"(?P<lead>^\s*|[,;]\s*(?:and\s+|then\s+)?)(?:watch|observe|monitor)(?:ing)?\s+"
            r"(?:(?:it|them|(?:each|every|the)\s+(?:step|stage|group))\s+)?for\s+"
            r"(?=\d|an?\b|half\b|one\b|two\b|three\b|four\b|five\b|six\b|ten\b)"
        ),
        r"\g<lead>watched for ",
    ),
    (_wording(r"\bonly touch (?:the |its )?devices (?=between|on|at|from)"), "only "),
)  # fmt: skip
"""Wordings of amounts with what is read in their place."""
