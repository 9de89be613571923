"""The text of PDF files, page by page."""

from __future__ import annotations

from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from unicodedata import normalize

from tools.kernel.errors import InvalidInput
from tools.knowledge.outline import clean

MOST_PAGES = 2_000
SHORT = 0.6
"""Of a page's longest line: less than that is the last line of a paragraph, or a heading."""
_LIGATURES = {point: normalize("NFKC", chr(point)) for point in range(0xFB00, 0xFB07)}
"""`ﬁ` and the like to letters: a question for "five" must find "ﬁve"."""


def read_pdf(data: bytes, path: Path) -> tuple[str, str]:
    """The text, with a heading for each page so that citations name it, and the file's own title.

    Args:
        data: the file's bytes.
        path: its name, for errors.

    Raises:
        InvalidInput: if it is damaged, encrypted, too long, or holds pictures of text alone.
    """
    try:
        pages, title = _pages(data, path)
    except InvalidInput:
        raise
    except Exception as error:  # what a damaged file makes the parser raise is of any kind
        told = str(error) or type(error).__name__
        raise InvalidInput(
            f"{path} cannot be read as a PDF: {told}.", hint="Save or download it again."
        ) from None
    if not any(pages):
        raise InvalidInput(
            f"{path} holds no text on any of its {len(pages)} pages: it may be a scan.",
            hint="Run text recognition (OCR) over it, and add what that gives.",
        )
    shown = (f"## Page {number}\n\n{text}" for number, text in enumerate(pages, 1) if text)
    return "\n\n".join(shown) + "\n", title


def _pages(data: bytes, path: Path) -> tuple[list[str], str]:
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise InvalidInput(
            f"{path} is encrypted.", hint="Save it without a password, and add that."
        )
    count = len(reader.pages)
    if count > MOST_PAGES:
        raise InvalidInput(f"{path} has {count} pages; at most {MOST_PAGES} are read.")
    title = reader.metadata.title if reader.metadata is not None else None
    return [_text(page.extract_text()) for page in reader.pages], clean(title or "")


def _text(extracted: str) -> str:
    """A page's text, without ligatures, zero bytes and space around its lines.

    A PDF has lines and no paragraphs: a short line before a capital is taken for the end of one.
    """
    plain = extracted.replace("\x00", "").translate(_LIGATURES)
    lines = [line.strip() for line in plain.splitlines()]
    short = SHORT * max(map(len, lines), default=0)
    return "\n".join(
        f"{line}\n" if len(line) < short and following[:1].isupper() else line
        for line, following in zip_longest(lines, lines[1:], fillvalue="")
    ).strip()
