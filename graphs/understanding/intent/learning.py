"""From labelled rows to a router's parts: tune, fit the judges, calibrate on rows held out.

The amount of work follows from the number of rows alone, never from a clock: the same rows and seed
give the same router.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.intent.confidence import Calibration, calibrate
from graphs.understanding.intent.examples import Example, check_trainable, distinct, name_words
from graphs.understanding.intent.heads import Heads
from graphs.understanding.intent.onnx_encoder import export
from graphs.understanding.intent.parts import Learnt
from graphs.understanding.intent.tuning import BATCH, Tuning, below, tune, vectors
from graphs.understanding.intent.twofold import Twofold, join
from graphs.understanding.intent.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tools.training.encoder import Encoder

    Matrix = NDArray[np.float32]

Report = Callable[[str], None]
"""Receives a line on what is being done."""

_TRAIN_TOKENS = 64
_MANY_ROWS = 20
_FEWEST_STEPS = 40
_MOST_STEPS = 360
_MOST_TOKENS = 800_000
_HELD_OUT_MOST = 1500


@dataclass(frozen=True, slots=True)
class _Data:
    texts: list[str]
    rows: Sequence[Tensor]
    truth: NDArray[Any]
    names: list[str]
    named: Sequence[Tensor]
    untuned: Matrix
    untuned_names: Matrix | None


def learn(
    examples: Sequence[Example],
    seed: int,
    *,
    steps: int | None = None,
    threads: int = 2,
    report: Report,
) -> Learnt:
    """Learn a router's parts.

    Args:
        examples: labelled rows; each label has two or more.
        seed: of every random choice.
        steps: gradient steps; None for what fits the number of rows, 0 for none.
        threads: that torch may use.
        report: receives a line a step.

    Raises:
        InvalidInput: if the rows are too few or have one label.
        AssetMissing: if the encoder has not been fetched.
    """
    import torch

    from tools.kernel.assets import asset_path
    from tools.training.encoder import load_encoder

    rows = distinct(examples)
    check_trainable(rows)
    base = asset_path("minilm")
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, threads))
    try:
        report(f"reading {len(rows):,} rows")
        encoder = load_encoder(base)
        untuned = copy.deepcopy(encoder)
        labels = tuple(sorted({row.label for row in rows}))
        data = _prepare(rows, labels, base, encoder)
        steps = steps_for([len(row) for row in data.rows]) if steps is None else steps
        calibration = _tuned(encoder, data, steps, seed, report)
        report("exporting the encoder to int8 ONNX")
        small = export(Twofold(encoder, untuned), base)
    finally:
        torch.set_num_threads(before)
    report("fitting the heads")
    names = small.embed(data.names) if data.names else None
    heads = Heads.fit(small.embed(data.texts), data.truth, names)
    words = _read_words(data, np.arange(len(data.texts)))
    return Learnt(labels, small, heads, words, calibration, steps, bool(data.names))


def steps_for(lengths: Sequence[int]) -> int:
    """How many gradient steps the encoder takes: more rows, more steps, within the time allowed.

    Args:
        lengths: the rows' lengths in tokens; the longer, the dearer a step.
    """
    affordable = _MOST_TOKENS * len(lengths) / (BATCH * sum(lengths))
    return int(max(1, min(_FEWEST_STEPS + len(lengths) / 40, _MOST_STEPS, affordable)))


def _tuned(encoder: Encoder, data: _Data, steps: int, seed: int, report: Report) -> Calibration:
    """Tunes the encoder in place, and calibrates on rows that it was not tuned on.

    Where rows are many, a tenth is spared for that. Few are all needed: a copy of the encoder is
    tuned without the rows held out, and calibrated; then the encoder itself on all of them.
    """
    held = _held_out(data.truth, seed)
    kept = np.setdiff1d(np.arange(len(data.texts)), held)
    many = _many(data.truth)
    probe = encoder if many else copy.deepcopy(encoder)
    report(f"tuning the encoder on {len(kept):,} of {len(data.texts):,} rows, {steps} steps")
    _tune(probe, data, kept, steps, seed)
    report(f"calibrating on {len(held):,} rows held out")
    calibration = _calibrate(probe, data, kept, held)
    if not many:
        report(f"tuning the encoder on all {len(data.texts):,} rows, {steps} steps")
        _tune(encoder, data, np.arange(len(data.texts)), steps, seed)
    return calibration


def _prepare(rows: Sequence[Example], labels: Sequence[str], base: Path, encoder: Encoder) -> _Data:
    from tools.training.export import load_tokenizer

    tokenizer = load_tokenizer(base, _TRAIN_TOKENS)

    def lower(texts: Sequence[str]) -> Sequence[Tensor]:
        return below(encoder, [encoding.ids for encoding in tokenizer.encode_batch(list(texts))])

    texts = [row.text for row in rows]
    place = {label: number for number, label in enumerate(labels)}
    truth = np.array([place[row.label] for row in rows])
    names = [] if _many(truth) else _names(rows, labels)
    below_rows, below_names = lower(texts), lower(names)
    untuned = vectors(encoder, below_rows)
    untuned_names = vectors(encoder, below_names) if names else None
    data = _Data(texts, below_rows, truth, names, below_names, untuned, untuned_names)
    return data if _names_tell(data) else replace(data, names=[], named=[], untuned_names=None)


def _many(truth: NDArray[Any]) -> bool:
    """Whether there are so many rows that some can be spared, and names tell no more."""
    return len(truth) >= _MANY_ROWS * (int(truth.max()) + 1)


def _names(rows: Sequence[Example], labels: Sequence[str]) -> list[str]:
    """Each label in words; empty if any of them has none."""
    told = {row.label: row.description for row in rows if row.description}
    names = [". ".join(w for w in (name_words(n), told.get(n, "")) if w) for n in labels]
    return names if all(names) else []


def _names_tell(data: _Data) -> bool:
    """Whether names say something: the untuned encoder must find many rows' labels by them."""
    if data.untuned_names is None:
        return False
    found = (data.untuned @ data.untuned_names.T).argmax(1)
    needed = 0.2 + 0.8 / len(data.names)
    return float((found == data.truth).mean()) >= needed


