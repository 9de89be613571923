"""How a training is to end, where people say it as acts of their own: `…, keep the last one`.

Such parts are put in words that no other wish has, before anything is read: a training measures
every epoch anyway, and which weights it keeps, and for how long it runs, are settings of it.
"""

from __future__ import annotations

import re

_TRAINS = re.compile(
    r"\b(?:re-?train|train|fine-?tune|fine tune|finetune|fit|teach|q?lora|instruction-?tune|tune)"
    r"(?:ing)?\b",
    re.IGNORECASE,
)
_TUNES = re.compile(
    r"(?<!fine-)(?<!fine )(?<!instruction-)\b(?:tun(?:e|ing)|sweep|trials?|optuna"
    r"|(?:different|other|more|\d+) settings|hyper-?parameters?)\b",
    re.IGNORECASE,
)
_OTHER_ACT = re.compile(
    r"\b(?:deploy|roll|promote|compare|ship|canary|schedule|export|shrink|quanti[sz]e)\b",
    re.IGNORECASE,
)
_JOINED = r"(?:\s*[,;:–-]+\s*(?:and |but |then )?|\s+(?:and |but |then |while )?)"
_END = r"(?=\s*(?:[,;.!?]|$|\band\b|\bthen\b|\bplease\b|\bwith\b|\bfor\b|\bat\b))"
_AMOUNT = (
    r"(?:(?:about |around |roughly )?(?:\d[\d.]*|an?|one|two|three|four|five|six|ten|fifteen"
    r"|twenty|thirty|forty|forty-five|sixty|ninety|half an|a quarter of an)\s*"
    r"(?:minutes?|mins?|hours?|hrs?|h)\b)"
)
_KEPT = r"(?:(?:checkpoint|weights|epoch|step|model|one|state|ones|version)\b)"
_OTHER = (
    r"(?:\s*,?\s*(?:and |but )?(?:not|instead of|rather than|over|in place of)\s+"
    rf"(?:the\s+)?(?:best|last|final|latest)(?:\s+{_KEPT})?)"
)
_BEST = ", keep-best"
_PARTS = (
    # measuring every epoch is how trainings work
    (
        rf"{_JOINED}(?:with (?:an? )?)?(?:evaluat(?:e|ing|ion)|eval|validat(?:e|ing|ion)"
        r"|measur(?:e|ing)|check(?:ing)?|scor(?:e|ing))(?: it| that| the model)?"
        rf"(?: after| at the end of| on)? (?:every|each) (?:single )?epoch{_END}",
        "",
    ),
    (rf"{_JOINED}(?:please )?keep(?:ing)? (?:only )?(?:the )?best(?: {_KEPT})?{_OTHER}?{_END}",
     _BEST),
    (rf"{_JOINED}(?:please )?(?:keep(?:ing)?|sav(?:e|ing)|us(?:e|ing)|tak(?:e|ing)|store)"
     rf" (?:only )?(?:the )?(?:last|final|latest) (?:epoch's |step's )?{_KEPT}{_OTHER}?{_END}",
     ", keep-last"),
    (rf"{_JOINED}(?:please )?(?:keep(?:ing)?) the (?:last|final){_OTHER}{_END}", ", keep-last"),
    # `and stop after half an hour` orders no stop of what runs
    (rf"{_JOINED}(?:please )?(?:stop|end|finish|cut off|break off)(?:ping|ing)?(?: it)?"
     rf" (?:after|at)(?: at most)? (?P<amount>{_AMOUNT})", r" for at most \g<amount>"),
    (rf" (?:but )?(?:for )?no (?:longer|more) than (?P<amount>{_AMOUNT})",
     r" for at most \g<amount>"),
)  # fmt: skip
_WORDINGS = [(re.compile(pattern, re.IGNORECASE), plain) for pattern, plain in _PARTS]


def settings_in_words(text: str) -> str:
    """The text with what it says of how a training ends as settings of that training.

    Nothing changes before the training, nor behind another act that follows it.
    """
    tunes = _TUNES.search(text)
    begins = [found.end() for found in (_TRAINS.search(text), tunes) if found]
    if not begins:
        return text
    begin = min(begins)
    other = _OTHER_ACT.search(text, begin)
    end = other.start() if other else len(text)
    part = text[begin:end]
    for wording, plain in _WORDINGS:
        searched = "" if plain == _BEST else plain  # a search keeps its best anyway
        part = wording.sub(searched if tunes else plain, part)
    return f"{text[:begin]}{part}{text[end:]}"
