"""Values as people read them; shared by everything that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def value(given: Any) -> str:
    """One value on one line."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    if given is None:
        return "–"
    if isinstance(given, float):
        return f"{given:.4g}"
    if isinstance(given, list):
        return ", ".join(value(item) for item in given) or "none"
    if isinstance(given, dict):
        if set(given) == {"step", "field"}:
            return f"the {given['field']} of step {str(given['step']).removeprefix('s')}"
        if {"operation", "arguments"} <= set(given):  # a step that is kept for later
            return str(given["operation"])
        return ", ".join(f"{name} {value(item)}" for name, item in given.items()) or "none"
    return str(given)


def arguments(given: Json) -> str:
    """A call's arguments on one line, those left out omitted."""
    told = [f"{name} {value(item)}" for name, item in given.items() if item is not None]
    return ", ".join(told)


def duration(seconds: float | None) -> str:
    """Seconds as `0.2 s`, `34 s`, `2 min 5 s`, `3 h 4 min`."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def money(cost: float | None, currency: str) -> str:
    """Money with its currency; cents are not enough for small jobs."""
    if cost is None:
        return "–"
    return f"{cost:.2f} {currency}" if cost >= 0.1 or cost == 0 else f"{cost:.4f} {currency}"


def moment(text: str | None) -> str:
    """A time in this machine's zone; the day is left out when it is today."""
    if not text:
        return "–"
    at = datetime.fromisoformat(text)
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone()
    today = datetime.now(at.tzinfo).date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"


def remaining(text: str) -> str:
    """How long until a time."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    left = (at - datetime.now(UTC)).total_seconds()
    return f"in {duration(left)}" if left > 0 else "now past"


def problem_lines(error: Json) -> list[str]:
    """An error: what was wrong, what was probably meant, what would be right."""
    lines = [str(error.get("message", "Something went wrong."))]
    if error.get("suggestions"):
        lines.append(f"Did you mean {' or '.join(error['suggestions'])}?")
    if error.get("hint"):
        lines.append(str(error["hint"]))
    return lines


def model_use(use: Mapping[str, Any], currency: str = "") -> str:
    """What a language model took: its calls, tokens, time and cost."""
    calls = "call" if use["calls"] == 1 else "calls"
    tokens = use["prompt_tokens"] + use["answer_tokens"]
    cost = f", {use['cost']:.4f} {currency}".rstrip() if use.get("cost") else ""
    return (
        f"{use['model']}: {use['calls']} {calls}, {tokens} tokens, {use['ms'] / 1000:.1f} s{cost}"
    )
