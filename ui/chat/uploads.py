"""Files that are dropped into the chat: named, checked, profiled and shown before they are stored.

A file waits in a folder of its upload under the home. Only a yes makes it a data set or a document,
by the same operations as anywhere else; a no deletes it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.kernel.errors import InvalidInput, NotFound, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Change
from ui.api.uploads import safe_name, upload_folder
from ui.chat.loading import MAX_FILE_MB
from ui.chat.markdown import cell, plain, problem, table
from ui.errors import problem as as_problem

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

DATA = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".pq"})
DOCUMENTS = frozenset({".md", ".markdown", ".txt", ".html", ".htm", ".rst", ".pdf"})
UNREAD = frozenset({".docx"})
_UPLOAD = re.compile(r"^[0-9a-f]{12}$")
_NAMED = re.compile(
    r"\b(?:as|called|named|name it|call it|under the name)\s+(?:a\s+)?[\"'“]?([\w.-]+)", re.I
)
_NOT_NAMES = frozenset(
    {"a", "an", "the", "dataset", "data", "document", "documents", "new", "well"}
)
_KNOWLEDGE = re.compile(r"\b(knowledge|documents?|runbooks?|docs|polic(?:y|ies)|faq)\b", re.I)
_ONLY_STORE = re.compile(
    r"^(?:please\s+)?(?:(?:can|could) you\s+)?(?:add|upload|import|store|save|register|keep|ingest|"
    r"load|index|put|take|here|read)\b",
    re.I,
)
_AND_THEN = re.compile(r"\s*(?:,|;|\.)?\s*\b(?:and then|then|and)\b\s+", re.I)
_SPLITS = {"test-only": ", as a test set only", "80-10-10": ", split the rows yourself"}
_TRAIL = re.compile(r"(?:[\s,;]|\band\b)+$", re.I)
_THIS = re.compile(
    r"(?:\b(?:on|from|with|using)\s+)?\b(?:this|these|it|them|that|(?:the|my)\s+(?:attached|uploaded|"
    r"dropped|new)?\s*(?:files?|uploads?|attachments?|data ?sets?|data))\b"
    r"(?:\s+(?:files?|data ?sets?|data|tickets|rows|documents?))?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Offered:
    """One file of an upload that can be stored.

    Attributes:
        path: where it waits.
        operation: what stores it: `datasets.add` or `knowledge.ingest`.
        name: what a data set will be called; None leaves that to its own naming.
        splits: how its rows are split, if that was said.
    """

    path: str
    operation: str
    name: str | None = None
    splits: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What the operation is called with."""
        said = {"path": self.path, "name": self.name, "splits": self.splits}
        return {name: value for name, value in said.items() if value}

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.operation == "knowledge.ingest":
            return f"ingest {self.path}"
        named = f" as {self.name}" if self.name else ""
        return f"add the dataset at {self.path}{named}" + _SPLITS.get(self.splits or "", "")


