"""Thousands of sentences at once, against the live catalogue or a file of names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from graphs.plan import Plan
from graphs.understanding.conversation import ConversationState
from graphs.understanding.names import NameView
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.understanding import Understanding
from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.errors import InvalidInput

_STEP_FIELDS = {"id", "operation", "arguments", "depends_on", "condition", "schedule"}


class FileNames:
    """A catalogue from JSON: entity kind → names.

    An entry is a name, or an object with `name` and optionally `also` (other spellings); a model's
    object may have `versions` (numbers) and `aliases` (alias → version). Kinds that the file does
    not mention are not checked: any name, number or version is accepted for them.
    """

    def __init__(self, catalogue: Mapping[str, Sequence[Any]]) -> None:
        self._names: dict[EntityKind, tuple[EntityName, ...]] = {}
        for kind_name, entries in catalogue.items():
            try:
                kind = EntityKind(kind_name.removesuffix("s"))
            except ValueError:
                raise InvalidInput(
                    f"{kind_name!r} is no kind of thing.",
                    hint="Kinds are " + ", ".join(k.value for k in EntityKind) + ".",
                ) from None
            self._names[kind] = tuple(_entry(e) for e in entries)
            if kind is EntityKind.MODEL:
                versions = tuple(v for e in entries if isinstance(e, Mapping) for v in _versions(e))
                if versions:
                    self._names[EntityKind.MODEL_VERSION] = versions
        if EntityKind.BASE_MODEL not in self._names:
            from tools.training.base_models import NAMES

            self._names[EntityKind.BASE_MODEL] = NAMES

    @classmethod
    def read(cls, path: Path) -> FileNames:
        """The catalogue in a JSON file.

        Raises:
            InvalidInput: if it is no such file.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path} is no readable JSON file: {error}") from error
        if not isinstance(content, dict):
            raise InvalidInput(f"{path} must hold an object: entity kind → names.")
        return cls(content)

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        """All names of a kind."""
        return self._names.get(kind, ())

    def covers(self, kind: EntityKind) -> bool:
        """False for kinds that the file does not mention: anything is accepted for them."""
        return kind in self._names


def parse_lines(
    lines: Iterable[str],
    understanding: Understanding,
    names: NameView,
    now: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """One plan a line; `{"text": …}`, or `{"turns": […]}` of which the last is planned.

    Earlier turns are taken as said and planned; nothing is executed. A line that is not JSON of
    this form gives `{"error": …}` in its place.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            turns = [str(t) for t in entry["turns"]] if "turns" in entry else [str(entry["text"])]
        except (ValueError, TypeError, KeyError) as error:
            yield {"error": f'line {number} is not {{"text": …}} or {{"turns": […]}}: {error}'}
            continue
        yield as_line(parse_turns(turns, understanding, names, now))


def parse_turns(
    turns: Sequence[str],
    understanding: Understanding,
    names: NameView,
    now: datetime | None = None,
) -> ParsedPlan:
    """The plan of the last of several sentences; those before are taken as said and planned.

    Args:
        turns: the sentences.
        understanding: the parser.
        names: the names that exist.
        now: the time that counts as now, with its zone; the machine's if None.
    """
    state = ConversationState()
    for turn in turns[:-1]:
        plan = understanding.parse(turn, names, state, now)
        state = state.assuming(plan, understanding.outputs)
    return understanding.parse(turns[-1] if turns else "", names, state, now)


def as_line(plan: Plan) -> dict[str, Any]:
    """A plan in the parse format; where nothing is planned nor asked, it abstained."""
    content = plan.model_dump(mode="json")
    nothing = not plan.steps and plan.question is None
    line: dict[str, Any] = {
        "steps": [{k: v for k, v in s.items() if k in _STEP_FIELDS} for s in content["steps"]],
        "question": content["question"],
        "abstained": plan.abstained or nothing,
        "dry_run": plan.dry_run,
        "confidence": plan.confidence,
        "ms": plan.ms,
    }
    if plan.reply is not None:
        line["reply"] = plan.reply
    return line


def _entry(entry: Any) -> EntityName:
    if isinstance(entry, Mapping):
        if not entry.get("name"):
            raise InvalidInput(
                f"The entry {json.dumps(entry)} of the catalogue has no name.",
                hint='An entry is "a-name" or {"name": "a-name", "versions": [1, 2]}.',
            )
        return EntityName(
            str(entry["name"]),
            also=tuple(str(a) for a in entry.get("also", ())),
            of=str(entry["of"]) if entry.get("of") else None,
            state=str(entry.get("state", "")),
        )
    return EntityName(str(entry))


def _versions(entry: Mapping[str, Any]) -> Iterator[EntityName]:
    aliases: Mapping[str, Any] = entry.get("aliases", {})
    for version in entry.get("versions", ()):
        also = [f"v{version}", *(a for a, v in aliases.items() if str(v) == str(version))]
        yield EntityName(str(version), also=tuple(also), of=str(entry["name"]))
