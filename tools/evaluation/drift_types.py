"""What the drift operations take and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tools.devices.types import Inputs
from tools.evaluation.report_types import OnDataset
from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.registry.types import KnownModel, MaybeVersion, ModelName

PLACES_OF = "places"
"""The kind under which `Whereabouts` are kept, by the hash of the version's files."""

Level = Literal["none", "notice", "alarm"]


class MeasureDrift(Args):
    """Which version, and against which live sample."""

    model: KnownModel
    version: MaybeVersion = Field(
        None, description="Its version; the champion, else the newest, when left out.", ge=1
    )
    dataset: OnDataset = Field(
        None,
        description="A dataset of live inputs; what devices reported when left out.",
        max_length=120,
    )


class DriftHistory(Args):
    """Whose drift reports to show."""

    model: Annotated[
        ModelName | None,
        Slot(EntityKind.MODEL, "Which model?"),
        Field(description="Only this model's; every model's when left out."),
    ] = None


class Profile(Result):
    """What a version saw and answered before it went live.

    Attributes:
        id: number of the stored profile.
        rows: reference rows: held out ones of its own dataset.
        dataset: where they are from.
        labels: how often it predicted each label on them.
        lengths: rows by length in words, at the edges of `edges`.
        edges: upper ends of the length bins.
        confidence: mean probability of the predicted label.
        embeddings: path of mean, covariance and a sample of the texts' embeddings.
        inputs: the rows counted as devices count what they are asked.
    """

    id: int = 0
    rows: int
    dataset: str
    labels: dict[str, int]
    lengths: list[int]
    edges: list[float]
    confidence: float
    embeddings: str
    inputs: Inputs | None = None


class Whereabouts(Result):
    """Where a version's held-out texts lie for its bundle, which counts live inputs the same way.

    Attributes:
        id: number of the stored report.
        places: how many lie where, see `edge.places`.
    """

    id: int = 0
    places: list[int]


class Shift(Result):
    """How far one thing has moved.

    Attributes:
        what: predictions, lengths, words, embeddings or accuracy.
        statistic: population stability index; for the embeddings of a dataset, squared maximum
            mean discrepancy; points lost for accuracy.
        p_value: of "nothing has moved" (chi-square, permutation, Fisher).
        level: none, notice or alarm.
        told: the finding in words.
    """

    what: Literal["predictions", "lengths", "words", "embeddings", "accuracy"]
    statistic: float
    p_value: float
    level: Level
    told: str


class DriftReport(Result):
    """A version's live inputs and predictions against its reference profile.

    Attributes:
        id: number of the stored report.
        model: the model.
        version: its version.
        source: the dataset, or the devices.
        rows: live rows.
        reference_rows: reference rows.
        reference: the dataset that they are from.
        level: the worst level of any shift.
        drifted: True if anything moved: a notice or an alarm.
        shifts: what moved, worst first.
        warnings: what a reader must know.
    """

    id: int = 0
    model: str
    version: int
    source: str
    rows: int
    reference_rows: int
    reference: str
    level: Level
    drifted: bool = False
    shifts: list[Shift]
    warnings: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tell_drift(self) -> Self:
        self.drifted = self.level != "none"
        return self


class DriftReports(Result):
    """Stored drift reports of a model, or of all, newest first."""

    model: str | None
    reports: list[DriftReport]
