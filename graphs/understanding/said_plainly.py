"""Wordings that are said in plainer words before anything is read from them."""

from __future__ import annotations

import re

from graphs.understanding.plain_amounts import AMOUNTS


def _wording(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_PLAIN = (
    # why something is to end: `too slow, cancel it`
    (
        _wording(
            r"^\s*(?:ok,?\s+|hm+,?\s+)?(?:(?:that's|thats|that is|it's|its|this is)\s+)?"
            r"(?:way\s+|much\s+|far\s+)?too\s+\w+\s*[,.;:-]+\s*"
            r"(?=(?:cancel|stop|pause|abort|kill)\b)"
        ),
        "",
    ),
    # `train on tickets with rank 16, estimate only` trains nothing
    (
        _wording(
            r"^(?P<lead>\s*(?:please\s+|can you\s+|could you\s+)?)"
            r"(?:re-?train|train|fine-?tune|fine tune)\b(?P<rest>[^.;!?\n]*?)"
            r"\s*(?:[,:(-]+\s*)?(?:but\s+|and\s+)?"
            r"(?:estimates?\s+only|(?:only|just)\s+(?:the\s+|an\s+)?estimates?"
            r"(?:\s+(?:it|that|this))?|(?:only|just)\s+(?:as\s+)?an\s+estimate"
            r"|as\s+an\s+estimate\s+only)\)?(?P<end>\s*[.!?]?\s*)$"
        ),
        r"\g<lead>estimate the training\g<rest>\g<end>",
    ),
    # `no changes to the kiosks until friday` declares a freeze; it denies no wish
    (
        _wording(
            r"(?P<lead>^\s*(?:please\s*,?\s*|ok\s*,?\s*|and\s+)?|[.;]\s+)"
            r"no\s+(?:more\s+|new\s+|further\s+)?"
            r"(?:changes|deployments|deploys|rollouts|roll-outs|releases|updates)\s+"
            r"(?:any\s*more\s+)?(?:to|on|for)\s+"
            r"(?!me\b|now\b|that\b|this\b|it\b|them\b)(?=(?:the\s+)?\w)"
        ),
        r"\g<lead>freeze ",
    ),
    # what was decided belongs to what is concluded: `conclude experiment 3. Decision: keep v2`
    (_wording(r"(?<=\w)\s*[.;]\s+(?:the\s+|our\s+)?decision\s*:\s*"), ", decision: "),
    # `declare an experiment for a: 4 against 2` is about two versions of one model
    (
        _wording(r"(?<=[a-z0-9])\s*:\s+(?=v?\d+\s+(?:against|vs\.?|versus)\s+v?\d)"),
        " ",
    ),
    # `unless its ece is above 0.1 it becomes the challenger`
    (
        _wording(
            r"(?<![\w'-])(?<!\bif )(?<!\bwhen )(?<!\bonce )(?<!\bunless )(?<!\bbefore )"
            r"(?<!\bafter )(?<!\buntil )(?<!\bwhether )(?<!\bthat )(?<!\bwhere )"
            r"(?<!\bas )(?<!\bhow )(?<!\bor )"
            r"(?:it|that one|that version|this version|this one)\s+"
            r"(?:becomes|shall become|should become|is to become|may become|can become)\s+"
            r"(?:the\s+|our\s+)?(?:new\s+)?(?=champion\b|challenger\b)"
        ),
        "make it the ",
    ),
    # `not version 4 but version 3 of X` is about version 3; `not only` is about both
    (
        _wording(
            r"\bnot\s+(?!only\b|just\b|merely\b|simply\b|yet\b|to\b)"
            r"(?:(?:the|version|v|job|user|device|group|dataset|on|to|for|from)\s+){0,2}"
            r"[\w.@-]+(?:\s+(?:version\s+)?v?\d+)?\s*,?\s+but\s+(?:rather\s+|instead\s+)?"
            r"(?=(?:(?:the|version|v|job|user|device|group|dataset|on|to|for|from)\s+){0,2}[\w.@-]+\b)"
            r"(?!it\b|they\b|we\b|i\b|you\b|he\b|she\b|only\b|not\b|do\b|don't\b)"
        ),
        "",
    ),
    # the outcome is told by its key; `please record that` says the same once more
    (
        _wording(
            r"(?P<told>\bkey\s+\S+[^.;!?\n]*?)\s*[,;.–-]+\s*(?:so\s+|and\s+)?(?:please\s+)?"
            r"(?:record|note|log|store|save|register|put down|write down)\s+(?:that|this|it)"
            r"(?:\s+(?:down|please))?\s*[.!]?\s*$"
        ),
        r"\g<told>",
    ),
    # when a token ends is no time at which it is to be made
    (
        _wording(
            r"(?P<token>\btoken\b[^.;!?\n]*?)\s*,?\s*(?:\b(?:and|that|which)\s+)*"
            r"\b(?:ends|expires|lapses|runs out|ending|expiring|running out|is to end|should end"
            r"|should expire|must expire|must end)\s+(?:again\s+)?(?:in|after)\s+"
            r"(?=[\w-]+\s+(?:days?|weeks?|months?|years?)\b)"
        ),
        r"\g<token> for ",
    ),
    # `robustness of a 3 and of a 4` are two sides like `of a 3 and a 4`
    (_wording(r"\bof (?P<one>[\w.-]+ v?\d+) and of (?=[\w.-]+ v?\d)"), r"of \g<one> and "),
    # `but wait until job 41 is done`, `hold it for job 41` begin when it has ended
    (
        _wording(
            r"^\s*(?:(?:but|and|ok|okay|no|oh|please|so)\b,?\s+)*(?:do (?:it|that|this)\s+|start\s+"
            r"(?:it|that)\s+)?(?:(?:wait|hold|hold on|hold off|hold (?:it|that)|not|only|just)\s+)+"
            r"(?:until|till|before|after|once|when)\s+(?=(?:the\s+)?(?:job|training|run)\s+\d+)"
        ),
        "when ",
    ),
    (
        _wording(
            r"^\s*(?:(?:but|and|ok|okay|no|oh|please|so)\b,?\s+)*(?:wait|hold|hold on)\s+for\s+"
            r"(?P<job>(?:job|training|run)\s+\d+)(?:\s+to\s+(?:finish|end|be\s+done|complete))?(?=\W*$)"
        ),
        r"when \g<job> has finished",
    ),
    # `is v4 better or is that just noise?` is one question, and so is its other half
    (
        _wording(
            r"(?P<asked>^\W*(?:is|are|does|do|did|was|has|would|will|how)\b[^.;!?]*?)\s*,?\s+or\s+"
            r"(?:is|are|was|does|do|did|has)\s+(?:it|that|this|they)\b[^.;!?]*(?=\?*\W*$)"
        ),
        r"\g<asked>",
    ),
    (_wording(r"\s*,?\s+plus\s+(?=the\b|all\b|[\w-]+'s\b)"), ", and "),
    # `touch devices only between 21:00 and 04:30` says the window
    (_wording(r"\btouch(?:ing)?\s+(?:the\s+|its\s+)?devices\s+only\b"), "only"),
    # one estimate tells the time and the memory: `how long would it take, and how much memory?`
    (
        _wording(
            r"(?P<asked>^\W*(?:roughly |about )?(?:how (?:long|much)|what would)\b[^.?!]*?)"
            r"\s*,?\s+and\s+(?:how much|how many|what)\s+(?:memory|ram|gb|disk|space|time|money)"
            r"\b[^.?!]*(?=\?*\W*$)"
        ),
        r"\g<asked>",
    ),
    # a target as the verb: `then onnx-int8 it`, `gguf-q4 announcer-lm champion`
    (
        _wording(
            r"(?P<lead>^\s*|\b(?:then|and)\s+)"
            r"(?P<target>onnx(?:-static)?-int8|openvino-int8|executorch-int8|gguf-q[48])\s+"
            r"(?!instead|please|then|too|rather|variant|as\b|is\b|was\b|for\b|of\b|on\b|and\b|or\b)"
            r"(?P<what>it|that|this|them|[a-z][\w.-]*(?:\s+(?:v?\d+|champion|challenger|staging))?)"
            r"(?=\s*(?:[,.;!]|$|and\b|then\b|please\b))"
        ),
        r"\g<lead>shrink \g<what> to \g<target>",
    ),
    # `does it stand typos? measure please`
    (
        _wording(
            r"\?\s*(?:please\s+)?(?:measure|check|test|have a look|look|find out|tell me)"
            r"(?:\s+(?:it|that))?\s*(?:,?\s*(?:please|pls))?\s*[.!]?\s*$"
        ),
        "?",
    ),
    # `declare an experiment for delay-reasons, 6 against 4`
    (
        _wording(
            r"(?P<what>\bexperiment\s+(?:for|on|with|of|about)\s+[\w.-]+)\s*,\s+"
            r"(?=v?\d+\s+(?:against|vs\.?|versus)\s+v?\d)"
        ),
        r"\g<what> ",
    ),
    # `what did it save us? Reckon with 75 per hour for a person.`
    (
        _wording(
            r"(?<=\w)\s*[.?!]\s+(?:please\s+)?(?:reckon|calculate|count|assume|assuming|take|figure)"
            r"\s+(?:with\s+)?(?=\d+(?:[.,]\d+)?\s+(?:\w+\s+)?(?:per|an?)\s+(?:hour|act|person)\b)"
        ),
        ", at ",
    ),
    (
        _wording(
            r"\b(?:where|whose|with|having)\s+(?:the\s+)?(?:true|real|actual|right|correct)\s+label"
            r"\s+(?:was\s+|is\s+|being\s+|=\s*|of\s+)?(?=[\w\"'-])"
        ),
        "with label ",
    ),
    (_wording(r"(?<=\d)\s+(?:per|for each|for every)\s+(?=(?:class|label|category)\b)"), " by "),
    (
        _wording(
            r"\blook up (?=[^.;!?\n]*\b(?:docs?|documents?|documentation|handbooks?|runbooks?"
            r"|knowledge(?: base)?|manuals?|policies|kb)\b)"
        ),
        "search for ",
    ),
    (_wording(r"\bthe confusions? (?=of\b)"), "the confusion matrix "),
    # `champion of X back to 3`, `switch X's champion to 4` name a version
    (
        _wording(
            r"\b(?P<alias>(?:champion|challenger|staging)(?:\s+alias)?(?:\s+(?:of|on|for)\s+[\w.-]+)?"
            r"(?:\s+back)?)\s+to\s+(?=\d+\s*(?:[,.;!?]|$|(?:and|then|on|for|please|again|now)\b))"
        ),
        r"\g<alias> to version ",
    ),
    # `the difference between 2 and 4 of X` is that of two versions
    (
        _wording(
            r"\bdifferences? between (?:versions? |v)?(?P<one>\d+) and "
            r"(?:version |v)?(?P<other>\d+) of (?P<model>[a-z][\w.-]*)"
        ),
        r"difference between \g<model> \g<one> and \g<other>",
    ),
    # `but only on rows since May`
    (
        _wording(
            r"\b(?:just|only)\s+(?:on|for|with|using|over)\s+(?:the\s+)?rows\s+"
            r"(?=(?:since|from|of|after|before|in|between)\b)"
        ),
        "only rows ",
    ),
    # small slices are left out, large ones shown
    (
        _wording(
            r"\b(?:leaving out|leave out|without|skip(?:ping)?|ignor(?:e|ing)|no|hide|hiding)\s+"
            r"(?:any\s+|all\s+|the\s+)?(?:slices|groups|values)\s+"
            r"(?:below|under|smaller than|with (?:fewer|less) than|of (?:fewer|less) than)\s+"
            r"(?P<least>\d+)(?:\s+rows)?"
        ),
        r"slices with at least \g<least> rows",
    ),
    # `referral-router 7 is the one that won the A/B test, bring it to the whole group`
    (_wording(r"\bis (?:the (?:one|version) (?:that|which)|what) won the\b"), "won the"),
    (
        _wording(
            r"\bmark (?:it|that|this|the request) (?:down )?as (?:an? )?"
            r"(?:fail(?:ed|ure)|bad|wrong|unsuccessful)\b"
        ),
        "it failed",
    ),
    (
        _wording(r"\b(?P<version>version \d+|v\d+) had answered (?:it|that|this)\b"),
        r"\g<version> answered it",
    ),
    # `read only` is no order to read
    (
        _wording(r"\bread only(?=\s*(?:[,.;)(]|$|\d|for\b|valid\b|access\b|and\b))"),
        "read-only",
    ),
    # `should the error rate be over 2%, roll them back`
    (
        _wording(
            r"(?P<lead>^\s*|[,.;]\s+(?:and\s+)?|\band,?\s+)should\s+(?P<what>(?:the|its|their|it)\b"
            r"[^,.;?!]*?)\s+be\s+(?=(?:over|above|under|below|at|more|less|higher|lower|worse|better)\b)"
        ),
        r"\g<lead>if \g<what> is ",
    ),
    (
        _wording(r"\bthe\s+(?P<alias>champion|challenger|staging)(?:'s)?\s+gate\b"),
        r"the gate for \g<alias>",
    ),
    # `check X against the gate. passes? then …`
    (
        _wording(
            r"\s*[.;,]\s+(?:(?:does|if)\s+)?(?:it\s+|that\s+)?pass(?:es|ed)?\s*\?\s*"
            r"(?:ok(?:ay)?\s+)?(?:then\s+|,\s*)?(?=\w)"
        ),
        ", and if it passes, ",
    ),
    # what a rubric says is no order and denies nothing: `Rubric: no dose is invented.`
    (
        _wording(
            r"(?<=\w)\s*[.;,]\s+(?:the\s+)?rubric\s*:\s*"
            r"(?P<rubric>(?![\"“'])(?![^\n]*\b\d+\s+rows\b)[^\n\"]+?)\s*[.!]?\s*$"
        ),
        r', rubric: "\g<rubric>"',
    ),
    (_wording(r"(?<=\w)\s*[.;]\s+rubric\s*:\s*"), ", rubric: "),
    (
        _wording(r"\b(?:do|run|start|make) an? full fine-?tun(?:e|ing)(?: run)? on\b"),
        "train with full fine-tuning on",
    ),
)
_REMARK = _wording(
    r"(?<=\w)[.,;]\s+(?:the\s+)?(?:v\d+|champion|challenger|staging)\s+(?:is|was|has)\s+"
    r"[^.,;?!]*[.!]?\s*$"
)
"""What is told of a version after an order: `archive v1. v2 is in use`."""
_DICTATED = _wording(r"\s*(?:please\s+)?(?:conclude|close|end|finish)\s+(?:the\s+)?experiment\b")
"""What follows is a decision for the record, every word of it."""
_NOTED = _wording(
    r"(?<=\w)\s*[,;]?\s+and\s+(?:please\s+)?"
    r"(?:write\s+down|note\s+down|note|record|put\s+down|log|state)\s*(?:that\b|:)\s*"
)
"""What is to be noted is the decision: `end experiment 3 and note that v2 is slower`."""
_DECIDING = _wording(
    r"\b(?:better|worse|best|above|below|under|over|least|most|ready|enough|healthy|ok|fine|wrong)\b"
)
"""Words of a remark on which an act may hang."""


def said_plainly(text: str) -> str:
    """The text with each such wording in its plain form, and without a remark on how things are."""
    text = _without_numbers(text)
    for wording, plain in (*AMOUNTS, *_PLAIN):
        text = wording.sub(plain, text)
    if _DICTATED.match(text):
        return _NOTED.sub(", decision: ", text)
    remark = _REMARK.search(text)
    if remark is None or _DECIDING.search(remark.group()):
        return text
    return text[: remark.start()]


_POINT = re.compile(r"(?:^|(?<=\s))(?P<number>\d)[).]\s+(?=[a-zA-Z])")


def _without_numbers(text: str) -> str:
    """`1) add a.csv 2) train on it` as the sentence that it is: `add a.csv, then train on it`."""
    found = list(_POINT.finditer(text))
    counted = [int(point["number"]) for point in found]
    if (
        len(found) < 2
        or counted != list(range(1, len(found) + 1))
        or text[: found[0].start()].strip()
    ):
        return text
    ends = [point.start() for point in found[1:]] + [len(text)]
    parts = [text[p.end() : end].strip(" ,;.\n") for p, end in zip(found, ends, strict=True)]
    return ", then ".join(parts)
