"""Secrets in results: masked wherever they are kept, shown once to the person who asked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, SecretStr


def masked(model: BaseModel) -> dict[str, Any]:
    """The model as JSON-like data with every `SecretStr` masked: what is stored and logged."""
    return model.model_dump(mode="json")


def revealed(model: BaseModel) -> dict[str, Any]:
    """The model as JSON-like data with its secrets readable: for the asker's own screen only."""
    data = masked(model)
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            data[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            data[name] = revealed(value)
    return data
