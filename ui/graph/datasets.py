"""The graph's data sets."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from tools.datasets.types import DatasetDescription, DatasetSummary
from ui.graph.paging import Graph


@strawberry.type
class Dataset:
    """A version of a data set."""

    name: str
    version: int
    sha256: str
    builtin: bool
    created: datetime
    rows: int
    classes: int
    splits: JSON

    @classmethod
    def of(cls, found: DatasetSummary | DatasetDescription) -> Dataset:
        """The node of a data set."""
        described = isinstance(found, DatasetDescription)
        return cls(
            name=found.name,
            version=found.version,
            sha256=found.sha256,
            builtin=found.builtin,
            created=found.created,
            rows=found.profile.rows if described else found.rows,
            classes=len(found.profile.classes) if described else found.classes,
            splits=JSON(found.profile.splits if described else found.splits),
        )

    @strawberry.field
    async def used_by(self, info: Graph) -> list[str]:
        """What was made from it."""
        return (await info.context.dataset.load(f"{self.name}@{self.version}")).used_by
