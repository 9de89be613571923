"""What people said of answers, as labelled cases: `python -m evals.feedback [--tenant NAME]`.

One line of JSON a case, in the form of `datasets/ops_commands.jsonl`: the sentence and the plan
that is right for it. A thumb up says that the plan was right; a correction, that the plan of what
was meant is. A thumb down alone says only what was wrong: its case has no `steps`, and the plan
under `wrong`. Reads the database of the home, which only its owner may.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from graphs.feedback import Feedback
from tools.kernel.settings import Settings
from tools.kernel.storage import Database


def case(example: dict[str, Any]) -> dict[str, Any]:
    """An example as a case."""
    right = example["plan"] if example["good"] else example["meant_plan"]
    told = {
        "id": example["id"],
        "split": "dev",
        "turns": [example["said"]],
        "tag": "feedback",
        "comment": example["comment"],
        "meant": example["meant"],
        "wrong": None if example["good"] else _steps(example["plan"]),
    }
    if right is None:
        return told
    return {
        **told,
        "steps": _steps(right),
        "question": right.get("question"),
        "abstained": right.get("abstained", False),
        "dry_run": right.get("dry_run", False),
    }


def _steps(plan: dict[str, Any] | None) -> list[dict[str, Any]]:
    kept = ("id", "operation", "arguments", "condition", "depends_on")
    return [{name: step.get(name) for name in kept} for step in (plan or {}).get("steps", [])]


def main(given: list[str] | None = None) -> None:
    """Print the cases."""
    parser = argparse.ArgumentParser(prog="python -m evals.feedback", description=__doc__)
    parser.add_argument("--tenant", default="default", help="whose; the default tenant's")
    tenant = parser.parse_args(given).tenant
    for example in Feedback(Database(Settings().database)).examples(tenant):
        print(json.dumps(case(example), ensure_ascii=False))


if __name__ == "__main__":
    main()
