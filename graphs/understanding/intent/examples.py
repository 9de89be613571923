"""Labelled sentences: reading them from JSON lines, and the words of a label's name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tools.kernel.errors import InvalidInput

LONGEST_TEXT = 20_000
"""Characters that a text may have; tokens beyond the encoder's limit are cut anyway."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[\s_\-./:|]+")


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence and what it means.

    Attributes:
        text: the sentence.
        label: its intent.
        description: what the intent means, in words; "" when only its name tells.
    """

    text: str
    label: str
    description: str = ""


def read_examples(path: Path) -> list[Example]:
    """The labelled rows of a JSON-lines file (`text`, `label`, and `description` if there is one).

    Raises:
        InvalidInput: naming the file and the line that is wrong.
    """
    rows = [
        Example(
            _field(row, "text", where),
            _field(row, "label", where),
            _field(row, "description", where) if row.get("description") else "",
        )
        for where, row in _rows(path)
    ]
    if not rows:
        raise InvalidInput(f"{path} has no rows.", hint=_HINT)
    return rows


def read_texts(path: Path) -> list[str]:
    """The texts of a JSON-lines file whose rows need no label.

    Raises:
        InvalidInput: naming the file and the line that is wrong.
    """
    texts = [_field(row, "text", where) for where, row in _rows(path)]
    if not texts:
        raise InvalidInput(f"{path} has no rows.", hint='Each line is one object: {"text": "…"}.')
    return texts


def check_trainable(examples: Sequence[Example], source: str = "The training data") -> None:
    """Whether a router can be learnt from these rows.

    Raises:
        InvalidInput: if there is only one label, or no label has two rows: some must be held out.
    """
    counts = Counter(example.label for example in examples)
    if len(counts) < 2:
        only = f": every row is labelled {next(iter(counts))!r}" if counts else ""
        raise InvalidInput(f"{source} needs at least two labels{only}.", hint=_HINT)
    if max(counts.values()) < 2:
        raise InvalidInput(
            f"{source} has too few rows: no label has two different ones.",
            hint="Give labels at least two different rows; five are better.",
        )


def check_labels(examples: Sequence[Example], known: Collection[str], source: str) -> None:
    """Whether rows to measure on have only labels that were learnt.

    Raises:
        InvalidInput: naming the first row that has another.
    """
    for number, example in enumerate(examples, start=1):
        if example.label not in known:
            raise InvalidInput(
                f"{source}, row {number} is labelled {example.label!r}, which no training row is.",
                hint="Put rows that are out of scope into the file of `--oos`.",
            )


def distinct(examples: Iterable[Example]) -> list[Example]:
    """The rows without repetitions of the same text and label, in their order."""
    return list({(example.text, example.label): example for example in examples}.values())


def name_words(label: str) -> str:
    """A label as a person would say it: `card_arrival`, `PlayMusic` → "card arrival", "play music".

    Empty if the name has no letters, as in numbered labels.
    """
    words = " ".join(part for part in _SEPARATOR.split(_HUMP.sub(" ", label)) if part).lower()
    return words if re.search(r"[^\W\d_]{2}", words) else ""


_HINT = 'Each line is one object: {"text": "where is my card", "label": "card_arrival"}.'


def _rows(path: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise InvalidInput(f"{path} is a folder, not a file of JSON lines.") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from None
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, _object(line, where)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{where} is not JSON.", hint=_HINT) from None
    if not isinstance(row, dict):
        raise InvalidInput(f"{where} is not a JSON object.", hint=_HINT)
    return cast("dict[str, Any]", row)


def _field(row: dict[str, Any], name: str, where: str) -> str:
    if name not in row:
        raise InvalidInput(f"{where} has no field `{name}`.", hint=_HINT)
    value = row[name]
    if name == "label" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise InvalidInput(f"{where}: `{name}` is not a text.", hint=_HINT)
    value = value.encode("utf-8", "replace").decode("utf-8").strip()
    if not value:
        raise InvalidInput(f"{where}: `{name}` is empty.", hint=_HINT)
    if len(value) > LONGEST_TEXT:
        raise InvalidInput(
            f"{where}: `{name}` has {len(value):,} characters; at most {LONGEST_TEXT:,} are read."
        )
    return value
