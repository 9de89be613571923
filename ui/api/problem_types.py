"""`/api/v1/problems`: what the `type` of problem details leads to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from tools.kernel.entities import nearest
from tools.kernel.errors import NotFound, PilothouseError
from ui.api.door import PREFIX

router = APIRouter(prefix=f"{PREFIX}/problems", tags=["platform"])


class ProblemType(BaseModel):
    """A kind of problem: its code, its HTTP status, and who should do what about it."""

    code: str
    status: int
    meaning: str


@router.get("")
def list_problem_types() -> list[ProblemType]:
    """The kinds of problems that answers tell of."""
    return sorted(_known().values(), key=lambda kind: (kind.status, kind.code))


@router.get("/{code}")
def show_problem_type(code: Annotated[str, Path(max_length=64)]) -> ProblemType:
    """One kind of problem."""
    found = _known()
    if code not in found:
        raise NotFound(
            f"There is no kind of problem {code!r}.", suggestions=nearest(code, list(found))
        )
    return found[code]


def _known() -> dict[str, ProblemType]:
    found = {
        kind.code: ProblemType(code=kind.code, status=kind.status, meaning=_meaning(kind))
        for kind in _classes(PilothouseError)
        if kind is not PilothouseError
    }
    meaning = "Something went wrong that nobody expected; the platform's log has the details."
    return {**found, "internal": ProblemType(code="internal", status=500, meaning=meaning)}


def _meaning(kind: type[PilothouseError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _classes(base: type[PilothouseError]) -> Iterator[type[PilothouseError]]:
    for child in base.__subclasses__():
        yield from _classes(child)
    yield base
