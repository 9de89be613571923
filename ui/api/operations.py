"""`/api/v1/operations`, `/api/v1/names`: every operation, called through the gate.

One handler serves all operations; `ui.api.openapi` documents each on a path of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.kernel.entities import EntityKind
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Effect, Operation
from tools.kernel.secrets import masked, revealed
from ui.api.door import PREFIX, Caller, Door, TheDoor
from ui.api.schemas import input_schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

router = APIRouter(prefix=PREFIX, tags=["operations"])
Name = Annotated[str, Path(max_length=128)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[^\x00-\x1f\x7f-\xa0\xad]+$",
        min_length=1,
        max_length=200,
        description="A second call with the same key and body is answered with the first one's "
        "receipt and does nothing more; with another body it is refused (409).",
    ),
]


class CallBody(BaseModel):
    """One call.

    Attributes:
        arguments: by name; the gate checks them.
        approval: the grant to use, if one is at hand.
        dry_run: True to be told what would be done, and do nothing.
    """

    model_config = ConfigDict(extra="forbid")

    arguments: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    approval: str | None = Field(None, max_length=64)
    dry_run: bool = Field(False, strict=True)


class OperationCard(BaseModel):
    """An operation in a list.

    Attributes:
        job: True if it answers with a job that goes on by itself.
        idempotent: True if a second equal call changes nothing more.
        arguments: their names.
    """

    name: str
    summary: str
    effect: Effect
    job: bool
    idempotent: bool
    arguments: list[str]


class OperationText(OperationCard):
    """An operation with its schemas, and sentences that people say for it."""

    description: str
    examples: list[str]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]


@router.get("/operations")
def list_operations(context: Caller, door: TheDoor) -> list[OperationCard]:
    """All operations but those that only undo others or fill pages."""
    return [OperationCard(**_card(o)) for o in door.kernel.operations if not o.hidden]


@router.get("/operations/{name}")
def describe_operation(name: Name, context: Caller, door: TheDoor) -> OperationText:
    """One operation with its input's JSON schema."""
    operation = door.kernel.operations.get(name)
    return OperationText(
        **_card(operation),
        description=operation.description,
        examples=list(operation.examples),
        input_schema=operation.input.model_json_schema(),
        output_schema=operation.output.model_json_schema(),
    )


@router.post(
    "/operations/{name}",
    response_model=None,
    responses={202: {"description": "A job was started, which goes on by itself."}},
)
def call_operation(
    name: Name,
    body: CallBody,
    context: Caller,
    door: TheDoor,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Call one; `result`, `receipt` and `job`, or the `preview` of a dry run."""
    gate = door.kernel.gate
    _check(door, name, body, context)
    if body.dry_run:
        preview = gate.preview(name, body.arguments, context).model_dump(mode="json")
        return JSONResponse({"preview": preview})
    outcome = gate.call(
        name, body.arguments, context, approval=body.approval, idempotency_key=idempotency_key
    )
    if outcome.job is None:
        return JSONResponse(told(outcome))
    return JSONResponse(told(outcome), 202, {"Location": f"/api/v1/jobs/{outcome.job}"})


@router.get("/names")
def names(context: Caller, door: TheDoor) -> dict[EntityKind, list[str]]:
    """The live catalogue: all names by kind, for completion."""
    catalogue = door.kernel.catalogue
    return {k: [n.name for n in catalogue.names(k, context.tenant)] for k in EntityKind}


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as data; `revealed` holds what the asker alone may read, such as a new token."""
    result, shown = masked(outcome.result), revealed(outcome.result)
    answer = {
        "result": result,
        "receipt": outcome.receipt.model_dump(mode="json"),
        "job": outcome.job,
    }
    return {**answer, "revealed": shown} if shown != result else answer


def _check(door: Door, name: str, body: CallBody, context: RequestContext) -> None:
    """Hold a program to the published schema: a number in quotes is a mistake worth telling.

    People and models may write loosely, which the gate reads kindly. What does not fit is first
    shown to the gate, whose errors know the live catalogue.

    Raises:
        PilothouseError: the gate's error, or else what the schema says.
    """
    operation = door.kernel.operations.get(name)
    wrong = next(_validator(operation).iter_errors(body.arguments), None)
    if wrong is None:
        return
    door.kernel.gate.preview(name, body.arguments, context)
    where = ".".join(str(part) for part in wrong.absolute_path)
    raise InvalidInput(
        f"{name}, {where or 'arguments'}: {wrong.message[:300]}.",
        hint=f"GET /api/v1/operations/{name} shows the schema.",
    )


def _validator(operation: Operation[Any, Any]) -> Validator:
    found = _validators.get(operation.input)
    if found is None:
        from jsonschema import Draft202012Validator

        found = _validators[operation.input] = Draft202012Validator(input_schema(operation))
    return found


_validators: dict[type[BaseModel], Validator] = {}
"""By input class, because making one costs more than using it."""


def _card(operation: Operation[Any, Any]) -> dict[str, Any]:
    return {
        "name": operation.name,
        "summary": operation.summary,
        "effect": operation.effect.value,
        "job": operation.job,
        "idempotent": operation.idempotent,
        "arguments": list(operation.input.model_fields),
    }
