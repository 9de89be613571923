"""`/openapi.json` and `/docs`: the REST door described, each operation on a path of its own.

Made at the first request and kept: it takes a second, and starting must not wait for it. The page
is rendered here, with nothing from elsewhere.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, create_model

from tools.kernel.operations import JobHandle, Operation, Preview
from tools.kernel.receipts import Receipt
from ui.api.docs_page import PAGES, rendered
from ui.api.door import Door
from ui.api.operations import IdempotencyKey
from ui.api.problems import MEDIA_TYPE, Problem
from ui.api.schemas import example, input_schema
from ui.home import VERSION

Json = dict[str, Any]
OPERATIONS = "/api/v1/operations/"
BEARER = {"bearer": {"type": "http", "scheme": "bearer"}}
MALFORMED = 422
ANYBODY = ("/healthz", "/readyz", "/metrics", "/api/v1/problems")
REFUSALS = {
    401: "Nobody is known behind the request.",
    403: "The policy does not allow it; or it needs an approval, whose id is in `approval`.",
    404: "There is nothing of that name; `suggestions` are near.",
    429: "Too much was asked in too short a time; `Retry-After` says when to go on.",
    409: "The world is not in the state that this needs.",
    422: "The request is malformed, or an argument is wrong.",
    500: "The act was tried and failed.",
    503: "A part that is needed is not there.",
}
CALL_REFUSALS = {
    400: "The body cannot be decoded.",
    402: "The estimate is over what the budget leaves.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    499: "The act was cancelled.",
}
TEXT = """\
Every operation of the platform, and its records, over HTTP.