def _tune(encoder: Encoder, data: _Data, rows: NDArray[Any], steps: int, seed: int) -> None:
    truth = [int(label) for label in data.truth[rows]]
    tune(encoder, [data.rows[i] for i in rows], truth, data.named, Tuning(steps), seed)


def _calibrate(
    encoder: Encoder, data: _Data, kept: NDArray[Any], held: NDArray[Any]
) -> Calibration:
    def both(rows: NDArray[Any]) -> Matrix:
        return join(vectors(encoder, [data.rows[i] for i in rows]), data.untuned[rows])

    names = data.untuned_names
    if names is not None:
        names = join(vectors(encoder, data.named), names)
    said = _read_words(data, kept).outputs([data.texts[i] for i in held])
    opinion = Heads.fit(both(kept), data.truth[kept], names).judge(both(held), said)
    return calibrate(opinion, data.truth[held])


def _read_words(data: _Data, rows: NDArray[Any]) -> Words:
    """The judge of words; silent where rows are many, since their vectors tell enough."""
    classes = int(data.truth.max()) + 1
    if _many(data.truth):
        return Words.silent(classes)
    texts = [data.texts[i] for i in rows] + data.names
    truth = np.concatenate([data.truth[rows], np.arange(len(data.names))])
    return Words.fit(texts, truth)


def _held_out(truth: NDArray[Any], seed: int) -> NDArray[Any]:
    """Rows that only calibration sees: a fifth, or a tenth of many; a label's only row never."""
    random = np.random.default_rng(seed + 1)
    many = _many(truth)
    share = min(0.1 if many else 0.2, _HELD_OUT_MOST / len(truth))
    chosen: list[int] = []
    for label in range(int(truth.max()) + 1):
        own = random.permutation(np.flatnonzero(truth == label))
        least = 1 if len(own) > 1 and not many else 0
        chosen += [int(i) for i in own[: max(least, round(share * len(own)))]]
    return np.sort(np.array(chosen))
