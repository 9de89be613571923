"""Lists a page at a time: bounded, and with the address of the next page in the `Link` header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

T = TypeVar("T")
LARGEST = 1000
BIGGEST = 2**31 - 1
"""The largest number that every database keeps in an integer column."""
LINK = {
    "headers": {
        "Link": {
            "description": 'The next page, as `<address>; rel="next"`; absent on the last one.',
            "schema": {"type": "string"},
        }
    }
}
PAGED: dict[int | str, dict[str, Any]] = {200: LINK}


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for, and how to say where the next one is.

    Attributes:
        limit: how many items at most.
        after: the number that the last page ended at; None for the first page.
    """

    request: Request
    response: Response
    limit: int
    after: int | None

    def cut(self, found: Sequence[T]) -> list[T]:
        """A page of a list that is at hand as a whole; the number is a position in it."""
        begin = self.after or 0
        page = list(found[begin : begin + self.limit])
        if begin + self.limit < len(found):
            self._point_to(begin + self.limit)
        return page

    def numbered(self, found: Sequence[T], number: Callable[[T], int]) -> list[T]:
        """A page of what was read by falling numbers, with one item more than fits.

        Args:
            found: up to `limit` + 1 items.
            number: an item's number.
        """
        page = list(found[: self.limit])
        if len(found) > self.limit:
            self._point_to(number(page[-1]))
        return page

    def skipping(self, found: Sequence[T]) -> list[T]:
        """A page of what was read from position `after` on, with one item more than fits."""
        page = list(found[: self.limit])
        if len(found) > self.limit:
            self._point_to((self.after or 0) + self.limit)
        return page

    def _point_to(self, number: int) -> None:
        url = self.request.url.include_query_params(limit=self.limit, cursor=number)
        self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def paging(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LARGEST, description="How many at most.")] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=r"^[0-9]{1,9}$", description="From the `Link` of the page before."),
    ] = None,
) -> Paging:
    """The page that a request asks for."""
    return Paging(request, response, limit, None if cursor is None else int(cursor))


Page = Annotated[Paging, Depends(paging)]
