"""What is known of a version's quality: the domain that measures says so here.

@measurement_source
def _(kernel: Kernel, version: ModelVersionInfo) -> Sequence[Measurement]:
    return [Measurement("tickets@1", "test", {"accuracy": 0.91}, ())]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo


@dataclass(frozen=True, slots=True)
class MeasuredSlice:
    """Accuracy on some of the rows."""

    column: str
    value: str
    rows: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One evaluation of a version.

    Attributes:
        dataset: what it was measured on, `name@2`.
        split: the part of it.
        values: figures by name.
        slices: accuracies of slices, in any order.
    """

    dataset: str
    split: str
    values: Mapping[str, float]
    slices: Sequence[MeasuredSlice]


Source = Callable[["Kernel", "ModelVersionInfo"], Sequence[Measurement]]
_SOURCES: list[Source] = []


def measurement_source(source: Source) -> Source:
    """Register a function that tells what was measured of a version, newest first."""
    _SOURCES.append(source)
    return source


def measurements(kernel: Kernel, version: ModelVersionInfo) -> list[Measurement]:
    """All that was measured of a version, newest first."""
    return [found for source in _SOURCES for found in source(kernel, version)]
