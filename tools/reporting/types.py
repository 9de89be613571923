"""What reporting operations take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import Slot
from tools.kernel.operations import Args, Result

Audience = Literal["board", "executives", "engineering", "legal", "finance"]
Severity = Literal["high", "medium", "low"]

Period = Annotated[
    str | None,
    Slot(None, "For which period?"),
    Field(
        description="For example `last week`, `last 30 days`, `March 2026`, `since 2026-01-01`, "
        "`from 2026-01-01 to 2026-01-31`; everything when left out. Times are UTC.",
        max_length=100,
    ),
]


class SummaryArgs(Args):
    """For whom, and of which period."""

    audience: Annotated[Audience, Slot(None, "For whom: board, executives, engineering, …?")] = (
        Field(description="Whose questions it answers, and in whose words.")
    )
    period: Period = None


class RoiArgs(Args):
    """The period, and what is assumed."""

    period: Period = None
    minutes_saved_per_act: float = Field(
        10.0,
        ge=0,
        le=10_000,
        description="Assumption: minutes of a person's work that one act of the platform saves.",
    )
    person_hourly_rate: float = Field(
        60.0,
        ge=0,
        le=10_000,
        description="Assumption: money that one hour of a person's work costs.",
    )


class RisksArgs(Args):
    """No arguments."""


class Figure(Result):
    """One number of a report.

    Attributes:
        id: short name, unique in the report.
        label: what it is.
        value: the number exactly as computed.
        shown: how the text writes it, rounded.
        unit: for example `jobs`, `%`, `seconds`, `EUR`.
        source: the records that it was computed from, such as `job 7`, `run 3f2a9c01`,
            `rollout 2`, `receipt R12`, `setting hourly_rate`, `assumption minutes_saved_per_act`.
        query: how it is computed from those records, in a few words.
    """

    id: str
    label: str
    value: float
    shown: str
    unit: str = ""
    source: list[str]
    query: str = ""


class Risk(Result):
    """Something that could go wrong, as the records show it.

    Attributes:
        severity: high, medium or low.
        title: what it is, in a sentence.
        advice: what to do about it.
        source: the records that show it.
    """

    severity: Severity
    title: str
    advice: str
    source: list[str]


class Report(Result):
    """A report of one page.

    Attributes:
        kind: `summary`, `roi` or `risks`.
        audience: for whom a summary was written.
        period: the period in words, with its dates.
        start: its beginning; None if it begins with the first record.
        end: its end (exclusive).
        empty: True if there was nothing to report yet.
        markdown: the text; each number is followed by the footnote of its figure.
        words: how many words the text has, footnotes left out.
        figures: every number in the text; figure n is footnote n.
        risks: what could go wrong, worst first.
        path: the saved Markdown file.
        sha256: its hash.
        plot: the saved picture, if there was enough to draw.
    """

    kind: Literal["summary", "roi", "risks"]
    audience: Audience | None = None
    title: str
    period: str
    start: datetime | None = None
    end: datetime | None = None
    empty: bool = False
    markdown: str
    words: int
    figures: list[Figure] = Field(default_factory=list[Figure])
    risks: list[Risk] = Field(default_factory=list[Risk])
    path: str
    sha256: str
    plot: str | None = None
