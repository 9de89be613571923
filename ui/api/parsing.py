"""`/api/v1/parse`: what sentences mean, as plans; nothing is executed."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from tools.kernel.canonical import digest
from tools.kernel.errors import InvalidInput, PilothouseError
from tools.kernel.identity import RequestContext
from ui.api.door import PREFIX, Caller, TheDoor
from ui.errors import problem

if TYPE_CHECKING:
    from graphs.assistant import Assistant
    from graphs.understanding import NameView

router = APIRouter(prefix=PREFIX, tags=["conversations"])
CATALOGUES_KEPT = 4
LINES_A_TURN = 16
"""Lines after which a long request lets others pass."""
DATED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")

# More threads than processors would only make every sentence wait for every other.
_processors = CapacityLimiter(max(2, os.cpu_count() or 1))
Names = dict[str, list[str | int | dict[str, Any]]]


def _written(moment: object) -> object:
    """A time as RFC 3339 writes it: seconds since 1970, which pydantic takes too, are a slip."""
    if (isinstance(moment, str) and not DATED.match(moment)) or isinstance(moment, int | float):
        raise ValueError("a time is written like 2026-01-31T09:00:00Z")
    return moment


class Line(BaseModel):
    """One thing to parse: a sentence, or the sentences of a conversation."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, max_length=20_000)
    turns: list[str] | None = Field(None, max_length=200)


class Parse(BaseModel):
    """Lines to parse, against the live catalogue or a given one, at the present or a given time."""

    model_config = ConfigDict(extra="forbid")

    lines: list[Line] = Field(max_length=1000)
    catalogue: Names | None = None
    explain: bool = Field(False, strict=True)
    now: Annotated[AwareDatetime, BeforeValidator(_written)] | None = None


@router.post("/parse")
async def parse(body: Parse, context: Caller, door: TheDoor) -> dict[str, Any]:
    """A plan for each line, in order; a line that cannot be read gets its error."""
    assistant = await door.assistant()
    names: NameView | None = None
    if body.catalogue is not None:
        names = await run_in_threadpool(_given_names, assistant, context, body.catalogue)
    plans: list[dict[str, Any]] = []
    for start in range(0, len(body.lines), LINES_A_TURN):
        part = body.lines[start : start + LINES_A_TURN]
        plans += await to_thread.run_sync(
            _parse_some, assistant, part, context, names, body, limiter=_processors
        )
    return {"plans": plans}


def _given_names(assistant: Assistant, context: RequestContext, catalogue: Names) -> NameView:
    """A given catalogue, its index made before the first sentence needs it."""
    names = _catalogues.get(catalogue)
    assistant.prepare(context, names)
    return names


def _parse_some(
    assistant: Assistant,
    lines: list[Line],
    context: RequestContext,
    names: NameView | None,
    body: Parse,
) -> list[dict[str, Any]]:
    return [_parse_one(assistant, line, context, names, body) for line in lines]


def _parse_one(
    assistant: Assistant,
    line: Line,
    context: RequestContext,
    names: NameView | None,
    body: Parse,
) -> dict[str, Any]:
    said = line.turns or line.text
    if not said:
        return {"error": problem(InvalidInput("A line needs `text`, or `turns` with a sentence."))}
    try:
        plan = assistant.parse(said, context, names, body.now)
    except PilothouseError as error:
        return {"error": problem(error)}
    told = plan.model_dump(mode="json")
    reasons: list[BaseModel] = getattr(plan, "reasons", [])
    return (
        {**told, "explanation": [r.model_dump(mode="json") for r in reasons]}
        if body.explain
        else told
    )


class _Catalogues:
    """The catalogues given lately: thousands of lines come in many requests with the same one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, NameView] = OrderedDict()

    def get(self, content: Names) -> NameView:
        """The names of a catalogue; the same object for the same content."""
        from graphs.understanding.parse_lines import FileNames

        key = digest(content)
        with self._lock:
            found = self._kept.pop(key, None) or FileNames(content)
            self._kept[key] = found
            if len(self._kept) > CATALOGUES_KEPT:
                self._kept.popitem(last=False)
        return found


_catalogues = _Catalogues()