class Uploads:
    """The upload area of a home.

    Args:
        kernel: for the checks, which are the gate's own.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def receive(
        self, files: Sequence[tuple[str, Path]], said: str, context: RequestContext
    ) -> tuple[str, list[Offered], str]:
        """Take files in, and check them.

        Args:
            files: each file's own name, and where it lies.
            said: what the person said with them.
            context: who that is.

        Returns:
            The upload's id, what can be stored, and what to show.
        """
        upload = uuid4().hex[:12]
        folder = upload_folder(self._kernel.settings, context, upload)
        offered: list[Offered] = []
        shown: list[str] = []
        for name, source in files:
            try:
                one, told = self._receive(folder, name, source, said, context)
            except PilothouseError as error:
                shown.append(_refusal(name, error, folder))
                continue
            offered.append(one)
            shown.append(told)
        if not offered:
            shutil.rmtree(folder, ignore_errors=True)
        return upload, offered, "\n\n".join(shown)

    def discard(self, upload: str, context: RequestContext) -> None:
        """Delete the files of an upload.

        Raises:
            NotFound: if there is no such upload of theirs.
        """
        if not _UPLOAD.match(upload):
            raise NotFound(f"There is no upload {upload[:40]!r}.")
        folder = upload_folder(self._kernel.settings, context, upload)
        shutil.rmtree(folder, ignore_errors=True)

    def _receive(
        self, folder: Path, name: str, source: Path, said: str, context: RequestContext
    ) -> tuple[Offered, str]:
        kept = folder / safe_name(name)
        operation = _operation(kept.suffix.lower(), said)
        if not source.is_file() or source.stat().st_size == 0:
            raise InvalidInput(f"{kept.name} is empty.")
        if source.stat().st_size > MAX_FILE_MB * 1024 * 1024:
            raise InvalidInput(f"{kept.name} is larger than {MAX_FILE_MB} MB.")
        shutil.copyfile(source, kept)
        kept.chmod(0o600)
        offered = Offered(str(kept), operation)
        if operation == "datasets.add":
            rest, splits = without_splits(said)
            offered = Offered(str(kept), operation, _name(rest), splits)
        preview = self._kernel.gate.preview(operation, offered.arguments, context)
        told = plain(preview.summary.replace(str(kept), kept.name))
        if operation == "datasets.add":
            told = f"{told}\n\n{_profile(preview.changes)}"
        warnings = "".join(f"\n\n⚠ {plain(text)}" for text in preview.warnings)
        return offered, f"**{plain(kept.name)}:** {told}{warnings}"


def _operation(suffix: str, said: str) -> str:
    about_documents = _KNOWLEDGE.search(said) is not None
    if suffix in DATA:
        jsonl = suffix in (".jsonl", ".ndjson")
        return "knowledge.ingest" if jsonl and about_documents else "datasets.add"
    if suffix in UNREAD:
        raise InvalidInput(
            f"{suffix} files are not read: no library for them is installed.",
            hint="Save it as text, Markdown or HTML, and drop that.",
        )
    if suffix in DOCUMENTS:
        return "knowledge.ingest"
    kind = f"{suffix} files" if suffix else "Files without an ending"
    raise InvalidInput(
        f"{kind} are not taken.",
        hint="Data sets may be JSONL, CSV, TSV or Parquet; documents Markdown, text or HTML.",
    )


def _name(said: str) -> str | None:
    for match in _NAMED.finditer(said):
        if match[1].lower() not in _NOT_NAMES:
            return match[1].strip(".").lower()
    return None


def _refusal(name: str, error: PilothouseError, folder: Path) -> str:
    """Why a file is not taken, by its own name and not by where it waited."""
    told = as_problem(error)
    for key in ("message", "hint"):
        if told.get(key):
            told[key] = str(told[key]).replace(f"{folder}/", "")
    return f"✘ **{plain(safe_name(name))}** is not taken; nothing was stored.\n\n{problem(told)}"


def _profile(changes: list[Change]) -> str:
    """What was measured, as a table."""
    return table(("checked", "found"), [(cell(c.what), cell(c.after)) for c in changes])


def without_splits(said: str) -> tuple[str, str | None]:
    """What was said with files, apart from how their rows are split: `as a test set only`.

    Returns:
        The rest, and the value of `datasets.add`'s `splits`, if one was said.
    """
    from graphs.understanding.clause import Clause
    from graphs.understanding.text import tokenise
    from graphs.understanding.values import read_choice

    tokens = tokenise(said)
    found = read_choice(Clause(tokens), "splits", [*_SPLITS])
    if found is None:
        return said, None
    splits, (first, end) = found
    before, after = said[: tokens[first].start], said[tokens[end - 1].end :]
    return (_TRAIL.sub("", before) + after).strip(), splits


def rest_of(said: str, names: Sequence[str]) -> str | None:
    """What is left to do of what was said with files, once they are stored.

    Args:
        said: the sentence.
        names: the names that the files now have.

    Returns:
        The sentence with the names in place of `this` or `the file`; None if nothing is left.
    """
    left, _ = without_splits(said.strip())
    if _ONLY_STORE.match(left):
        _, *later = _AND_THEN.split(left, maxsplit=1)
        left = later[0].strip() if later else ""
    if not left:
        return None
    named = " and ".join(names)
    replaced, count = _THIS.subn(lambda m: _by_name(m[0], named), left, count=1)
    return replaced if count else left


def _by_name(said: str, named: str) -> str:
    first = said.split()[0].lower()
    lead = f"{first} " if first in ("on", "from", "with", "using") else ""
    return f"{lead}{named}"
