"""What a router consists of: kept apart from learning, so that predicting imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from graphs.understanding.intent.confidence import Calibration
from graphs.understanding.intent.heads import Heads
from graphs.understanding.intent.onnx_encoder import OnnxEncoder
from graphs.understanding.intent.words import Words


@dataclass(frozen=True, slots=True)
class Learnt:
    """A router's parts.

    Attributes:
        labels: the labels in the order of the judges' outputs.
        encoder: makes the vectors.
        heads: the judges of vectors.
        words: the judge of words.
        calibration: probabilities and the threshold.
        steps: how many gradient steps the encoder took.
        named: whether the labels' names were of use.
    """

    labels: tuple[str, ...]
    encoder: OnnxEncoder
    heads: Heads
    words: Words
    calibration: Calibration
    steps: int
    named: bool
