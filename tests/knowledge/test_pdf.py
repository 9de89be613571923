"""Text PDFs are answered from with the page named; others say why they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.knowledge.reading import read
from tools.knowledge.types import Answer

PAGES = (
    "Every crane operator must rest for forty minutes after five hours of work.",
    "The duty phone of the harbour master is extension 4471.",
)


def written(path: Path, pages: tuple[str, ...] = PAGES, password: str = "") -> Path:
    """A PDF with a line on each page; an empty line leaves its page without text."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): font})
    for text in pages:
        page = writer.add_blank_page(612, 792)
        if text:
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
            page[NameObject("/Contents")] = stream
    if password:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(path)
    return path


def test_a_question_is_answered_with_the_page_it_stands_on(
    call: Callable[..., Outcome], tmp_path: Path
) -> None:
    call("knowledge.ingest", path=str(written(tmp_path / "cranes.pdf")))
    told = call("knowledge.ask", question="what is the extension of the harbour master?").result
    assert isinstance(told, Answer)
    assert "4471" in told.text
    assert [(c.source, c.heading) for c in told.citations] == [("cranes.pdf", "Page 2")]


@pytest.mark.parametrize(
    ("pages", "password", "reason"),
    [(PAGES, "secret", "is encrypted"), (("", ""), "", "no text on any of its 2 pages")],
)
def test_one_that_is_locked_or_scanned_says_so(
    pages: tuple[str, ...], password: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read(written(tmp_path / "a.pdf", pages, password))


def test_one_that_was_cut_off_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pdf")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InvalidInput, match="cannot be read as a PDF"):
        read(path)
