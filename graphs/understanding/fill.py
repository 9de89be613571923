"""The arguments of one operation from the words of one clause, or the one question that is left."""

from __future__ import annotations

from collections.abc import Callable

from graphs.understanding.externals import externals
from graphs.understanding.read_bases import base_models
from graphs.understanding.read_choices import choices, choices_first
from graphs.understanding.read_entities import entities
from graphs.understanding.read_files import files_first, files_said, further_files
from graphs.understanding.read_groups import open_groups
from graphs.understanding.read_missing import missing
from graphs.understanding.read_models import late_version, models
from graphs.understanding.read_names import new_names
from graphs.understanding.read_phrases import leftovers
from graphs.understanding.read_rollouts import details, steps
from graphs.understanding.read_texts import given_names, numbers, periods, texts, words_and_flags
from graphs.understanding.read_tokens import token_label, token_labels, token_owner, token_scopes
from graphs.understanding.reading import Filled, Reading


def fill(reading: Reading) -> Filled:
    """Read everything there is to read; each reader claims the words that it has used."""
    reading.out.arguments.update(reading.answered())
    readers: list[Callable[[Reading], None]] = [
        token_scopes, token_owner, token_labels, externals, open_groups, base_models, files_first,
        texts, further_files, choices_first, models, steps, numbers, choices, token_label, entities,
        references, details, leftovers, new_names,
    ]  # fmt: skip
    for reader in readers:
        reader(reading)
        if reading.out.question is not None:
            return reading.out
    missing(reading)
    if isinstance(model := reading.out.arguments.get("model"), str):
        late_version(reading, model)
    return reading.out


def fill_said(reading: Reading, with_models: bool = True) -> Filled:
    """Read only what the words say: nothing is asked for, nothing pointed at is looked up."""
    readers = [
        token_scopes,
        base_models,
        files_said,
        periods,
        given_names,
        words_and_flags,
        steps,
        numbers,
        choices,
        entities,
        details,
        leftovers,
    ]
    for reader in [models, *readers] if with_models else readers:
        reader(reading)
        if reading.out.question is not None:
            break
    return reading.out


def references(reading: Reading) -> None:
    """Fill what "it", "that version" or "the last job" point at."""
    reading.referrer.resolve(reading.out)
