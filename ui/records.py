"""Records as a table where they fit the terminal, else one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ui import words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FEW = 5
"""As many are read one by one; more are looked over, in a table even where it folds words."""


def records(
    screen: Console, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None
) -> RenderableType:
    """A table, or blocks of named values where it would break words or fold texts into strips.

    Args:
        screen: where it will be shown; its width decides.
        columns: the names of the values.
        rows: a record's values each.
        title: said above.
    """
    from rich.measure import Measurement

    from ui.cards import table

    drawn = table(columns, rows, title)
    room = screen.options.update(max_width=10_000)
    wide = Measurement.get(screen, room, drawn).maximum > screen.width
    longest = max((len(words.value(cell)) for row in rows for cell in row), default=0)
    apart = (wide and len(rows) <= FEW) or longest > screen.width
    return _blocks(columns, rows, title) if apart else drawn


def _blocks(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None
) -> RenderableType:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.title, grid.title_justify = title, "left"
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            grid.add_row("", "")
        for column, cell in zip(columns, row, strict=True):
            if cell not in (None, ""):
                grid.add_row(column, Text(words.value(cell)))
    return Padding(grid, (1, 2))
