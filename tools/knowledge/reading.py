"""Reading files into documents: which kinds, how large, and what their text is.

What stands in a file is data. It is decoded and kept; nothing of it is ever run or fetched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.paths import absolute
from tools.knowledge.outline import clean
from tools.knowledge.pdf import read_pdf

MOST_BYTES = 20_000_000
MOST_FILES = 2_000
Reader = Callable[[bytes, Path], tuple[str, str]]
"""A file's bytes and its name to its text and its title, which is empty if it has none."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read.

    Attributes:
        path: the file, absolute.
        kind: `markdown`, `text`, `html`, `jsonl` or `pdf`.
        title: its first heading, or its name.
        sha256: hash of the file's bytes.
        text: what passages are cut from; their offsets count its characters.
    """

    path: Path
    kind: str
    title: str
    sha256: str
    text: str


def find_files(path: str) -> tuple[Path, list[Path], list[str]]:
    """The folder that names are relative to, the readable files at `path`, and what was skipped.

    Raises:
        NotFound: if nothing is there.
        InvalidInput: if it can be no path, is a file of another kind, or a folder without readable
            files.
    """
    root = absolute(path).resolve()
    if not root.exists():
        raise NotFound(f"There is no file or folder {root}.")
    if root.is_file():
        _check_kind(root)
        return root.parent, [root], []
    files: list[Path] = []
    skipped: list[str] = []
    for found in sorted(root.rglob("*")):
        inside = found.relative_to(root)
        if found.is_symlink() or not found.is_file() or any(p[0] == "." for p in inside.parts):
            continue
        if found.suffix.lower() in _READERS:
            files.append(found)
        else:
            skipped.append(f"{inside}: {found.suffix or 'a file without ending'} is not read")
    if not files:
        raise InvalidInput(f"{root} holds no file that can be read.", hint=_KINDS)
    if len(files) > MOST_FILES:
        raise InvalidInput(f"{root} holds {len(files)} files; at most {MOST_FILES} at once.")
    return root.parent, files, skipped


def read(path: Path) -> Document:
    """Read one file.

    Raises:
        InvalidInput: if it is too large, empty, of another kind or not what its ending says.
    """
    reader = _check_kind(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InvalidInput(f"{path} has {size} bytes; at most {MOST_BYTES} are read.")
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    text, title = reader(data, path)
    if not text.strip():
        raise InvalidInput(f"{path} holds no text.")
    kind = _NAMES[path.suffix.lower()]
    return Document(path, kind, title or path.stem, hashlib.sha256(data).hexdigest(), text)


def file_sha256(path: str) -> str | None:
    """The hash of a file's bytes; None if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def _check_kind(path: Path) -> Reader:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kind = f"{path.suffix} files" if path.suffix else "Files without an ending"
        raise InvalidInput(f"{path.name}: {kind} are not read.", hint=_KINDS)
    return reader


def _decode(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from None
    if "\x00" in text:
        raise InvalidInput(f"{path} is not text: it holds zero bytes.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _markdown(text: str, path: Path) -> tuple[str, str]:
    first = next((line for line in text.splitlines() if line.startswith("# ")), "")
    return text, clean(first.lstrip("# "))


def _plain(text: str, path: Path) -> tuple[str, str]:
    return text, ""


def _jsonl(text: str, path: Path) -> tuple[str, str]:
    parts: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            parts.append(_record(line, number, path))
    return "\n\n".join(parts), ""


def _record(line: str, number: int, path: Path) -> str:
    where = f"{path}, line {number}"
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where} is not JSON: {error.msg}.") from None
    if not isinstance(record, dict):
        raise InvalidInput(f"{where} is not a JSON object.")
    values = {key: str(value).strip() for key, value in record.items() if isinstance(value, str)}
    body = next((values[k] for k in ("text", "content", "body", "answer") if values.get(k)), "")
    title = next((values[k] for k in ("title", "question", "heading") if values.get(k)), "")
    if not body:
        raise InvalidInput(f"{where} has no `text`, `content`, `body` or `answer`.")
    return f"## {clean(title)}\n\n{body}" if title else body


class _HtmlText(HTMLParser):
    """Collects the visible text, headings, list items and table rows as Markdown."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "head"})
    _BREAKS = frozenset({"p", "div", "section", "article", "ul", "ol", "table", "br", "pre"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title = ""
        self.hidden = 0
        self.in_title = False
        self.rows = 0
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_title = tag == "title" or (self.in_title and tag not in self._HIDDEN)
        if tag in self._HIDDEN:
            self.hidden += 1
        elif tag[0] == "h" and tag[1:].isdigit():
            self.parts.append("\n\n" + "#" * int(tag[1:]) + " ")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag == "tr":
            self.parts.append("\n|")
            self.rows, self.cells = self.rows + 1, 0
        elif tag in ("td", "th"):
            self.parts.append(" ")
            self.cells += 1
        elif tag in self._BREAKS:
            self.parts.append("\n\n")
            self.rows = 0 if tag == "table" else self.rows

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        elif tag in self._HIDDEN:
            self.hidden = max(self.hidden - 1, 0)
        elif tag in ("td", "th"):
            self.parts.append(" |")
        elif tag == "tr" and self.rows == 1:
            self.parts.append("\n|" + " --- |" * self.cells)
        elif tag in self._BREAKS or (tag[0] == "h" and tag[1:].isdigit()):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title += data
        elif not self.hidden:
            space = " " if data[:1].isspace() else ""
            end = " " if data[-1:].isspace() else ""
            words = " ".join(data.split())
            self.parts.append(space + words + end if words else " ")


def _html(text: str, path: Path) -> tuple[str, str]:
    parser = _HtmlText()
    parser.feed(text)
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).splitlines()]
    joined: list[str] = []
    for line in lines:
        if line or (joined and joined[-1]):
            joined.append(line)
    return "\n".join(joined).strip() + "\n", clean(parser.title)


def _decoded(reader: Callable[[str, Path], tuple[str, str]]) -> Reader:
    return lambda data, path: reader(_decode(data, path), path)


_READERS: dict[str, Reader] = {
    ".md": _decoded(_markdown),
    ".markdown": _decoded(_markdown),
    ".txt": _decoded(_plain),
    ".rst": _decoded(_plain),
    ".html": _decoded(_html),
    ".htm": _decoded(_html),
    ".jsonl": _decoded(_jsonl),
    ".pdf": read_pdf,
}
_NAMES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".rst": "text",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".pdf": "pdf",
}
_KINDS = "Markdown (.md), text (.txt, .rst), HTML (.html), JSONL (.jsonl) and PDF (.pdf) are read."
