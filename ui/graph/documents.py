"""The graph's documents."""

from __future__ import annotations

from datetime import datetime

import strawberry

from tools.knowledge.types import Source


@strawberry.type
class Document:
    """A document that can be asked."""

    name: str
    title: str
    kind: str
    chunks: int
    builtin: bool
    ingested: datetime

    @classmethod
    def of(cls, found: Source) -> Document:
        """The node of a document."""
        shared = ("name", "title", "kind", "chunks", "builtin", "ingested")
        return cls(**{name: getattr(found, name) for name in shared})
