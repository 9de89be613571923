"""How well sentences become plans: `python -m evals.parse_eval [--json] [--split NAME | --file F]`.

The sentences and their expected plans stand in `datasets/ops_commands.jsonl` (splits `dev` and
`held`: a third of them, looked at for the figure only, never for single cases) and in
`datasets/ops_fresh.jsonl` (split `fresh`: written by people who had not seen the parser, with
catalogues of their own; what they scored when first run stands in `docs/understanding.md`).
`--file` takes sentences from elsewhere, with their catalogue in the same folder. An argument that
says what the operation would take anyway is the same as one left out, and a reference to what a
step was told itself is the same as that: `register job 3 as X and promote X` and `… and promote the
model of that step`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, as_line, parse_turns
from tools.kernel.operations import Effect, OperationSet

DATASETS = Path(__file__).parent / "datasets"
NOW = datetime(2026, 11, 25, 14, 10, tzinfo=ZoneInfo("Europe/Berlin"))
"""The time at which every sentence is said: a Wednesday afternoon."""


@dataclass(frozen=True)
class Outcome:
    """One case with what came out.

    Attributes:
        case: the sentence with its expected plan.
        got: the plan in the parse format, and whether the parser left it `unanswered`.
    """

    case: dict[str, Any]
    got: dict[str, Any]

    @property
    def exact(self) -> bool:
        """True if everything is as expected."""
        loose = self.case.get("loose") or self.case.get("free_text")
        same = self._alike if loose else self._steps(self.case) == self._steps(self.got)
        return (
            same
            and self.question_right
            and self.case["abstained"] == self.got["abstained"]
            and self.case["dry_run"] == self.got["dry_run"]
        )

    @property
    def _alike(self) -> bool:
        """True if the operations and the arguments that are no references are as expected.

        So are cases compared whose conditions and references their author wrote as prose.
        """

        left = sorted(self.case["steps"], key=_simple)
        right = sorted(self.got["steps"], key=_simple)
        return len(left) == len(right) and all(map(_same_but_references, left, right))

    @property
    def question_right(self) -> bool:
        """True if the expected question was asked, or none was expected and none was asked."""
        expected, got = self.case["question"], self.got["question"]
        if expected is None or got is None:
            return expected is got
        if (expected["operation"], expected["slot"]) != (got["operation"], got["slot"]):
            return False
        wanted = expected.get("candidates", [])
        return set(wanted) <= set(got["candidates"])

    @property
    def operations_right(self) -> bool:
        """True if the same operations are planned (or asked about) in the same order."""
        return self._operations(self.case) == self._operations(self.got)

    @staticmethod
    def _operations(plan: dict[str, Any]) -> list[str]:
        question = plan["question"]
        return [s["operation"] for s in plan["steps"]] + (
            [question["operation"]] if question else []
        )

    @staticmethod
    def _steps(plan: dict[str, Any]) -> list[Any]:
        return [
            (
                s["operation"],
                _normal(s["arguments"]),
                sorted(s["depends_on"]),
                _normal(s["condition"]),
                _timing(s.get("schedule")),
            )
            for s in plan["steps"]
        ]

    def arguments(self, plan: dict[str, Any]) -> Counter[str]:
        """Every argument of every step, for the F1."""
        return Counter(
            f"{s['operation']} {k}={_normal(v)}"
            for s in plan["steps"]
            for k, v in s["arguments"].items()
        )

    def false_steps(self, operations: OperationSet) -> list[dict[str, Any]]:
        """Planned steps whose operation nobody asked for, and acts without their condition."""
        wanted = Counter(s["operation"] for s in self.case["steps"])
        surplus: list[dict[str, Any]] = []
        for step in self.got["steps"]:
            if wanted[step["operation"]] > 0 and not self.unconditional(step, operations):
                wanted[step["operation"]] -= 1
            else:
                surplus.append(step)
        return surplus

    def unconditional(self, step: dict[str, Any], operations: OperationSet) -> bool:
        """True for a step that acts where the same act was wanted under a condition only."""
        if operations.get(step["operation"]).effect is Effect.READ or step["condition"]:
            return False
        same = [s for s in self.case["steps"] if s["operation"] == step["operation"]]
        return bool(same) and all(s["condition"] for s in same)

    def false_dangerous(self, operations: OperationSet) -> list[dict[str, Any]]:
        """Dangerous steps not exactly among those expected, or without their condition.

        What is only tried dry is none.
        """
        if self.got["dry_run"]:
            return []
        wanted = [(s["operation"], _normal(s["arguments"])) for s in self.case["steps"]]
        if self.case["dry_run"]:
            wanted = []
        return [
            s
            for s in self.got["steps"]
            if _dangerous(operations, s)
            and (
                (s["operation"], _normal(s["arguments"])) not in wanted
                or self.unconditional(s, operations)
            )
        ]


def _simple(step: dict[str, Any]) -> tuple[str, str]:
    plain = {k: v for k, v in step["arguments"].items() if not isinstance(v, dict)}
    return step["operation"], _normal(plain)


def _same_but_references(left: dict[str, Any], right: dict[str, Any]) -> bool:
    a, b = left["arguments"], right["arguments"]
    if left["operation"] != right["operation"] or set(a) - _PROSE != set(b) - _PROSE:
        return False
    return all(
        isinstance(value, dict) or isinstance(b[name], dict) or _normal(value) == _normal(b[name])
        for name, value in a.items()
        if name not in _PROSE
    )


_PROSE = frozenset(["question", "query", "topic"])
"""Arguments whose exact words are a matter of taste."""


def load(split: str = "all") -> list[dict[str, Any]]:
    """The cases of a split: `dev`, `held`, both as `all`, or `fresh`."""
    file = "ops_fresh.jsonl" if split == "fresh" else "ops_commands.jsonl"
    return [c for c in _read(DATASETS / file) if split == "all" or c["split"] == split]


def _read(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def run(
    cases: Iterable[dict[str, Any]], understanding: Understanding, folder: Path = DATASETS
) -> list[Outcome]:
    """Parse every case against the catalogue in `folder` that belongs to it."""
    catalogues: dict[str, FileNames] = {}
    outcomes: list[Outcome] = []
    for case in cases:
        file = case.get("catalogue", "ops_catalogue.json")
        if file not in catalogues:
            catalogues[file] = FileNames.read(folder / file)
            understanding.prepare(catalogues[file])
        plan = parse_turns(case["turns"], understanding, catalogues[file], NOW)
        operations = understanding.operations
        line = as_line(plan) | {"unanswered": plan.abstained}
        outcomes.append(Outcome(_needed(case, operations), _needed(line, operations)))
    return outcomes


def _needed(plan: dict[str, Any], operations: OperationSet) -> dict[str, Any]:
    """A plan without the arguments that say what their operation would take anyway."""
    steps: list[dict[str, Any]] = []
    told = {s["id"]: s["arguments"] for s in plan["steps"]}
    for step in plan["steps"]:
        fields = operations.get(step["operation"]).input.model_fields
        usual = {name: info.default for name, info in fields.items() if not info.is_required()}
        plain = {n: _told(v, told) for n, v in step["arguments"].items()}
        said = {n: v for n, v in plain.items() if n not in usual or v != usual[n]}
        steps.append({**step, "arguments": said})
    return {**plan, "steps": steps}


def _told(value: Any, told: dict[str, dict[str, Any]]) -> Any:
    """What a reference points at, where its step was told just that; else the reference."""
    if not isinstance(value, dict) or set(value) != {"step", "field"}:
        return value
    known = told.get(value["step"], {}).get(value["field"])
    return known if isinstance(known, str | int) else value


def score(outcomes: Sequence[Outcome], operations: OperationSet) -> dict[str, Any]:
    """The figures of `docs`: shares from 0 to 1, times in milliseconds.

    `needs_no_llm` is the share that the parser answers itself, so that a configured language model
    would not be asked; `needs_no_llm_and_right` counts of those only the exact ones.
    """
    count = len(outcomes)
    asked = [o for o in outcomes if o.case["question"]]
    questions = [o for o in outcomes if o.got["question"]]
    expected, got, both = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        wanted, found = outcome.arguments(outcome.case), outcome.arguments(outcome.got)
        expected, got, both = expected + wanted, got + found, both + (wanted & found)
    abstained = [o for o in outcomes if o.got["abstained"]]
    should = [o for o in outcomes if o.case["abstained"]]
    times = sorted(o.got["ms"] for o in outcomes)
    dangerous = [s for o in outcomes for s in o.false_dangerous(operations)]
    alone = [o for o in outcomes if not o.got["unanswered"]]
    return {
        "sentences": count,
        "exact_match": _share(sum(o.exact for o in outcomes), count),
        "operation_accuracy": _share(sum(o.operations_right for o in outcomes), count),
        "argument_f1": _share(2 * both.total(), expected.total() + got.total()),
        "right_question_rate": _share(sum(o.question_right for o in asked), len(asked)),
        "needless_question_rate": _share(sum(not o.case["question"] for o in questions), count),
        "false_action_rate": _share(sum(bool(o.false_steps(operations)) for o in outcomes), count),
        "false_dangerous_actions": len(dangerous),
        "abstention_recall": _share(sum(o.got["abstained"] for o in should), len(should)),
        "abstention_precision": _share(sum(o.case["abstained"] for o in abstained), len(abstained)),
        "needs_no_llm": _share(len(alone), count),
        "needs_no_llm_and_right": _share(sum(o.exact for o in alone), count),
        "p50_ms": round(statistics.median(times), 2) if times else 0.0,
        "p95_ms": round(times[int(len(times) * 0.95)], 2) if times else 0.0,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures, and with `--cases` what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m evals.parse_eval", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--split", choices=("dev", "held", "fresh", "all"), default="all")
    parser.add_argument("--cases", action="store_true", help="show the cases that went wrong")
    parser.add_argument("--file", type=Path, help="sentences in a file, instead of a split")
    options = parser.parse_args(argv)
    from tools.catalog import load_operations
    from tools.kernel.embedding import get_embedder

    operations = load_operations()
    cases = load(options.split) if options.file is None else _read(options.file)
    folder = DATASETS if options.file is None else options.file.parent
    outcomes = run(cases, Understanding(operations, get_embedder()), folder)
    figures = score(outcomes, operations)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:26} {value}")
    if options.cases:
        for outcome in outcomes:
            if not outcome.exact:
                print(_shown(outcome, operations))
    return 0


def _shown(outcome: Outcome, operations: OperationSet) -> str:
    mark = " DANGEROUS" if outcome.false_dangerous(operations) else ""
    return (
        f"\n{outcome.case['id']}{mark} {outcome.case['turns']}\n  wanted {_brief(outcome.case)}"
        f"\n  got    {_brief(outcome.got)}"
    )


def _brief(plan: dict[str, Any]) -> str:
    parts = [
        f"{s['operation']} {json.dumps(s['arguments'])} {s['depends_on']}"
        + (f" if {json.dumps(s['condition'])}" if s["condition"] else "")
        + (f" when {json.dumps(s['schedule'])}" if s.get("schedule") else "")
        for s in plan["steps"]
    ]
    if plan["question"]:
        q = plan["question"]
        parts.append(f"? {q['operation']}.{q['slot']} {q.get('candidates')}")
    parts += [flag for flag in ("abstained", "dry_run") if plan[flag]]
    if "reply" in plan:
        parts.append(f"({plan['reply'][:70]}) {plan['confidence']}")
    return "\n         ".join(parts) or "nothing"


def _dangerous(operations: OperationSet, step: dict[str, Any]) -> bool:
    operation = operations.get(step["operation"])
    if operation.effect is not Effect.DANGEROUS:
        return False
    return step["operation"] != "registry.promote" or step["arguments"].get("alias") == "champion"


def _timing(schedule: dict[str, Any] | None) -> str:
    """When a step runs, without the words that were said for it and the zone of the clock."""
    return _normal({k: v for k, v in (schedule or {}).items() if k not in ("said", "zone")})


def _normal(value: Any) -> str:
    def simple(part: Any) -> Any:
        if isinstance(part, dict):
            return {k: simple(v) for k, v in part.items()}
        if isinstance(part, str):
            return " ".join(part.casefold().split()).rstrip("?.!")
        if isinstance(part, bool) or part is None:
            return part
        return float(part) if isinstance(part, int | float) else part

    return json.dumps(simple(value), sort_keys=True)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 1.0


if __name__ == "__main__":
    sys.exit(main())
