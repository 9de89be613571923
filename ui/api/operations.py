"""`/api/v1/operations`, `/api/v1/names`: every operation, called through the gate."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tools.kernel.entities import EntityKind
from tools.kernel.gate import Outcome
from tools.kernel.operations import Operation
from tools.kernel.secrets import masked, revealed
from ui.api.door import Caller, TheDoor

router = APIRouter()


class CallBody(BaseModel):
    """One call.

    Attributes:
        arguments: by name; the gate checks them.
        approval: the grant to use, if one is at hand.
        idempotency_key: a second call with it gets the first one's receipt.
        dry_run: True to be told what would be done, and do nothing.
    """

    arguments: dict[str, Any] = Field(default_factory=dict)
    approval: str | None = Field(None, max_length=64)
    idempotency_key: str | None = Field(None, min_length=1, max_length=200)
    dry_run: bool = False


@router.get("/operations")
def list_operations(context: Caller, door: TheDoor) -> list[dict[str, Any]]:
    """All operations but those that only undo others."""
    return [_card(o) for o in door.kernel.operations if not o.hidden]


@router.get("/operations/{name}")
def describe_operation(name: str, context: Caller, door: TheDoor) -> dict[str, Any]:
    """One operation with its input's JSON schema."""
    operation = door.kernel.operations.get(name)
    return {
        **_card(operation),
        "description": operation.description,
        "examples": list(operation.examples),
        "input_schema": operation.input.model_json_schema(),
        "output_schema": operation.output.model_json_schema(),
    }


@router.post("/operations/{name}")
def call_operation(name: str, body: CallBody, context: Caller, door: TheDoor) -> dict[str, Any]:
    """Call one; `result`, `receipt` and `job`, or the `preview` of a dry run."""
    gate = door.kernel.gate
    if body.dry_run:
        return {"preview": gate.preview(name, body.arguments, context).model_dump(mode="json")}
    outcome = gate.call(
        name,
        body.arguments,
        context,
        approval=body.approval,
        idempotency_key=body.idempotency_key,
    )
    return told(outcome)


@router.get("/names")
def names(context: Caller, door: TheDoor) -> dict[str, list[str]]:
    """The live catalogue: all names by kind, for completion."""
    catalogue = door.kernel.catalogue
    return {k.value: [n.name for n in catalogue.names(k, context.tenant)] for k in EntityKind}


def told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as data; `revealed` holds what the asker alone may read, such as a new token."""
    result, shown = masked(outcome.result), revealed(outcome.result)
    answer = {
        "result": result,
        "receipt": outcome.receipt.model_dump(mode="json"),
        "job": outcome.job,
    }
    return {**answer, "revealed": shown} if shown != result else answer


def _card(operation: Operation[Any, Any]) -> dict[str, Any]:
    return {
        "name": operation.name,
        "summary": operation.summary,
        "effect": operation.effect.value,
        "job": operation.job,
        "idempotent": operation.idempotent,
        "arguments": list(operation.input.model_fields),
    }
