"""Our trainings beside TRL's SFTTrainer and transformers' Trainer, in one run.

    python -m benchmarks.training --prepare      once: TRL into build/trl
    OMP_NUM_THREADS=1 python -m benchmarks.training [--json] [--rows 96] [--rounds 3]

Both sides of a pair get the same model, rows, precision, threads, batch size, rank and number of
steps, each in a process of its own, in turns. Texts are unevenly long, as real ones are. A
throughput is the rows' own tokens (no padding) over the time of the training loop, loading left
out; ours includes its evaluations and checkpoints, which the peers are not asked for.
`processor_throughput_ratio` is the same by processor time, of which other load takes less. Peak
memory is the process's until then. What was learnt is measured by one function for both sides, on
rows that neither has seen. TRL and Trainer run with their defaults except that TRL's gradient
checkpointing, which trades time for memory, is off as ours is.
`estimate_error` is how far
the pre-flight estimate of a training was from its time, once one training has been seen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TRL = ROOT / "build" / "trl"
WORDS = (
    *("the", "device", "reports", "an", "error", "after", "update", "please", "check", "why"),
    *("battery", "screen", "invoice", "payment", "route", "driver", "scanner", "login", "slow"),
)
HELD_OUT = 48
QUEUES = ("hardware", "billing", "access", "navigation")
Measured = dict[str, float]


def prepare() -> None:
    """Install TRL beside the environment, without what it needs: the lock has that."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(TRL), "trl==1.16.0"]
    subprocess.run(command, check=True)


def uneven(count: int) -> list[dict[str, str]]:
    """Texts of 4 to 220 words, most of them short, each with a queue."""
    shuffle = random.Random(5)
    rows: list[dict[str, str]] = []
    for i in range(count):
        length = min(220, 4 + int(shuffle.expovariate(1 / 35)))
        text = " ".join(shuffle.choices(WORDS, k=length))
        rows.append({"text": f"{text} {QUEUES[i % 4]}", "label": QUEUES[i % 4]})
    return rows


def write(folder: Path, count: int) -> None:
    """Write the rows for both tasks."""
    rows = uneven(count + HELD_OUT)
    for kind in ("classification", "language"):
        (folder / kind).mkdir()
        for split, part in (("train", rows[:count]), ("validation", rows[count:])):
            lines = [json.dumps(row if kind == "classification" else _chat(row)) for row in part]
            (folder / kind / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


def _chat(row: dict[str, str]) -> dict[str, Any]:
    asked = f"Which queue does this belong to? {row['text']}"
    answer = {"role": "assistant", "content": f"It belongs to the {row['label']} queue."}
    return {"messages": [{"role": "user", "content": asked}, answer]}


def measured(side: str, folder: Path, precision: str) -> Measured:
    """Run one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_sides", side, str(folder), precision]
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{TRL}",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compared(ours: str, peer: str, folder: Path, precision: str, rounds: int) -> Measured:
    """Medians of both sides, run in turns."""
    found: dict[str, list[Measured]] = {ours: [], peer: []}
    for _ in range(rounds):
        for side, runs in found.items():
            runs.append(measured(side, folder, precision))

    def median(side: str, figure: str) -> float:
        return statistics.median(run[figure] for run in found[side])

    def ratio(figure: str) -> float:
        return round(median(ours, figure) / median(peer, figure), 3)

    return {
        "tokens_per_second": round(median(ours, "tokens_per_second"), 1),
        "peer_tokens_per_second": round(median(peer, "tokens_per_second"), 1),
        "throughput_ratio": ratio("tokens_per_second"),
        "processor_throughput_ratio": ratio("tokens_per_processor_second"),
        "peak_memory_mb": round(median(ours, "peak_memory_mb")),
        "peer_peak_memory_mb": round(median(peer, "peak_memory_mb")),
        "peak_memory_ratio": ratio("peak_memory_mb"),
        "held_out_loss": round(median(ours, "held_out_loss"), 4),
        "peer_held_out_loss": round(median(peer, "held_out_loss"), 4),
    }


PAIRS = {
    "trl_sft": ("ours_language", "trl_sft"),
    "trainer_classification": ("ours_classification", "trainer_classification"),
}


def report(rows: int, rounds: int, precision: str, only: Sequence[str]) -> dict[str, Any]:
    """Everything that is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows)
        pairs = {
            name: compared(*sides, folder, precision, rounds)
            for name, sides in PAIRS.items()
            if name in only
        }
        estimate = measured("estimate", folder, precision)
    return {
        "rows": rows,
        "rounds": rounds,
        "precision": precision,
        "throughput_ratio": {name: pair["throughput_ratio"] for name, pair in pairs.items()},
        "peak_memory_ratio": {name: pair["peak_memory_ratio"] for name, pair in pairs.items()},
        "estimate_error": estimate["estimate_error"],
        "pairs": pairs,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="install TRL into build/trl")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--only", choices=sorted(PAIRS), nargs="+", default=sorted(PAIRS))
    options = parser.parse_args()
    if options.prepare:
        prepare()
        return
    if not TRL.is_dir():
        raise SystemExit("TRL is not there: python -m benchmarks.training --prepare")
    found = report(options.rows, options.rounds, options.precision, options.only)
    if options.json:
        print(json.dumps(found))
        return
    for name, pair in found["pairs"].items():
        print(
            f"{name:24} {pair['tokens_per_second']:8.0f} tokens/s beside "
            f"{pair['peer_tokens_per_second']:.0f} ({pair['throughput_ratio']:.2f} times), "
            f"{pair['peak_memory_mb']:.0f} MB beside {pair['peer_peak_memory_mb']:.0f}, held-out "
            f"loss {pair['held_out_loss']:.3f} beside {pair['peer_held_out_loss']:.3f}"
        )
    print(f"estimate_error           {found['estimate_error']:+.1%}")


if __name__ == "__main__":
    main()
