"""From labelled rows to a router's parts: tune, fit the judges, calibrate on rows held out.

The amount of work follows from the number of rows alone, never from a clock: the same rows and seed
give the same router.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.intent.confidence import Calibration, calibrate
from graphs.understanding.intent.examples import Example, check_trainable, distinct, name_words
from graphs.understanding.intent.heads import Heads
from graphs.understanding.intent.onnx_encoder import OnnxEncoder, export

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.training.encoder import Encoder

    Matrix = NDArray[np.float32]

Report = Callable[[str], None]
"""Receives a line on what is being done."""

_TRAIN_TOKENS = 64
_MANY_ROWS = 20
_HELD_OUT_MOST = 1500


@dataclass(frozen=True, slots=True)
class Learnt:
    """A router's parts.

    Attributes:
        labels: the labels in the order of the judges' outputs.
        encoder: makes the vectors.
        heads: the judges.
        calibration: probabilities and the threshold.
        steps: how many gradient steps the encoder took.
        named: whether the labels' names were of use.
    """

    labels: tuple[str, ...]
    encoder: OnnxEncoder
    heads: Heads
    calibration: Calibration
    steps: int
    named: bool


@dataclass(frozen=True, slots=True)
class _Data:
    texts: list[str]
    ids: list[list[int]]
    truth: NDArray[Any]
    names: list[str]
    name_ids: list[list[int]]


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
        encoder = load_encoder(base)
        labels = tuple(sorted({row.label for row in rows}))
        data = _prepare(rows, labels, base, encoder)
        held = _held_out(data.truth, seed)
        steps = steps_for(len(data.texts)) if steps is None else steps
        many = np.bincount(data.truth).min() >= _MANY_ROWS
        kept = np.setdiff1d(np.arange(len(data.texts)), held)
        probe = encoder if many else copy.deepcopy(encoder)
        report(f"tuning the encoder on {len(kept):,} of {len(rows):,} rows")
        _tune(probe, data, kept, steps if many else steps // 2, seed)
        report("calibrating on the rows held out")
        calibration = _calibrate(probe, data, kept, held)
        if not many:
            report(f"tuning the encoder on all {len(rows):,} rows")
            _tune(encoder, data, np.arange(len(data.texts)), steps, seed)
        report("exporting the encoder to int8 ONNX")
        small = export(encoder, base)
    finally:
        torch.set_num_threads(before)
    report("fitting the heads")
    names = small.embed(data.names) if data.names else None
    heads = Heads.fit(small.embed(data.texts), data.truth, names)
    return Learnt(labels, small, heads, calibration, steps, bool(data.names))


def steps_for(rows: int) -> int:
    """How many gradient steps the encoder takes: more rows, more steps, within the time allowed."""
    return int(min(40 + rows / 50, 240))


def _prepare(rows: Sequence[Example], labels: Sequence[str], base: Path, encoder: Encoder) -> _Data:
    from tools.training.export import load_tokenizer

    tokenizer = load_tokenizer(base, _TRAIN_TOKENS)

    def numbered(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]

    texts = [row.text for row in rows]
    place = {label: number for number, label in enumerate(labels)}
    truth = np.array([place[row.label] for row in rows])
    data = _Data(texts, numbered(texts), truth, _names(rows, labels), [])
    name_ids = numbered(data.names)
    if not data.names or not _names_tell(encoder, data, name_ids):
        return _Data(texts, data.ids, truth, [], [])
    return _Data(texts, data.ids, truth, data.names, name_ids)


def _names(rows: Sequence[Example], labels: Sequence[str]) -> list[str]:
    """Each label in words; empty if any of them has none."""
    told = {row.label: row.description for row in rows if row.description}
    names = [". ".join(w for w in (name_words(n), told.get(n, "")) if w) for n in labels]
    return names if all(names) else []


def _names_tell(encoder: Encoder, data: _Data, name_ids: list[list[int]]) -> bool:
    """Whether names say something: the untuned encoder must find many rows' labels by them."""
    some = np.random.default_rng(0).permutation(len(data.ids))[:500]
    names = _vectors(encoder, name_ids)
    found = (_vectors(encoder, [data.ids[i] for i in some]) @ names.T).argmax(1)
    needed = 0.2 + 0.8 / len(names)
    return float((found == data.truth[some]).mean()) >= needed


def _tune(encoder: Encoder, data: _Data, rows: NDArray[Any], steps: int, seed: int) -> None:
    from graphs.understanding.intent.tuning import Tuning, tune

    ids = [data.ids[i] for i in rows]
    truth = [int(label) for label in data.truth[rows]]
    tune(encoder, ids, truth, data.name_ids, Tuning(steps), seed)


def _calibrate(
    encoder: Encoder, data: _Data, kept: NDArray[Any], held: NDArray[Any]
) -> Calibration:
    names = _vectors(encoder, data.name_ids) if data.name_ids else None
    heads = Heads.fit(_vectors(encoder, [data.ids[i] for i in kept]), data.truth[kept], names)
    opinion = heads.judge(_vectors(encoder, [data.ids[i] for i in held]))
    return calibrate(opinion, data.truth[held])


def _held_out(truth: NDArray[Any], seed: int) -> NDArray[Any]:
    """Rows of every label that only calibration sees: a fifth, or a tenth of many."""
    random = np.random.default_rng(seed + 1)
    share = 0.1 if np.bincount(truth).min() >= _MANY_ROWS else 0.2
    share = min(share, _HELD_OUT_MOST / len(truth))
    chosen: list[int] = []
    for label in range(int(truth.max()) + 1):
        own = random.permutation(np.flatnonzero(truth == label))
        chosen += [int(i) for i in own[: max(1, round(share * len(own)))]]
    return np.sort(np.array(chosen))


def _vectors(encoder: Encoder, ids: Sequence[Sequence[int]]) -> Matrix:
    import torch

    from graphs.understanding.intent.tuning import encode

    with torch.inference_mode():
        return encode(encoder, ids).numpy()
