"""`but only if the accuracy is above 0.95`: a plan that waits, with a condition."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.text import Token

_IF = re.compile(
    r"^(?:(?:and|but|ok|okay|oh|wait|sorry|no|yes|please|actually|well|hm|fine|good|then|so) "
    r"(?:, )?)*(?:(?:only|just) [a-z-]+ (?:it|that|this|them)(?: [a-z-]+){0,4}? "
    r"|the [a-z-]+ (?=only|just))?(?:(?:only|just) )?"
    r"(?:[a-z-]+ (?:(?:it|that|this|them|so)(?: (?:there|out|over))? )?)??"
    r"(?:(?:only|just) )?"
    r"(?P<condition>(?:if|provided(?: that)?|as long as|on condition that|assuming) .+?)"
    r"(?: (?:of course|please|that is|though))?"
    r"(?: ?[,;.] (?:otherwise|if not|else) (?:don't|do not|not|nothing|do nothing|leave it(?: be)?"
    r"|keep it|stop|skip it|forget it|leave it as it is))?$"
)


def condition_said(tokens: Sequence[Token]) -> str:
    """The condition that a sentence adds to what was said before.

    Args:
        tokens: the sentence.

    Returns:
        The condition from its `if` on; empty if the sentence is no such thing.
    """
    said = " ".join(t.low for t in tokens).strip(" .!")
    found = None if said.endswith("?") else _IF.match(said)
    return _SURELY.sub("", found["condition"]) if found else ""


_SURELY = re.compile(r"\b(?:really|indeed|truly|actually) ")
