"""What an ingest would do: which files, under which names, and what changes.

Owns names and plans; nothing is stored here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tools.kernel.errors import InvalidInput
from tools.knowledge import seeds
from tools.knowledge.reading import Document, find_files, read

if TYPE_CHECKING:
    from tools.knowledge.tables import DocumentRow


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """What ingesting one file would do; `known` is the hash of the content it would replace."""

    source: str
    document: Document
    status: Literal["added", "replaced", "unchanged"]
    known: str | None

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return self.document.sha256


@dataclass(frozen=True, slots=True)
class PlannedIngest:
    """What ingesting a path would do."""

    files: list[PlannedFile]
    skipped: list[str]


def plan_ingest(path: str, known: dict[str, DocumentRow]) -> PlannedIngest:
    """Read what is at `path` and compare it with the documents known by name.

    Raises:
        InvalidInput: if the file, or every file of the folder, cannot be read.
        NotFound: if nothing is there.
    """
    base, files, skipped = find_files(path)
    planned: list[PlannedFile] = []
    taken: dict[str, str] = {name: row.path for name, row in known.items()}
    for file in files:
        try:
            document = read(file)
        except InvalidInput as error:
            if len(files) == 1:
                raise
            skipped.append(error.message)
            continue
        planned.append(plan_file(document, _name(file, base, taken), known))
        taken[planned[-1].source] = str(file)
    return PlannedIngest(planned, skipped)


def is_bundled(planned: PlannedFile) -> bool:
    """True for a document that comes with the platform."""
    return planned.document.path.parent == seeds.BUNDLED.resolve()


def plan_file(document: Document, name: str, known: dict[str, DocumentRow]) -> PlannedFile:
    """What storing a document under a name would do."""
    row = known.get(name)
    if row is None:
        return PlannedFile(name, document, "added", None)
    if row.sha256 == document.sha256:
        return PlannedFile(name, document, "unchanged", row.sha256)
    return PlannedFile(name, document, "replaced", row.sha256)


def _name(file: Path, base: Path, taken: dict[str, str]) -> str:
    """The shortest path below `base`, or more of the path if another file has that name."""
    name = file.relative_to(base).as_posix()
    parents = list(base.parts[1:])
    while name in taken and taken[name] != str(file) and parents:
        name = f"{parents.pop()}/{name}"
    return name
