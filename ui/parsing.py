"""`pilothouse parse`: sentences to plans, one or thousands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tools.kernel.errors import InvalidInput
from ui.client import Client, connect
from ui.console import console, print_json
from ui.errors import BAD_INPUT, DONE, problem

Json = dict[str, Any]
FIELDS = ("steps", "question", "abstained", "dry_run", "confidence", "ms", "reply")
STEP_FIELDS = ("id", "operation", "arguments", "depends_on", "condition", "schedule")
BATCH = 100


def parse_sentence(
    text: str, catalogue: Path | None, *, explain: bool, as_json: bool, now: str | None = None
) -> int:
    """Print the plan of one sentence; with `explain` and without `as_json`, in words."""
    client, names = connect(), _catalogue(catalogue)
    (plan,) = _plans(client, [{"text": text}], names, explain, now)
    if "error" in plan:
        print_json({"error": plan["error"]})
        return int(plan["error"].get("exit_code", BAD_INPUT))
    if explain and not as_json:
        _explain(plan)
    else:
        print_json(_stable(plan))
    return DONE


def parse_lines(
    source: str, catalogue: Path | None, *, explain: bool, now: str | None = None
) -> int:
    """Print a line for each line of a file; a line that is no JSON is answered with its error."""
    names = _catalogue(catalogue)
    with _opened(source) as file:
        client, failed = connect(), False
        for batch in _batches(file):
            for told in _answers(client, batch, names, explain, now):
                failed = failed or "error" in told
                print(json.dumps(told, ensure_ascii=False))
            sys.stdout.flush()
    return BAD_INPUT if failed else DONE


def _answers(
    client: Client, batch: list[Json], names: Json | None, explain: bool, now: str | None
) -> Iterator[Json]:
    good = [line for line in batch if "error" not in line]
    plans = iter(_plans(client, good, names, explain, now) if good else [])
    for line in batch:
        yield line if "error" in line else _stable(next(plans))


def _plans(
    client: Client, lines: list[Json], names: Json | None, explain: bool, now: str | None
) -> list[Json]:
    body = {"lines": lines, "catalogue": names, "explain": explain, "now": now}
    return client.post("/api/v1/parse", body)["plans"]


def _stable(plan: Json) -> Json:
    if "error" in plan:
        return {"error": plan["error"]}
    steps = [{name: step.get(name) for name in STEP_FIELDS} for step in plan["steps"]]
    told = {**{name: plan.get(name) for name in FIELDS}, "steps": steps}
    return {**told, "explanation": plan["explanation"]} if plan.get("explanation") else told


def _batches(file: IO[str]) -> Iterator[list[Json]]:
    batch: list[Json] = []
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        batch.append(_line(text, number))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _line(text: str, number: int) -> Json:
    try:
        line: Any = json.loads(text)
    except ValueError:
        line = None
    if isinstance(line, dict) and (isinstance(line.get("text"), str) or _sentences(line)):
        return {name: line[name] for name in ("text", "turns") if line.get(name) is not None}
    hint = 'Each line is {"text": "…"} or {"turns": ["…", "…"]}.'
    return {"error": problem(InvalidInput(f"Line {number} cannot be read.", hint=hint))}


def _sentences(line: Json) -> bool:
    turns = line.get("turns")
    return isinstance(turns, list) and bool(turns) and all(isinstance(t, str) for t in turns)


def _catalogue(path: Path | None) -> Json | None:
    if path is None:
        return None
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"The catalogue {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidInput(f"The catalogue {path} is no JSON: {error}.") from error
    if not isinstance(names, dict) or not all(isinstance(v, list) for v in names.values()):
        raise InvalidInput(
            f"The catalogue {path} is malformed.", hint='It holds {"model": ["a-name", …], …}.'
        )
    return names


@contextmanager
def _opened(source: str) -> Iterator[IO[str]]:
    if source == "-":
        yield sys.stdin
        return
    try:
        file = Path(source).open(encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidInput(f"{source} cannot be read: {error.strerror}.") from error
    with file:
        yield file


def _explain(plan: Json) -> None:
    screen = console()
    sure, took = float(plan.get("confidence") or 0), float(plan.get("ms") or 0)
    screen.print(f"  {sure:.0%} sure, {took:.1f} ms" + (", abstained" if plan["abstained"] else ""))
    for step in plan["steps"]:
        screen.print(f"  {step['id']} {step['operation']}", style="bold")
        for name, value in step["arguments"].items():
            screen.print(f"      {name} = {json.dumps(value, ensure_ascii=False)}")
    if plan.get("question"):
        screen.print(f"  ? {plan['question']['text']}")
    if plan.get("reply"):
        screen.print(f"  {plan['reply']}")
    for reason in plan.get("explanation") or []:
        _because(reason)


def _because(reason: Json) -> None:
    """Which words led to which operation and argument, and what came next to it."""
    screen = console()
    taken = reason["operation"] or "nothing"
    screen.print(f"  “{reason['text']}” → {taken} ({float(reason['confidence']):.0%})", style="dim")
    for name, words in reason["arguments"].items():
        screen.print(f"      {name} from “{words}”", style="dim")
    runners = [f"{name} {float(share):.0%}" for name, share in reason["runners"]]
    if runners:
        screen.print(f"      next: {', '.join(runners)}", style="dim")
