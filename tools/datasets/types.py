"""What dataset operations take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

Kind = Literal["classification", "multilabel", "prompt_completion", "messages", "pairs", "triplets"]
Splits = Literal["auto", "test-only", "80-10-10"]
DatasetName = Annotated[str, Slot(EntityKind.DATASET, "Which dataset?")]


class AddDataset(Args):
    """A file or folder of labelled text to add."""

    path: Annotated[str, Slot(None, "Which file should I add?")] = Field(
        description="A JSONL, CSV, TSV or Parquet file with a text and a label column (or several "
        "labels, prompts and completions, chats, pairs, triplets), or a folder with train, "
        "validation and test files of these kinds.",
        min_length=1,
        max_length=4096,
    )
    name: Annotated[str | None, Slot(EntityKind.DATASET, closed=False)] = Field(
        None, description="The dataset's name; the file's name when not given.", max_length=64
    )
    skip_bad_rows: bool = Field(
        False,
        description="Leave out rows that cannot be used, and list them; otherwise one such row "
        "refuses the file.",
    )
    text_column: str | None = Field(
        None, description="The column that holds the text; detected when not given.", max_length=200
    )
    label_column: str | None = Field(
        None,
        description="The column that holds the label; detected when not given.",
        max_length=200,
    )
    splits: Splits = Field(
        "auto",
        description="How rows come to their splits. `auto`: by the files or a column that give "
        "them, else 80/10/10. `test-only`: every row is held out, to judge models on and never to "
        "train. `80-10-10`: stratified, whatever the files say.",
    )
    split_column: str | None = Field(
        None,
        description="The column that says the split of each row: train, validation (dev, val) or "
        "test; a column `split` when not given.",
        max_length=200,
    )
    test_path: str | None = Field(
        None,
        description="A second file, whose rows are the test split of those in `path`.",
        min_length=1,
        max_length=4096,
    )

    @model_validator(mode="after")
    def _splits_once(self) -> AddDataset:
        said = {
            "splits": self.splits != "auto",
            "split_column": self.split_column is not None,
            "test_path": self.test_path is not None,
        }
        given = [name for name, is_given in said.items() if is_given]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other; give one of them")
        return self


class ListDatasets(Args):
    """No arguments."""


class DescribeDataset(Args):
    """The dataset to describe."""

    dataset: DatasetName = Field(
        description="A dataset's name, or `name@2` for a certain version of it."
    )


class RemoveDataset(Args):
    """The dataset version to remove."""

    dataset: DatasetName = Field(
        description="`name@2` for one version; a name alone means its newest version."
    )


class TextLengths(Result):
    """How long the texts are, in characters or in tokens, at percentiles."""

    p50: int
    p90: int
    p99: int
    longest: int


class DatasetProfile(Result):
    """What was measured on the rows.

    Attributes:
        kind: what the rows teach: a class, any number of labels (multilabel), an answer
            (prompt_completion, messages), or which texts are alike (pairs, triplets).
        format: `jsonl`, `csv`, `tsv` or `parquet`; several where a folder mixes them.
        columns: each column with its type.
        text_column: the column that holds the text, the prompt, the chat or the anchor.
        label_column: the column that holds the label, the answer or the positive.
        columns_from: `name` if the two columns were named so, `detected` if they were inferred.
        rows: how many rows.
        classes: rows of each class, largest first.
        splits: rows of each split.
        split_from: `files`, `column`, `test-only` (every row is held out) or `assigned`
            (stratified 80/10/10).
        split_column: the column that gave the splits, if one did.
        taken_from_train: the splits that were not given and were taken from train.
        duplicates: rows whose normalised text occurs earlier.
        near_duplicates: rows that nearly repeat another one (token Jaccard of 0.8 or more).
        leaked: held-out rows whose normalised text occurs in another split too.
        nearly_leaked: held-out rows that nearly repeat a row of another split.
        leaks: the first 100 of both, each as `test line 4 as train line 9`.
        lengths: text lengths in characters.
        tokens: text lengths in tokens of the bundled encoder; None if it is not fetched.
        personal: how many rows hold what looks like personal data or secrets, by kind.
        skipped: the rows that were left out on request, with line and reason (at most 50).
        skipped_rows: how many were left out.
        example: one row as it is stored.
        warnings: what a person should know before using it.
    """

    kind: Kind = "classification"
    columns: dict[str, str]
    text_column: str
    label_column: str
    columns_from: str
    rows: int
    classes: dict[str, int]
    splits: dict[str, int]
    split_from: str
    split_column: str | None = None
    taken_from_train: list[str] = Field(default_factory=list)
    duplicates: int
    near_duplicates: int
    lengths: TextLengths
    format: str = ""
    leaked: int = 0
    nearly_leaked: int = 0
    leaks: list[str] = Field(default_factory=list)
    tokens: TextLengths | None = None
    personal: dict[str, int] = Field(default_factory=dict)
    skipped: list[str] = Field(default_factory=list)
    skipped_rows: int = 0
    example: dict[str, JsonValue] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)


class DatasetSummary(Result):
    """One dataset version in a list.

    Attributes:
        builtin: True if it ships with the platform and cannot be removed.
        sha256: SHA-256 of the canonical rows.
    """

    name: str
    version: int
    rows: int
    classes: int
    splits: dict[str, int]
    sha256: str
    builtin: bool
    created: datetime


class DatasetList(Result):
    """The newest version of every dataset."""

    datasets: list[DatasetSummary]


class DatasetDescription(Result):
    """All that is known of one dataset version."""

    name: str
    version: int
    versions: list[int]
    sha256: str
    source: str
    builtin: bool
    created: datetime
    profile: DatasetProfile
    used_by: list[str]


class Before(Result):
    """The newest version that a dataset had before another was added."""

    version: int
    rows: int
    source: str


class DatasetAdded(Result):
    """What adding made.

    Attributes:
        before: of a dataset that was there already, its newest version until then.
        known: True if the same content was there already, and nothing was added.
        unused_name: the name that was not made because the content is known under `name`.
    """

    name: str
    version: int
    sha256: str
    known: bool
    profile: DatasetProfile
    unused_name: str | None = None
    before: Before | None = None


class DatasetRemoved(Result):
    """What was removed."""

    name: str
    version: int
    rows: int
