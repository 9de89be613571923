"""A page of a list, as every list of the graph gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import strawberry
from strawberry.types import Info

from tools.kernel.errors import InvalidInput
from ui.graph.limits import LONGEST_PAGE
from ui.graph.loaders import Loaders

T = TypeVar("T")
MOST = 1_000_000
Graph = Info[Loaders, None]
Limit = Annotated[int, strawberry.argument(description=f"At most this many, 1 to {LONGEST_PAGE}.")]
Offset = Annotated[int, strawberry.argument(description="Leave out this many first.")]


def page(found: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """A page of a list.

    Raises:
        InvalidInput: if the limits of a page are not kept.
    """
    if not 1 <= limit <= LONGEST_PAGE or not 0 <= offset <= MOST:
        raise InvalidInput(
            f"limit is {limit} and offset {offset}.",
            hint=f"limit is 1 to {LONGEST_PAGE}, offset 0 to {MOST}.",
        )
    return found[offset : offset + limit]
