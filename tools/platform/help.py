"""What can be said: written from the operations themselves, so that it is never out of date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from tools.kernel.operations import Operation, OperationSet
from tools.platform.types import HelpEntry, HelpText, HelpTopic

TITLES = {
    "datasets": "Data",
    "training": "Training",
    "registry": "Models",
    "evaluation": "Evaluation",
    "devices": "Devices",
    "deployment": "Rollouts",
    "knowledge": "Documents",
    "reporting": "Reports",
    "schedules": "Schedules",
    "platform": "The platform",
}
_ALSO = {
    "datasets": "data dataset import",
    "training": "train fine tune tuning finetune",
    "registry": "model models register promote champion challenger alias",
    "evaluation": "evaluate evaluations compare accuracy metrics",
    "devices": "device phones laptops thinkpads fleet enroll",
    "deployment": "deploy deployments rollout rollouts roll rolling back canary release ab test",
    "knowledge": "document documents docs question questions runbook policy search",
    "reporting": "report reports summary roi risks board",
    "schedules": "schedule scheduled nightly trigger cron",
    "platform": "approval approvals audit undo jobs receipts users help",
}
_PLAIN = (
    "a an the i you we it to do does how can what with on in of for about help show me my is are "
    "work works working pilothouse here please something anything"
)
_COMMON = frozenset(_PLAIN.split())


def write_help(operations: OperationSet, topic: str | None) -> HelpText:
    """Help on a topic, or an overview.

    Args:
        operations: all that can be done.
        topic: a domain, an operation, or words; None for the overview.
    """
    shown = [o for o in operations if not o.hidden]
    if topic is None:
        return _overview(shown, None, found=True)
    chosen = _find(shown, topic)
    if not chosen:
        return _overview(shown, topic, found=False)
    topics = _topics(chosen, examples=5)
    return HelpText(topic=topic, found=True, topics=topics, text=_written(topics))


def _overview(shown: Sequence[Operation[Any, Any]], topic: str | None, found: bool) -> HelpText:
    topics = _topics(shown, examples=1)
    opening = (
        "Say what you want in your own words. For example:"
        if found
        else f"Nothing here is about {topic!r}. What you can say, for example:"
    )
    lines = [opening]
    for part in topics:
        said = [e.examples[0] for e in part.entries if e.examples]
        lines.append(f"{TITLES.get(part.domain, part.domain)}: " + " · ".join(said))
    lines.append("Ask for help on any of these to see more.")
    return HelpText(topic=topic, found=found, topics=topics, text="\n".join(lines))


def _find(shown: Sequence[Operation[Any, Any]], topic: str) -> list[Operation[Any, Any]]:
    wanted = topic.strip().casefold()
    exact = [o for o in shown if wanted in (o.name, o.domain)]
    if exact:
        return exact
    words = _words(topic)
    domains = [d for d in TITLES if words and words <= _words(f"{d} {TITLES[d]} {_ALSO[d]}")]
    named = [o for o in shown if words and words & _words(o.verb.replace("_", " "))]
    if named and len(words) <= 2:
        inside = [o for o in named if o.domain in domains]
        if inside or not domains:
            return inside or named
    if domains:
        return [o for o in shown if o.domain in domains]
    scored = [(_fit(o, words), o) for o in shown if o.name != "platform.help"]
    best = max((score for score, _ in scored), default=0.0)
    return [o for score, o in scored if best >= 0.5 and score >= best - 0.01][:5]


def _fit(operation: Operation[Any, Any], words: frozenset[str]) -> float:
    """The share of the topic's words that one of the operation's sentences holds, and more where
    they name its domain."""
    if not words:
        return 0.0
    domain = _words(f"{operation.domain} {_ALSO.get(operation.domain, '')}")
    told = [operation.summary, operation.name.replace(".", " "), *operation.examples]
    best = max(len(words & _words(t)) for t in told)
    return (best + 0.5 * len(words & domain)) / len(words) if best else 0.0


def _words(text: str) -> frozenset[str]:
    found = re.findall(r"[a-z]+", text.casefold())
    stems = (w.removesuffix("ing").removesuffix("s") for w in found if w not in _COMMON)
    return frozenset(w for w in stems if w)


def _topics(shown: Iterable[Operation[Any, Any]], examples: int) -> list[HelpTopic]:
    by_domain: dict[str, list[HelpEntry]] = {}
    for operation in shown:
        by_domain.setdefault(operation.domain, []).append(_entry(operation, examples))
    return [HelpTopic(domain=domain, entries=entries) for domain, entries in by_domain.items()]


def _entry(operation: Operation[Any, Any], examples: int) -> HelpEntry:
    fields = operation.input.model_fields
    return HelpEntry(
        operation=operation.name,
        effect=operation.effect.value,
        summary=operation.summary,
        examples=list(operation.examples[:examples]),
        arguments=[n if f.is_required() else f"{n}?" for n, f in fields.items()],
    )


def _written(topics: Sequence[HelpTopic]) -> str:
    lines: list[str] = []
    for topic in topics:
        lines.append(f"{TITLES.get(topic.domain, topic.domain)}")
        for entry in topic.entries:
            taken = f" ({', '.join(entry.arguments)})" if entry.arguments else ""
            care = ", asks for approval" if entry.effect == "dangerous" else ""
            lines.append(f"  {entry.operation}{taken}: {entry.summary.rstrip('.')}{care}")
            lines.extend(f"    “{example}”" for example in entry.examples)
    return "\n".join(lines)
