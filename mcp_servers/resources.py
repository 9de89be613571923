"""Things to read by address (`model://ticket-router/3`), each through a read operation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import mcp.types as types
from pydantic import AnyUrl

from mcp_servers.caller import Caller
from mcp_servers.names import ALL
from mcp_servers.results import bounded
from tools.kernel.errors import InvalidInput, NotFound, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.operations import OperationSet

HELP = "operations://help"
RESOURCE_LIMIT = 100_000
_LISTED = 200
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of address.

    Attributes:
        uri: with its variables in braces.
        title: what is found there.
        operation: the read operation behind it.
        arguments: operation's argument → template's variable.
        servers: the servers that offer it; empty means all.
        fixed: further arguments of the operation.
        pick: where the operation lists: the field of the list, and those of an entry that hold the
            variable's value.
    """

    uri: str
    title: str
    operation: str
    arguments: dict[str, str]
    servers: tuple[str, ...] = ()
    fixed: tuple[tuple[str, Any], ...] = ()
    pick: tuple[str, tuple[str, ...]] | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in braces."""
        return tuple(re.findall(r"{(\w+)}", self.uri))

    def match(self, uri: str) -> dict[str, str] | None:
        """The variables' values in an address, or None if it is of another kind."""
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.uri)
        found = re.fullmatch(pattern + "/?", uri)
        return {k: unquote(v) for k, v in found.groupdict().items()} if found else None


TEMPLATES: tuple[Template, ...] = (
    Template(HELP, "What can be asked for", "platform.help", {}),
    Template(
        "model://{name}/{version}",
        "A model version and where it came from",
        "registry.describe",
        {"model": "name", "version": "version"},
        ("registry", "evaluation", "devices"),
    ),
    Template(
        "model://{name}",
        "A model with its versions and aliases",
        "registry.describe",
        {"model": "name"},
        ("registry", "evaluation", "devices"),
    ),
    Template(
        "dataset://{name}",
        "A dataset's schema, splits and class balance",
        "datasets.describe",
        {"dataset": "name"},
        ("datasets", "training", "evaluation"),
    ),
    Template(
        "device://{name}",
        "A device: state, health and what it serves",
        "devices.describe",
        {"device": "name"},
        ("devices",),
    ),
    Template(
        "job://{id}",
        "A job's status and progress",
        "platform.jobs",
        {"job": "id"},
        fixed=(("limit", 500),),
        pick=("jobs", ("job",)),
    ),
    Template(
        "receipt://{id}",
        "A receipt: what was done, and whether it can be undone",
        "platform.receipts",
        {"receipt": "id"},
        fixed=(("limit", 500),),
        pick=("receipts", ("number", "id")),
    ),
)


@dataclass(frozen=True, slots=True)
class NameSource:
    """Where the names that complete an argument are read.

    Attributes:
        operation: a read operation without required arguments.
        items: the list in its result.
        name: the field of an entry that holds the name.
        uri: the address of a thing of that name, if it has one.
        limit: how many are asked for, where the operation answers with few by itself.
    """

    operation: str
    items: str
    name: str
    uri: str | None = None
    limit: int | None = None


NAME_SOURCES: dict[str, NameSource] = {
    "model": NameSource("registry.list", "models", "model", "model://"),
    "dataset": NameSource("datasets.list", "datasets", "name", "dataset://"),
    "device": NameSource("devices.list", "devices", "name", "device://"),
    "group": NameSource("devices.list", "devices", "group"),
    "device_group": NameSource("devices.list", "devices", "group"),
    "job": NameSource("platform.jobs", "jobs", "job", "job://", _LISTED),
    "schedule": NameSource("schedules.list", "schedules", "schedule"),
    "receipt": NameSource("platform.receipts", "receipts", "number", "receipt://", _LISTED),
}


def templates_of(server: str, operations: OperationSet) -> list[Template]:
    """The kinds of addresses that a server offers."""
    known = {o.name for o in operations}
    return [
        t
        for t in TEMPLATES
        if t.operation in known and (server == ALL or not t.servers or server in t.servers)
    ]


def described(template: Template) -> types.ResourceTemplate:
    """The template as MCP lists it."""
    return types.ResourceTemplate(
        name=template.uri.partition("://")[0] + ("_version" if "version" in template.uri else ""),
        title=template.title,
        uriTemplate=template.uri,
        description=f"{template.title} (through {template.operation}).",
        mimeType=_JSON,
    )


async def read(uri: str, templates: list[Template], caller: Caller, context: RequestContext) -> str:
    """The JSON behind an address.

    Raises:
        NotFound: if the address is of no known kind, or nothing is there.
        PilothouseError: whatever the operation raises.
    """
    for template in templates:
        values = template.match(uri)
        if values is not None:
            found = await _read(template, values, caller, context)
            shown, note = bounded(found, RESOURCE_LIMIT, None)
            return json.dumps(
                shown | ({"note": note} if note else {}), ensure_ascii=False, indent=1
            )
    raise NotFound(
        f"There is no resource {uri!r}.", hint=f"There are {', '.join(t.uri for t in templates)}."
    )


async def listed(
    templates: list[Template], caller: Caller, context: RequestContext
) -> list[types.Resource]:
    """What exists now, the newest or first two hundred of each kind."""
    found: list[types.Resource] = []
    if any(t.uri == HELP for t in templates):
        found.append(
            types.Resource(
                uri=AnyUrl(HELP), name="help", title="What can be asked for", mimeType=_JSON
            )
        )
    schemes = {t.uri.partition("{")[0] for t in templates}
    for kind, source in NAME_SOURCES.items():
        if source.uri in schemes:
            for name in (await names(kind, caller, context))[:_LISTED]:
                address = AnyUrl(f"{source.uri}{quote(name, safe='')}")
                found.append(types.Resource(uri=address, name=f"{kind} {name}", mimeType=_JSON))
    return found


async def names(kind: str, caller: Caller, context: RequestContext) -> list[str]:
    """The names that an argument can take; none if they may not be read."""
    source = NAME_SOURCES.get(kind)
    if source is None:
        return []
    given = {} if source.limit is None else {"limit": source.limit}
    try:
        outcome = await caller.call(source.operation, given, context)
    except PilothouseError:
        return []
    entries = outcome.result.get(source.items) or []
    return list(dict.fromkeys(str(e[source.name]) for e in entries if e.get(source.name)))


async def versions(model: str, caller: Caller, context: RequestContext) -> list[str]:
    """The versions of a model, newest first."""
    try:
        outcome = await caller.call("registry.describe", {"model": model}, context)
    except PilothouseError:
        return []
    return [str(v["version"]) for v in outcome.result.get("versions", [])]


async def _read(
    template: Template, values: dict[str, str], caller: Caller, context: RequestContext
) -> dict[str, Any]:
    fixed = dict(template.fixed)
    if template.pick is None:
        arguments = {name: values[variable] for name, variable in template.arguments.items()}
        return (await caller.call(template.operation, arguments | fixed, context)).result
    (argument,) = template.arguments
    wanted = values[template.arguments[argument]].casefold()
    entries, fields = template.pick
    if not wanted.strip():
        raise InvalidInput(f"Which {argument}?")
    outcome = await caller.call(template.operation, fixed, context)
    for entry in outcome.result.get(entries, []):
        if any(str(entry.get(f, "")).casefold() == wanted for f in fields):
            return entry
    raise NotFound(f"There is no {argument} {wanted!r}.", hint=f"{template.operation} lists them.")
