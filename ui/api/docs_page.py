"""The OpenAPI document as a page for people, on which each request can be sent.

One style sheet and one small script, nothing from elsewhere; without the script it is all there to
read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

PAGES = Path(__file__).parent / "pages"
Json = dict[str, Any]


def rendered(document: Json) -> str:
    """The page.

    Args:
        document: an OpenAPI 3.1 document.
    """
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups: dict[str, list[Json]] = {}
    for path, methods in document["paths"].items():
        for verb, method in cast("dict[str, Json]", methods).items():
            if method["operationId"].endswith(".describe"):
                continue  # the page describes it
            for tag in method.get("tags", ["platform"]):
                groups.setdefault(tag, []).append(_card(path, verb, method))
    shown = sorted(groups.items(), key=lambda group: (group[0].startswith("operations"), group[0]))
    schemas = {
        name: _pretty(schema) for name, schema in sorted(document["components"]["schemas"].items())
    }
    return environment.get_template("docs.html").render(
        info=document["info"], groups=shown, schemas=schemas
    )


def _card(path: str, verb: str, method: Json) -> Json:
    body: Json = method.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [e["value"] for e in body.get("examples", {}).values()]
    return {
        "path": path,
        "verb": verb.upper(),
        "anchor": method["operationId"],
        "summary": method.get("summary", ""),
        "text": method.get("description", ""),
        "parameters": [_parameter(p) for p in method.get("parameters", ())],
        "body": _reference(body.get("schema", {})),
        "curl": _curl(path, verb, examples[0] if examples else None),
        "example": _pretty(examples[0] if examples else {}),
        "endless": "text/event-stream" in method["responses"].get("200", {}).get("content", {}),
        "answers": [
            (status, answer.get("description", ""), _answered(answer))
            for status, answer in method["responses"].items()
        ],
    }


def _parameter(parameter: Json) -> Json:
    schema: Json = parameter.get("schema", {})
    return {
        "name": parameter["name"],
        "in": parameter["in"],
        "required": parameter.get("required", False),
        "kind": _kind(schema),
        "text": parameter.get("description", schema.get("description", "")),
    }


def _kind(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return _reference(schema) or ""
    limits = [f"{n} {schema[n]}" for n in ("minimum", "maximum", "maxLength") if n in schema]
    return ", ".join([str(schema.get("type", "any")), *limits])


def _answered(answer: Json) -> list[str]:
    contents: Json = answer.get("content", {})
    found = [name for c in contents.values() for name in _references(c.get("schema", {}))]
    return list(dict.fromkeys(found))


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        known = cast("Json", schema)
        own = [known["$ref"].rpartition("/")[2]] if "$ref" in known else []
        return own + [name for value in known.values() for name in _references(value)]
    if isinstance(schema, list):
        return [name for value in cast("list[Any]", schema) for name in _references(value)]
    return []


def _reference(schema: Json) -> str | None:
    return next(iter(_references(schema)), None)


def _curl(path: str, verb: str, example: Any) -> str:
    parts = ["curl", '-H "Authorization: Bearer $TOKEN"']
    if verb != "get":
        parts.append(f"-X {verb.upper()}")
    if example is not None:
        told = json.dumps(example).replace("'", "'\\''")
        parts += ["-H 'Content-Type: application/json'", f"-d '{told}'"]
    return " ".join([*parts, f'"$PILOTHOUSE_URL{path}"'])


def _pretty(schema: Json) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
