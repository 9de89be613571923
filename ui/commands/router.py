"""`router train`, `router eval`, `router predict`: intents of one's own, with abstention."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.options import AsJson

Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31, help="The same seed, same router.")]
Frozen = Annotated[
    bool, typer.Option("--frozen", help="Leave the encoder untuned, to see what tuning brings.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    router = typer.Typer(
        help="Train, measure and ask an intent router.",
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    router.command("train")(train)
    router.command("eval")(evaluate)
    router.command("predict")(predict)
    app.add_typer(router, name="router")


def train(
    data: Annotated[Path, typer.Option("--data", help="JSON lines with `text` and `label`.")],
    out: Annotated[Path, typer.Option("--out", help="The router's folder.")],
    seed: Seed = 0,
    frozen: Frozen = False,
    as_json: AsJson = False,
) -> int:
    """Learn intents from labelled sentences and write the router's folder."""
    from graphs.understanding.intent import IntentRouter, read_examples
    from graphs.understanding.intent.examples import check_trainable, distinct
    from graphs.understanding.intent.intent_router import check_target
    from ui.console import note, print_json

    examples = read_examples(data)
    check_trainable(distinct(examples), str(data))
    check_target(out)
    router = IntentRouter.train(examples, seed=seed, steps=0 if frozen else None, report=note)
    router.save(out)
    if as_json:
        facts = {
            "labels": len(router.labels),
            "threshold": round(router.threshold, 4),
            "model_bytes": router.size(),
        }
        print_json({"out": str(out), **router.facts, **facts})
    else:
        print(
            f"{out}: {len(router.labels)} labels from {len(examples):,} rows in"
            f" {router.facts['train_seconds']:.0f} s, {router.size() / 1e6:.1f} MB"
        )
    return 0


def evaluate(
    train: Annotated[Path, typer.Option("--train", help="Rows to learn from.")],
    test: Annotated[Path, typer.Option("--test", help="Rows to measure on.")],
    oos: Annotated[Path | None, typer.Option("--oos", help="Rows out of scope.")] = None,
    seed: Seed = 0,
    frozen: Frozen = False,
    as_json: AsJson = False,
) -> int:
    """Train on one file, measure on another: accuracy, abstention, calibration, latency, size."""
    from graphs.understanding.intent import IntentRouter, read_examples, read_texts
    from graphs.understanding.intent.examples import check_labels, check_trainable, distinct
    from graphs.understanding.intent.measuring import measure
    from ui.console import note, print_json

    examples, rows = read_examples(train), read_examples(test)
    check_trainable(distinct(examples), str(train))
    check_labels(rows, {example.label for example in examples}, str(test))
    outside = read_texts(oos) if oos else []
    router = IntentRouter.train(examples, seed=seed, steps=0 if frozen else None, report=note)
    note(f"measuring on {len(rows) + len(outside):,} rows")
    figures = measure(router, rows, outside)
    if as_json:
        print_json(figures)
    else:
        for name, value in figures.items():
            print(f"{name:31} {value}")
    return 0


def predict(
    folder: Annotated[Path, typer.Argument(help="The router's folder.")],
    text: Annotated[str, typer.Argument(help="The sentence.")],
    as_json: AsJson = False,
) -> int:
    """Say what a sentence means, or abstain."""
    from dataclasses import asdict

    from graphs.understanding.intent import IntentRouter
    from tools.kernel.errors import InvalidInput
    from ui.console import print_json

    if not text.strip():
        raise InvalidInput("The sentence is empty.")
    router = IntentRouter.load(folder)
    found = router.predict([text])[0]
    if as_json:
        print_json({"text": text, **asdict(found), "threshold": router.threshold})
    elif found.abstain:
        print(
            f"abstains (nearest: {found.label}, score {found.score:.2f} < {router.threshold:.2f})"
        )
    else:
        print(f"{found.label} ({found.probability:.0%})")
    return 0
