"""Where things that results name have pages of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ui.chat.markdown import cell, link

_BY_FIELD = {
    "job": "/jobs/{}",
    "rollout": "/rollouts/{}",
    "model": "/models/{}",
    "other_model": "/models/{}",
    "dataset": "/datasets/{}",
    "device": "/devices/{}",
    "receipt": "/receipts/{}",
}
_NAME_OF_LIST = {
    "datasets.list": "/datasets/{}",
    "registry.list": "/models/{}",
    "devices.list": "/devices/{}",
    "devices.health": "/devices/{}",
}


def linked(field: str, value: Any, operation: str = "") -> str:
    """A value as markdown, with a link to its page where it has one."""
    path = _BY_FIELD.get(field)
    if field == "name":
        path = _NAME_OF_LIST.get(operation)
    if path is None or value in (None, "") or isinstance(value, list | dict):
        return cell(value)
    return link(value, path.format(quote(str(value), safe="@")))
