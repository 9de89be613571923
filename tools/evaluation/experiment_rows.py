"""How many rows an experiment can be decided with, said before it is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.evaluation.rows import HeldOut


def usable(rows: HeldOut) -> int:
    """How many rows looks can take: a text counts once."""
    from tools.evaluation.seen import text_hash

    return len({text_hash(row.text) for row in rows.rows})


def too_few(rows: HeldOut, dataset: str, expected: int, most: int) -> list[str]:
    """What a reader must know of an experiment whose data cannot give what it takes.

    Args:
        rows: on which both models can be measured.
        dataset: where they are from.
        expected: how many will probably decide.
        most: how many are looked at at most.

    Returns:
        Sentences; none if there are enough.
    """
    count = usable(rows)
    told = [*rows.left_out]
    if most < min(expected, count):
        told.append(f"At most {most} rows are looked at; about {expected} decide.")
    if count < expected:
        told.append(
            f"{dataset} has {count} test rows for it now; about {expected} decide: it will stay "
            "undecided unless the difference is large or rows are added."
        )
    return told


def what_is_left(count: int, dataset: str, experiment: int) -> str:
    """What to do after a look that decided nothing.

    Args:
        count: rows that nobody has looked at yet.
        dataset: where they are.
        experiment: its number.
    """
    if count:
        return f"Look again with more rows, {count} are left."
    return f"No row of {dataset} is left: add data to it, or conclude experiment {experiment}."
