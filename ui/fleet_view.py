"""The fleet as a terminal shows it: a line a group, a bar a rollout, a row a device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ui import words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Json = dict[str, Any]
MOST_DEVICES = 25
BAR = 24


def drawn(found: Json) -> RenderableType:
    """All groups.

    Args:
        found: `groups` of `deployment.status`, and the result of `devices.health`.
    """
    from rich.console import Group
    from rich.text import Text

    groups: Sequence[Json] = found["groups"]
    if not groups:
        return Text("No device is enrolled yet. Try: pilothouse call devices.enroll --help")
    health = {d["name"]: d for d in found["health"]["devices"]}
    parts: list[RenderableType] = [Text(_counts(found["health"]))]
    for group in groups:
        parts += [Text(""), *_group(group, health)]
    return Group(*parts)


def _counts(health: Json) -> str:
    told = [f"{health[state]} {state}" for state in ("online", "silent", "pending", "unhealthy")]
    return f"{len(health['devices'])} devices: {', '.join(told)}"


def _group(group: Json, health: Json) -> Iterable[RenderableType]:
    from rich.text import Text

    protected = " (protected)" if group["protected"] else ""
    yield Text(f"{group['group']}{protected}", style="bold")
    if (rollout := group["rollout"]) is not None:
        yield Text(_rollout(rollout))
        if rollout["hold"]:
            yield Text(f"  holds: {rollout['hold']}", style="yellow")
        if rollout["reason"]:
            yield Text(f"  reason: {rollout['reason']}", style="red")
        yield from (Text(line, style=style) for line, style in _metrics(rollout))
    yield _devices(group, health)


def _rollout(rollout: Json) -> str:
    devices: Sequence[Json] = [
        d for d in rollout["devices"] if d["step"] is not None and not d["excluded"]
    ]
    there = sum(d["touched"] and d["confirmed"] for d in devices)
    full = round(BAR * there / len(devices)) if devices else 0
    bar = "█" * full + "░" * (BAR - full)
    state = "paused" if rollout["paused"] else rollout["state"].replace("_", " ")
    return (
        f"  rollout {rollout['rollout']}  {rollout['model']} v{rollout['version']}  "
        f"{_steps(rollout)}  {state}  {bar} {there}/{len(devices)}"
    )


def _steps(rollout: Json) -> str:
    """The steps, with the one at hand in brackets: `5 % [25 %] 100 %`."""
    if len(rollout["steps"]) < 2:
        return str(rollout["strategy"]).replace("_", "-")
    return " ".join(
        f"[{percent} %]" if number == rollout["step"] else f"{percent} %"
        for number, percent in enumerate(rollout["steps"], 1)
    )


def _metrics(rollout: Json) -> Iterable[tuple[str, str]]:
    judged = rollout["judged"]
    for metric in judged["metrics"] if judged else ():
        if metric["sample"]:
            style = "red" if metric["verdict"] == "breach" else "dim"
            above = "at least" if metric["name"] == "confidence" else "at most"
            yield (
                f"  {metric['name']}: {metric['value']:.1%} ({above} {metric['limit']:.1%}; "
                f"{metric['sample']} seen, {metric['verdict']})",
                style,
            )


def _devices(group: Json, health: Json) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for column in ("  device", "state", "serves", "is meant to", "p95 ms", "errors", "reported"):
        table.add_column(column)
    ranked = sorted(group["devices"], key=lambda d: (d["confirmed"], d["device"]))
    for device in ranked[:MOST_DEVICES]:
        known: Json = health.get(device["device"], {})
        state = "refused" if device["error"] else device["state"]
        if state == "online" and not device["confirmed"]:
            state = "updating"
        style = {"silent": "red", "refused": "red", "updating": "yellow"}.get(state, "")
        table.add_row(
            f"  {device['device']}",
            state,
            _served(device["reported"]),
            _served(device["desired"]),
            f"{known['latency_p95_ms']:.1f}" if known.get("latency_p95_ms") else "–",
            f"{known.get('errors', 0)} of {known.get('requests', 0)}",
            words.moment(device["reported_at"]),
            style=style,
        )
    if len(ranked) > MOST_DEVICES:
        table.add_row(f"  and {len(ranked) - MOST_DEVICES} more that are no worse")
    return table


def _served(models: Sequence[Json]) -> str:
    told = (
        f"{m['model']} v{m['version']}" + ("" if m["weight"] == 100 else f" ({m['weight']} %)")
        for m in models
    )
    return ", ".join(told) or "–"
