"""LoRA beside full fine-tuning of the bundled encoder on thousands of short texts.

`python -m benchmarks.lora [--data FILE] [--rows 3000] [--threads 2] [--json]` trains both through
the gate as anybody would, with what Pilothouse chooses by itself, and measures them on the same
held-out rows. Without a file (`text` and `label` in JSONL) the rows are sentences of four classes
of the bundled tickets, most of them with slips of the keyboard; the test rows are sentences of
tickets that no training row was made of, as they were written.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.optimize import finished
from tools.datasets import builtin
from tools.evaluation.perturb import perturb
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

CLASSES = ("access", "billing", "device", "feature")
MOST_WORDS, LEAST_WORDS = 25, 4
METHODS = ("lora", "full")
Row = dict[str, str]


def sentences(split: str) -> list[Row]:
    """The short sentences of a split of the bundled tickets, each with its ticket's class."""
    lines = (Path(builtin.__file__).parent / "bundled" / "tickets" / f"{split}.jsonl").read_text()
    found: list[Row] = []
    for row in map(json.loads, lines.splitlines()):
        for sentence in re.split(r"(?<=[.!?])\s+", row["text"]):
            if row["label"] in CLASSES and LEAST_WORDS <= len(sentence.split()) <= MOST_WORDS:
                found.append({"text": sentence, "label": row["label"]})
    return found


def rows_of(count: int) -> list[Row]:
    """So many training rows, and the held-out ones, each with its split."""
    draw, plain = random.Random(3), sentences("train")
    texts: dict[str, str] = {row["text"]: row["label"] for row in plain}
    seed = 0
    while len(texts) < count:
        row, seed = draw.choice(plain), seed + 1
        texts[perturb(row["text"], "typos", seed)] = row["label"]
    train = [{"text": t, "label": c, "split": "train"} for t, c in texts.items()][:count]
    held_out = [
        row | {"split": split} for split in ("validation", "test") for row in sentences(split)
    ]
    return train + held_out


def compared(data: Path, threads: int) -> dict[str, Any]:
    """Train with both methods and measure both on the test split."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        kernel = Kernel(Settings(home=Path(home), threads=threads))
        kernel.start()
        try:
            finished(kernel, "datasets.add", path=str(data), name="short")
            for method in METHODS:
                trained = finished(kernel, "training.start", dataset="short", method=method)
                judged = finished(kernel, "evaluation.run", job=trained["job"], dataset="short")
                found[method] = {
                    "seconds": round(trained["seconds"], 1),
                    "epochs": trained["epochs"],
                    "accuracy": judged["accuracy"],
                    "low": judged["accuracy_low"],
                    "high": judged["accuracy_high"],
                    "test_rows": judged["rows"],
                }
        finally:
            kernel.stop()
    behind = 100 * (found["full"]["accuracy"] - found["lora"]["accuracy"])
    return {**found, "points_behind_full": round(behind, 2)}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="JSONL with `text` and `label`")
    parser.add_argument("--rows", type=int, default=3000, help="training rows that are made")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = args.data
        if data is None:
            data = Path(folder) / "short.jsonl"
            data.write_text("".join(json.dumps(row) + "\n" for row in rows_of(args.rows)))
        found = compared(data, args.threads)
    if args.json:
        print(json.dumps(found))
        return
    for method in METHODS:
        one = found[method]
        print(f"{method:5} {one['accuracy']:.1%} of {one['test_rows']} rows, {one['seconds']} s")
    print(f"LoRA is {found['points_behind_full']:+.1f} points behind full fine-tuning")


if __name__ == "__main__":
    main()
