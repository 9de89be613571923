"""`/api/v1/parse`: what sentences mean, as plans; nothing is executed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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
Names = dict[str, list[str | int | dict[str, Any]]]


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
    explain: bool = False
    now: AwareDatetime | None = None


@router.post("/parse")
async def parse(body: Parse, context: Caller, door: TheDoor) -> dict[str, Any]:
    """A plan for each line, in order; a line that cannot be read gets its error."""
    assistant = await door.assistant()
    return await run_in_threadpool(_parse_all, assistant, body, context)


def _parse_all(assistant: Assistant, body: Parse, context: RequestContext) -> dict[str, Any]:
    names = None if body.catalogue is None else _catalogues.get(body.catalogue)
    return {"plans": [_parse_one(assistant, line, context, names, body) for line in body.lines]}


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
