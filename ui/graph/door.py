"""`POST /graphql`: queries in, what they found and what went wrong out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tools.kernel.errors import Unavailable
from ui.api.door import Caller, Door, TheDoor
from ui.errors import problem, translate, unexpected

if TYPE_CHECKING:
    from graphql import GraphQLError
    from strawberry import Schema

log = logging.getLogger(__name__)
router = APIRouter(tags=["graphql"])
MOST_TOKENS = 2_000
PATIENCE_SECONDS = 30.0
GRAPHQL = "application/graphql-response+json"


class Asked(BaseModel):
    """A GraphQL request."""

    model_config = ConfigDict(populate_by_name=True)

    query: str = Field(min_length=1, max_length=100_000)
    variables: dict[str, Any] | None = None
    operation_name: str | None = Field(None, alias="operationName", max_length=200)


def add_to(app: FastAPI, door: Door) -> None:
    """Answer queries; the schema is made at the first one."""
    app.include_router(router)


@router.post("/graphql", include_in_schema=False)
async def graphql(asked: Asked, request: Request, context: Caller, door: TheDoor) -> JSONResponse:
    """Read what is connected; only those who are known may ask, for the schema too."""
    schema = await run_in_threadpool(the_schema)
    from ui.graph.loaders import Loaders

    asking = schema.execute(
        asked.query,
        variable_values=asked.variables,
        operation_name=asked.operation_name,
        context_value=Loaders(door, context),
    )
    try:  # in a thread and loop of its own: a big answer must not keep others waiting
        result = await run_in_threadpool(asyncio.run, asyncio.wait_for(asking, PATIENCE_SECONDS))
    except TimeoutError:
        raise Unavailable(
            f"The query took more than {PATIENCE_SECONDS:.0f} s.", hint="Ask for less at once."
        ) from None
    told: dict[str, Any] = {"data": result.data}
    if result.errors:
        told["errors"] = [_error(error) for error in result.errors]
    modern = GRAPHQL in request.headers.get("accept", "")
    refused = modern and result.data is None and bool(result.errors)
    return JSONResponse(told, 400 if refused else 200, media_type=GRAPHQL if modern else None)


@cache
def the_schema() -> Schema:
    """The schema, with its limits; made once a process, because it takes most of a second."""
    import strawberry
    from strawberry.extensions import MaxTokensLimiter, SchemaExtension

    from ui.graph.limits import limits
    from ui.graph.query import Query

    class Limited(SchemaExtension):
        def on_operation(self) -> Generator[None]:
            asked = self.execution_context
            rule = limits(asked.variables or {})
            asked.validation_rules = (*asked.validation_rules, rule)
            yield

    class Quiet(strawberry.Schema):
        def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
            """They are told to who asked, and logged by `_error` if nobody expected them."""

    return Quiet(
        query=Query,
        extensions=[Limited, lambda: MaxTokensLimiter(max_token_count=MOST_TOKENS)],
    )


def _error(error: GraphQLError) -> dict[str, Any]:
    """An error as it is told: a platform's as problem details, others without what is inside."""
    if error.original_error is None:  # the query itself is wrong
        return dict(error.formatted)
    told: dict[str, Any] = {"locations": error.formatted.get("locations"), "path": error.path}
    known = translate(error.original_error)
    if known is not None:
        return {**told, "message": str(known), "extensions": problem(known)}
    reference = uuid4().hex[:12]
    log.error("query %s failed", reference, exc_info=error.original_error)
    details = unexpected(reference)
    return {**told, "message": details["message"], "extensions": details}
