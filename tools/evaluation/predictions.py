"""What was predicted row by row, kept beside every evaluation, so that it can be asked later."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.kernel.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Predicted:
    """One row and what the model said of it.

    Attributes:
        text: the row's text.
        label: its true class.
        predicted: the class that it was given.
        confidence: the probability of that class, 0 to 1.
        extra: the row's other columns.
    """

    text: str
    label: str
    predicted: str
    confidence: float
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def right(self) -> bool:
        """Whether the class is the true one."""
        return self.predicted == self.label


def write_predictions(path: Path, rows: Iterable[Predicted]) -> None:
    """Write rows as JSON lines, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text("".join(f"{json.dumps(asdict(row))}\n" for row in rows))
    unfinished.replace(path)


def read_predictions(path: Path | None, what: str) -> list[Predicted]:
    """The rows of an evaluation.

    Args:
        path: the file that the evaluation wrote.
        what: what was evaluated, for the message.

    Raises:
        NotFound: if there is no such file.
        Conflict: if the model was not sure of anything in numbers (NaN).
    """
    if path is None or not path.is_file():
        raise NotFound(
            f"The predictions of {what} are not kept.", hint="Evaluate it again; then they are."
        )
    rows = [Predicted(**json.loads(line)) for line in path.read_text().splitlines()]
    if not all(math.isfinite(row.confidence) for row in rows):
        raise Conflict(
            f"The predictions of {what} are no numbers (NaN): nothing follows from them.",
            hint="The training diverged; train it again at a lower learning rate.",
        )
    return rows
