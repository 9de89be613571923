"""How sure a router is: calibrated probabilities, and the score under which it abstains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.intent.heads import Opinion, fit_sharpness, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

GIVEN_UP = 0.025
"""Share of rightly labelled held-out rows that may fall under the threshold."""

DOUBT = 0.15
"""What the log-probability counts beside the cosines to the nearest centroid and row."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learnt from rows that the judges had not seen.

    Attributes:
        sharpness: the power that makes opinions into probabilities: temperature scaling.
        threshold: the score under which the router abstains.
        held_out: how many rows it was learnt from.
        accuracy: of the judges on those rows.
    """

    sharpness: float
    threshold: float
    held_out: int
    accuracy: float

    def probabilities(self, opinion: Opinion) -> Matrix:
        """Calibrated probabilities, rows × labels."""
        return softmax(_logarithms(opinion) * self.sharpness).astype(np.float32)


def calibrate(opinion: Opinion, truth: NDArray[Any]) -> Calibration:
    """Calibrate on held-out rows; no out-of-scope rows are needed."""
    right = opinion.chances.argmax(1) == truth
    scores = score(opinion)
    known = scores[right] if right.any() else scores
    return Calibration(
        sharpness=fit_sharpness(_logarithms(opinion), truth, 0.25, 8.0),
        threshold=float(np.quantile(known, GIVEN_UP)),
        held_out=len(truth),
        accuracy=float(right.mean()),
    )


def score(opinion: Opinion) -> Matrix:
    """How sure it is that a sentence is in scope; higher is surer.

    Two kinds of evidence are added. The cosines tell sentences of another world, which lie far from
    all rows; the probability tells those of the same world that no label fits, which lie between.
    """
    return opinion.centroid + opinion.nearest + DOUBT * _logarithms(opinion).max(1)


def _logarithms(opinion: Opinion) -> Matrix:
    return np.log(opinion.chances + 1e-9)
