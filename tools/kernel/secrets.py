"""Secrets in results: masked wherever they are kept, shown once to the person who asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr


def masked(model: BaseModel) -> dict[str, Any]:
    """The model as JSON-like data with every `SecretStr` masked: what is stored and logged."""
    return model.model_dump(mode="json")


def revealed(model: BaseModel) -> dict[str, Any]:
    """The model as JSON-like data with its secrets readable: for the asker's own screen only."""
    return {
        name: _opened(getattr(model, name), data) if name in type(model).model_fields else data
        for name, data in masked(model).items()
    }


def _opened(value: Any, data: Any) -> Any:
    """`data`, which is `value` as JSON-like data, with the secrets in it readable."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return revealed(value)
    if isinstance(value, Mapping) and isinstance(data, dict):
        return {
            key: _opened(v, d) for (key, d), v in zip(data.items(), value.values(), strict=True)
        }
    if isinstance(value, list | tuple) and isinstance(data, list):
        return [_opened(v, d) for v, d in zip(value, data, strict=True)]
    return data