Send `Authorization: Bearer TOKEN`. Errors are problem details (RFC 9457) with `code`, `hint` and
`suggestions`. A dangerous operation is answered with 403, code `needs_approval`, and the approval
in `approval`; a person grants it (`POST /api/v1/approvals/{id}/grant`, or any other door), and the
same call is made again. Lists are pages: `limit`, and the next page in the `Link` header.
"""


def add_to(app: FastAPI, door: Door) -> None:
    """Add the description and the page that shows it."""
    described = Described(app, door)
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    def openapi() -> JSONResponse:
        return JSONResponse(described.schema())

    @router.get("/docs", response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        return HTMLResponse(described.page())

    @router.get("/docs.css")
    def style() -> Response:
        return Response((PAGES / "docs.css").read_bytes(), media_type="text/css")

    @router.get("/docs.js")
    def script() -> Response:
        return Response((PAGES / "docs.js").read_bytes(), media_type="text/javascript")

    app.include_router(router)
    app.openapi = described.schema


class Described:
    """The application's OpenAPI document, and the page made of it.

    Args:
        app: the application, whose routes may still be added to.
        door: knows the operations.
    """

    def __init__(self, app: FastAPI, door: Door) -> None:
        self._app = app
        self._door = door
        self._lock = threading.Lock()
        self._schema: Json | None = None
        self._page: str | None = None

    def schema(self) -> Json:
        """The document (OpenAPI 3.1)."""
        with self._lock:
            if self._schema is None:
                self._schema = self._made()
            return self._schema

    def page(self) -> str:
        """The page (HTML)."""
        schema = self.schema()
        with self._lock:
            if self._page is None:
                self._page = rendered(schema)
            return self._page

    def _made(self) -> Json:
        calls = [_route(o) for o in self._door.kernel.operations]
        found = get_openapi(
            title="Pilothouse",
            version=VERSION,
            summary="The one room that machine-learning operations are steered from.",
            description=TEXT,
            routes=[*self._app.routes, *calls],
        )
        found["paths"] = {**found["paths"], **self._described(found["paths"])}
        components = found.setdefault("components", {})
        components["securitySchemes"] = BEARER
        components["schemas"]["Problem"] = Problem.model_json_schema()
        for path, methods in found["paths"].items():
            for method in cast("dict[str, Json]", methods).values():
                _refusals(path, method)
        for operation in self._door.kernel.operations:
            _loosen(components["schemas"], operation)
        _readable(components["schemas"])
        return found

    def _described(self, paths: Json) -> Json:
        """The paths of the operations, each also with the request that describes it."""
        pattern = paths[f"{OPERATIONS}{{name}}"]["get"]
        found: Json = {}
        for operation in self._door.kernel.operations:
            path = OPERATIONS + operation.name
            get = {**pattern, "operationId": f"{operation.name}.describe", "parameters": []}
            found[path] = {"get": {**get, "responses": {**pattern["responses"]}}, **paths[path]}
        return found


def _route(operation: Operation[Any, Any]) -> APIRoute:
    """A route that is never served: the one handler of all operations serves its path."""
    body = create_model(
        f"{_camel(operation)}Call",
        __config__=ConfigDict(extra="forbid"),
        __doc__=f"Arguments of {operation.name}, and how to call it.",
        arguments=(operation.input, Field(default_factory=operation.input.model_construct))
        if not example(operation)
        else (operation.input, ...),
        approval=(str | None, Field(None, max_length=64, description="A grant to use.")),
        dry_run=(bool, Field(False, description="Only say what would be done.")),
    )
    shown = {"arguments": example(operation)}
    examples = {
        "call": {"summary": operation.summary, "value": shown},
        "dry run": {"summary": "Only say what would be done", "value": {**shown, "dry_run": True}},
    }
    done = _answer(operation, JobHandle if operation.job else operation.output)
    previewed = create_model("Previewed", preview=(Preview, ...))
    return APIRoute(
        OPERATIONS + operation.name,
        _endpoint(body, examples),
        methods=["POST"],
        name=operation.name,
        summary=operation.summary,
        description=operation.description,
        operation_id=operation.name,
        tags=[f"operations: {operation.domain}"],
        response_model=previewed if operation.job else done | previewed,
        responses={202: _started(done)} if operation.job else None,
        openapi_extra={"x-effect": operation.effect.value},
    )


def _camel(operation: Operation[Any, Any]) -> str:
    return operation.name.replace(".", "_").title().replace("_", "")


def _answer(operation: Operation[Any, Any], result: type[BaseModel]) -> type[BaseModel]:
    revealed = Field(None, description="What the asker alone may read, once: such as a new token.")
    return create_model(
        f"{_camel(operation)}Answer",
        __doc__=f"What {operation.name} gave, and the receipt that proves it.",
        result=(result, ...),
        receipt=(Receipt, ...),
        job=(int | None, ...),
        revealed=(dict[str, Any] | None, revealed),
    )


def _started(model: type[BaseModel]) -> Json:
    location = {"description": "The job.", "schema": {"type": "string", "format": "uri-reference"}}
    return {
        "model": model,
        "description": "A job was started, which goes on by itself.",
        "headers": {"Location": location},
    }


def _endpoint(body: type[BaseModel], examples: Json) -> Callable[..., None]:
    def endpoint() -> None:
        raise NotImplementedError

    one, kind = inspect.Parameter, inspect.Parameter.KEYWORD_ONLY
    annotated = Annotated[body, Body(openapi_examples=examples)]
    parameters = [
        one("body", kind, annotation=annotated),
        one("idempotency_key", kind, annotation=IdempotencyKey, default=None),
    ]
    cast("Any", endpoint).__signature__ = inspect.Signature(parameters)
    return endpoint


def _refusals(path: str, method: Json) -> None:
    """Say of a request who may make it, and how it is refused."""
    open_to_all = path.startswith(ANYBODY)
    method["security"] = [] if open_to_all else [{"bearer": []}]
    answers: Json = method["responses"]
    told = REFUSALS | (CALL_REFUSALS if "requestBody" in method else {})
    for status, text in told.items():
        known = str(status) in answers and status != MALFORMED  # which is FastAPI's own shape there
        if open_to_all and (known or status in (401, 402, 409)):
            continue
        answers[str(status)] = {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }


def _readable(schemas: Any) -> None:
    """Secrets are in answers, masked: to leave them out altogether is not what is done."""
    if isinstance(schemas, dict):
        known = cast("Json", schemas)
        if known.get("format") == "password":
            known.pop("writeOnly", None)
        for value in known.values():
            _readable(value)
    elif isinstance(schemas, list):
        for value in cast("list[Any]", schemas):
            _readable(value)


def _loosen(schemas: Json, operation: Operation[Any, Any]) -> None:
    """Publish the arguments as calls are checked against them."""
    published = schemas.get(operation.input.__name__)
    if published is not None:
        properties = input_schema(operation).get("properties", {})
        published["properties"] = {
            name: properties[name] if "$ref" not in str(properties[name]) else field
            for name, field in published.get("properties", {}).items()
        }
