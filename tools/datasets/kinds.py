"""What the rows of a dataset teach: a class, an answer, or which texts are alike.

Owns how the kind is recognised by the columns' names, and the canonical fields of each kind, which
a `Row` keeps in `extra` whatever the file called them:

    prompt_completion   `prompt`, `completion`, perhaps `system`
    messages            `messages`: a list of `{"role", "content"}`, an assistant's answer last
    pairs               `anchor`, `positive`
    triplets            `anchor`, `positive`, `negative`

A row's `text` is then its prompt (the last question of a chat) or its anchor, and its `label` is
empty. `conversation` and `alike` turn rows into what trainers take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tools.datasets.columns import OWN, Row
from tools.datasets.problems import Problem
from tools.datasets.reading import Record, Table
from tools.datasets.splitting import Given
from tools.datasets.types import Kind
from tools.kernel.errors import InvalidInput

Message = dict[str, str]

_CHATS = ("messages", "conversations", "conversation", "chat", "dialogue", "dialog", "turns")
_PROMPTS = ("prompt", "instruction", "question", "input", "query", "user", "source")
_ANSWERS = ("completion", "response", "answer", "output", "reply", "assistant", "chosen")
_ANCHORS = ("anchor", "query", "sentence1", "sentence_1", "sentence_a", "text_a", "premise")
_POSITIVES = ("positive", "pos", "sentence2", "sentence_2", "sentence_b", "text_b", "passage")
_NEGATIVES = ("negative", "neg", "hard_negative")
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of a table, and the column that each canonical field comes from."""

    kind: Kind
    fields: Mapping[str, str]

    @property
    def asks(self) -> str:
        """The column that holds the prompt, the chat or the anchor."""
        return next(iter(self.fields.values()))

    @property
    def answers(self) -> str:
        """The column that holds what is to be learnt."""
        return self.fields.get("completion") or self.fields.get("positive") or self.asks


def recognise(table: Table) -> Shape | None:
    """The shape of a table that is no labelled text; None for everything else.

    A table with a column `label` beside a `text` is labelled text, whatever else it has.
    """
    by_name = {name.strip().casefold(): name for name in reversed(table.columns)}
    if "text" in by_name and "label" in by_name:
        return None

    def first(names: Sequence[str], but: Sequence[str | None] = ()) -> str | None:
        return next((by_name[n] for n in names if n in by_name and by_name[n] not in but), None)

    chat = first(_CHATS)
    if chat is not None:
        return Shape("messages", {"messages": chat})
    anchor, positive, negative = first(_ANCHORS), first(_POSITIVES), first(_NEGATIVES)
    if anchor and positive and "label" not in by_name:
        fields = {"anchor": anchor, "positive": positive}
        if negative:
            return Shape("triplets", {**fields, "negative": negative})
        return Shape("pairs", fields)
    prompt, answer = first(_PROMPTS), first(_ANSWERS)
    if prompt is None or answer is None:
        return None
    more = {"system": by_name["system"]} if "system" in by_name else {}
    if "instruction" in by_name and "input" in by_name:
        more["input"] = by_name["input"]
        prompt = by_name["instruction"]
    return Shape("prompt_completion", {"prompt": prompt, "completion": answer, **more})


def rows_of(table: Table, shape: Shape, given: Given, problems: list[Problem]) -> list[Row]:
    """The rows of a table of a kind other than labelled text.

    Those that lack a field or a known split, or whose chat has no answer, become problems.
    """
    read: Callable[[Record, Shape], tuple[str, dict[str, Any]]]
    read = _chat if shape.kind == "messages" else _fields
    rows: list[Row] = []
    taken = {*shape.fields.values(), given.heeded, *OWN}
    for record in table.records:
        try:
            text, fields = read(record, shape)
        except ValueError as wrong:
            problems.append(Problem(record.place, str(wrong), record.file))
            continue
        if (fault := given.fault(record)) is not None:
            problems.append(Problem(record.place, fault, record.file))
            continue
        kept = {k: v for k, v in record.values.items() if k not in taken and k not in fields}
        split = given.split_of(record)
        rows.append(Row(text, "", split, {**kept, **fields}, place=record.place))
    return rows


def _fields(record: Record, shape: Shape) -> tuple[str, dict[str, Any]]:
    found: dict[str, str] = {}
    for name, column in shape.fields.items():
        value = record.values.get(column)
        text = value.strip() if isinstance(value, str) else "" if value is None else str(value)
        if not text and name not in ("system", "input"):
            raise ValueError(f"no {column}")
        if text:
            found[name] = text
    if "input" in found:
        found["prompt"] += "\n\n" + found.pop("input")
    return next(iter(found.values())), dict(found)


def _chat(record: Record, shape: Shape) -> tuple[str, dict[str, Any]]:
    value = record.values.get(shape.asks)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f"{shape.asks} that are no list") from None
    if not isinstance(value, list) or not value:
        raise ValueError(f"no {shape.asks}")
    messages = [_message(item) for item in cast("list[Any]", value)]
    if messages[-1]["role"] != "assistant":
        raise ValueError("a chat that does not end with the assistant's answer")
    asked = [m["content"] for m in messages if m["role"] == "user"]
    if not asked:
        raise ValueError("a chat without a user's message")
    return asked[-1], {"messages": messages}


def _message(item: Any) -> Message:
    if not isinstance(item, dict):
        raise ValueError("a message that is no object")
    told = cast("dict[str, Any]", item)
    role = _ROLES.get(str(told.get("role") or told.get("from")).casefold())
    content = _content(told.get("content", told.get("value")))
    if role is None:
        raise ValueError("a message without a known role (system, user, assistant, tool)")
    if not content.strip():
        raise ValueError("a message without content")
    return {"role": role, "content": content}


def _content(value: Any) -> str:
    """The words of a message; a list of parts is joined, as long as all of them are text."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else ""
    texts: list[str] = []
    for part in cast("list[Any]", value):
        told = cast("dict[str, Any]", part) if isinstance(part, dict) else {"text": part}
        kind = str(told.get("type") or "text")
        if kind != "text":
            raise ValueError(f"a message with a part of type {kind}; only text is learnt")
        if isinstance(told.get("text"), str):
            texts.append(told["text"])
    return "\n".join(texts)


def conversation(row: Row) -> list[Message]:
    """A row of prompt and completion, or of messages, as a chat; the last message is the answer.

    Raises:
        InvalidInput: if the row is of another kind.
    """
    if "messages" in row.extra:
        return cast("list[Message]", row.extra["messages"])
    if "prompt" not in row.extra or "completion" not in row.extra:
        raise InvalidInput("The row has no prompt and completion, and no messages.")
    turns = [("user", row.extra["prompt"]), ("assistant", row.extra["completion"])]
    if row.extra.get("system"):
        turns.insert(0, ("system", row.extra["system"]))
    return [{"role": role, "content": content} for role, content in turns]


def alike(row: Row) -> tuple[str, ...]:
    """Anchor, positive and, where there is one, negative; a prompt's completion is its positive.

    Raises:
        InvalidInput: if the row is of another kind.
    """
    for anchor, positive in (("anchor", "positive"), ("prompt", "completion")):
        if anchor in row.extra and positive in row.extra:
            rest = (row.extra["negative"],) if row.extra.get("negative") else ()
            return (row.extra[anchor], row.extra[positive], *rest)
    raise InvalidInput("The row is neither a pair nor a triplet of texts.")
