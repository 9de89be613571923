"""Structure is read without changing a character, and passages keep to their sections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.knowledge.outline import blocks, clean, sentences, units
from tools.knowledge.passages import MOST, cut
from tools.knowledge.seeds import bundled_files

TEXT = """---
owner: nobody
---
# Guide

First sentence, e.g. this one. Second one has v1.2 in it! Is this a third?

## Steps

Do these:

1. Open the **lid**. Look inside.
2. Close
   it again.
- not numbered

| State | Wait |
|---|---|
| cold | 5 minutes |
| 2 | 10 minutes |

```
# not a heading
```

Old style
---------

Last words.
"""


def test_blocks_know_their_headings() -> None:
    found = [(b.kind, b.heading) for b in blocks(TEXT) if b.kind != "heading"]
    assert found[0] == ("paragraph", ("Guide",))
    assert ("item", ("Guide", "Steps")) in found
    assert ("code", ("Guide", "Steps")) in found
    assert found[-1] == ("paragraph", ("Guide", "Old style"))


def test_units_are_sentences_items_and_rows_with_their_header() -> None:
    told = [u.text for u in units(TEXT, blocks(TEXT))]
    assert "First sentence, e.g. this one." in told
    assert "Second one has v1.2 in it!" in told
    assert "Open the lid. Look inside." in told
    assert "Close it again." in told
    assert "cold: 5 minutes (wait)." in told
    assert "State 2: 10 minutes (wait)." in told


def test_numbered_items_are_told_from_others() -> None:
    items = [u for u in units(TEXT, blocks(TEXT)) if u.kind == "item"]
    assert [u.numbered for u in items] == [True, True, False]


def test_clean_takes_the_marks_away_and_nothing_else() -> None:
    assert clean("**a** `b_c` [d](http://e) 2 * 3 * 4 snake_case") == "a b_c d 2 * 3 * 4 snake_case"


@pytest.mark.parametrize("path", bundled_files(), ids=lambda p: p.stem)
def test_passages_of_the_bundled_documents_cover_all_their_text(path) -> None:
    text = path.read_text()
    covered = bytearray(len(text))
    for part in cut(text):
        assert part.heading
        assert len(text[part.start : part.end].split()) <= MOST
        covered[part.start : part.end] = b"\1" * (part.end - part.start)
    for block in blocks(text):
        if block.kind != "heading":
            assert all(covered[block.start : block.end])


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    text = "# T\n\n" + " ".join(f"Sentence number {n} says little." for n in range(200))
    parts = cut(text)
    assert len(parts) > 3
    assert all(text[p.start : p.end].startswith("Sentence") for p in parts)
    assert all(text[p.start : p.end].endswith(".") for p in parts)


def test_text_without_sentences_is_cut_at_words() -> None:
    parts = cut("word " * 1000)
    assert len(parts) >= 5
    assert all(len(("word " * 1000)[p.start : p.end].split()) <= MOST for p in parts)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab#*-|=.1 \n`>", max_size=300))
def test_any_text_is_read_without_failing_and_spans_stay_inside(text: str) -> None:
    parts = blocks(text)
    for block in parts:
        assert 0 <= block.start <= block.end <= len(text)
    for unit in units(text, parts):
        assert 0 <= unit.start < unit.end <= len(text)
    for passage in cut(text):
        assert 0 <= passage.start < passage.end <= len(text)


def test_sentences_cover_the_span() -> None:
    text = "One. Two! Three? Dr. Who came. The end"
    assert [text[a:b] for a, b in sentences(text, 0, len(text))] == [
        "One.",
        "Two!",
        "Three?",
        "Dr. Who came.",
        "The end",
    ]
