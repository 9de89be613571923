"""Records are readable at every width of the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from ui.records import records

COLUMNS = ["id", "operation", "summary"]
LONG = "Make it the champion because every rule of the gate holds and " + "so on " * 30


def drawn(rows: list[list[str]], width: int) -> str:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(records(screen, COLUMNS, rows))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_short_values_stand_side_by_side() -> None:
    lines = drawn([["A1", "registry.promote", "short"]], 80).splitlines()
    assert any("A1" in line and "registry.promote" in line and "short" in line for line in lines)


def test_a_long_text_stands_below_its_record_rather_than_in_a_strip() -> None:
    text = drawn([["A1", "registry.promote", LONG], ["A2", "registry.archive", "short"]], 80)
    assert "registry.promote" in text and "registry.archive" in text
    assert len(text.splitlines()) < 15


def test_no_word_is_broken_where_few_records_are_shown() -> None:
    assert "registry.promote" in drawn([["A1", "registry.promote", "rule by rule"]], 36)
