"""Each kind of file gives its text; whatever cannot be read says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kernel.errors import InvalidInput, NotFound
from tools.knowledge.outline import blocks, units
from tools.knowledge.reading import find_files, read

HTML = """<html><head><title>Leave &amp; rest</title><style>p{}</style></head><body>
<script>alert("steal")</script><h1>Leave</h1><p>You get <b>25</b> days.</p>
<ul><li>Ask first</li><li>Then go</li></ul>
<table><tr><th>Site</th><th>Days</th></tr><tr><td>Quay</td><td>26</td></tr></table></body></html>"""


def test_html_gives_visible_text_with_structure(tmp_path: Path) -> None:
    path = tmp_path / "leave.html"
    path.write_text(HTML)
    document = read(path)
    told = [u.text for u in units(document.text, blocks(document.text))]
    assert document.title == "Leave & rest"
    assert told == ["You get 25 days.", "Ask first", "Then go", "Quay: 26 (days)."]
    assert "steal" not in document.text


def test_jsonl_gives_a_section_for_each_record(tmp_path: Path) -> None:
    path = tmp_path / "faq.jsonl"
    path.write_text('{"question": "Why?", "answer": "Because."}\n\n{"text": "Alone."}\n')
    assert read(path).text == "## Why?\n\nBecause.\n\nAlone."


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b'{"text": "x"}\nnope\n', "line 2 is not JSON"),
        ("b.jsonl", b'["x"]\n', "line 1 is not a JSON object"),
        ("c.jsonl", b'{"label": "x"}\n', "no `text`"),
        ("d.md", b"\xff\xfe\x00", "not UTF-8"),
        ("e.txt", b"a\x00b", "zero bytes"),
        ("f.md", b"  \n", "holds no text"),
        ("g.pdf", b"%PDF-1.7", "cannot be read as a PDF"),
        ("h.docx", b"PK", ".docx files are not read"),
        ("noending", b"text", "without an ending"),
    ],
)
def test_unreadable_files_say_why(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=told):
        read(path)


def test_windows_line_ends_are_bridged(tmp_path: Path) -> None:
    path = tmp_path / "w.md"
    path.write_bytes(b"\xef\xbb\xbf# Title\r\n\r\nText.\r\n")
    document = read(path)
    assert (document.title, document.text) == ("Title", "# Title\n\nText.\n")


def test_folders_skip_other_files_hidden_ones_and_links(tmp_path: Path) -> None:
    (tmp_path / "docs" / ".git").mkdir(parents=True)
    (tmp_path / "docs" / ".git" / "x.md").write_text("hidden")
    (tmp_path / "docs" / "a.md").write_text("# A")
    (tmp_path / "docs" / "b.exe").write_bytes(b"MZ")
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "docs" / "link.md").symlink_to(tmp_path / "secret.md")
    base, files, skipped = find_files(str(tmp_path / "docs"))
    assert base == tmp_path
    assert [f.name for f in files] == ["a.md"]
    assert skipped == ["b.exe: .exe is not read"]


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_files(str(tmp_path / "nowhere"))
    with pytest.raises(InvalidInput, match="no file that can be read"):
        find_files(str(tmp_path))
