"""What the router learns from: the operations' own examples, and this package's further ones."""

from __future__ import annotations

from graphs.understanding.clause import polite, strip_leading
from graphs.understanding.lexicon import masked_routes, routes, words
from graphs.understanding.link import Linker
from graphs.understanding.mask import mask, mask_example
from graphs.understanding.router import OUTSIDE, Sentence
from graphs.understanding.text import tokenise
from tools.kernel.operations import OperationSet


def training_sentences(operations: OperationSet, linker: Linker) -> list[Sentence]:
    """Masked sentences with their operation, and those that no operation can serve."""
    found: dict[tuple[str, str], None] = {}
    further = routes()["more"]
    for operation in operations:
        if not operation.spoken:
            continue
        sentences = [*operation.examples, *further.get(operation.name, []), operation.summary]
        for sentence in sentences:
            found[(mask_example(sentence, linker), operation.name)] = None
    for sentence in routes()["outside"]["sentences"]:
        found[(mask_example(sentence, linker), OUTSIDE)] = None
    known = {operation.name for operation in operations if operation.spoken} | {OUTSIDE}
    for name, sentences in masked_routes().items():
        for sentence in sentences if name in known else ():
            found[(mask(tokenise(sentence), ()), name)] = None
    return [Sentence(text, label) for text, label in found if text]


def command_verbs(operations: OperationSet) -> frozenset[str]:
    """The words that begin commands: from the lexicon, and first words of example sentences."""
    verbs = set(words("verbs", "commands"))
    common = words("words", "determiners") | words("words", "prepositions") | words("words", "stop")
    counted: dict[str, int] = {}
    for operation in operations:
        for sentence in operation.examples if operation.spoken else ():
            tokens = strip_leading(tokenise(sentence), polite())
            if tokens and tokens[0].kind == "word" and len(tokens) > 1:
                counted[tokens[0].low] = counted.get(tokens[0].low, 0) + 1
    verbs |= {w for w, count in counted.items() if count > 2 and w not in common}
    return frozenset(verbs - words("segment", "questions") - _NEVER)


_NEVER = frozenset(["past", "i", "we", "any", "p95", "the", "fleet", "job", "model"])
