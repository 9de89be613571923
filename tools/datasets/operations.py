"""The operations on datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.datasets import telling
from tools.datasets.types import (
    AddDataset,
    DatasetAdded,
    DatasetDescription,
    DatasetList,
    DatasetRemoved,
    DescribeDataset,
    ListDatasets,
    RemoveDataset,
)
from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.datasets.loading import Chosen
    from tools.datasets.service import DatasetService
    from tools.kernel.kernel import Kernel


def _service(kernel: Kernel) -> DatasetService:
    from tools.datasets.service import DatasetService

    return kernel.get(DatasetService)


@entity_source(EntityKind.DATASET)
def dataset_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every dataset by name, and each of its older versions as `name@version`."""
    return _service(kernel).names(tenant)


@operation(
    "datasets.add",
    effect=Effect.WRITE,
    idempotent=True,
    foreseen=True,
    examples=(
        "add the dataset at data/tickets_march.jsonl",
        "import ./exports/complaints.csv as complaints",
        "upload last_week.csv",
        "load the parquet file /srv/data/reviews.parquet as product reviews",
        "register ~/Downloads/support-emails.tsv as a dataset called support emails",
        "I have new labelled tickets in week31.jsonl, please add them",
        "bring in chats.jsonl and call it chat logs",
        "here is a new csv with labels: /tmp/refunds.csv, add it to our data",
        "use the folder data/intents as a dataset",
        "make /data/q3/mails.parquet available for training",
        "ingest training data from ./labelled/tickets_v2.csv under the name tickets v2",
        "create a dataset named returns from returns_2026.jsonl",
        "add /data/chats.jsonl and skip the bad rows",
        "import export.csv, leaving out bad rows",
    ),
)
def add(args: AddDataset, call: Call) -> DatasetAdded:
    """Add labelled text from a file or folder as a versioned dataset.

    JSONL, CSV, TSV and Parquet are recognised by content, and so is what the rows teach: a class,
    several labels, an answer, or which texts are alike. Bad rows refuse the file and are named by
    line, unless they are to be left out. Rows are profiled, split (by the files or a column that
    give splits, else 80/10/10, stratified; or all of them held out) and stored under the SHA-256 of
    their content. The same content again answers with the known version; other content under a
    known name becomes its next version. Errors name the file and the line.
    """
    return _service(call.kernel).add(call.tenant, args.path, args.name, _chosen(args))


def _chosen(args: AddDataset) -> Chosen:
    from tools.datasets.loading import Chosen
    from tools.kernel.paths import absolute

    return Chosen(
        text=args.text_column,
        label=args.label_column,
        skip_bad_rows=args.skip_bad_rows,
        splits=args.splits,
        split_column=args.split_column,
        test=absolute(args.test_path) if args.test_path else None,
    )


@add.normalise
def _(args: AddDataset, call: Call) -> AddDataset:
    from tools.kernel.paths import absolute
    from tools.kernel.server_files import require_readable

    found = {"path": args.path, "test_path": args.test_path}
    paths = {name: absolute(path) for name, path in found.items() if path is not None}
    for path in paths.values():
        require_readable(path, call.context, call.kernel.settings)
    return args.model_copy(update={name: str(path) for name, path in paths.items()})


@add.preview
def _(args: AddDataset, call: Call) -> Preview:
    planned = _service(call.kernel).plan_add(call.tenant, args.path, args.name, _chosen(args))
    if planned.known:
        summary = f"{telling.known(planned)} Nothing changes."
        return Preview(summary=summary, warnings=planned.profile.warnings)
    profile = planned.profile
    before = planned.before
    return Preview(
        summary=f"Add {profile.rows} rows {telling.of_what(profile)} from {_where(args)} as "
        f"{planned.name} v{planned.version}.{telling.split_by(profile)}"
        f"{telling.next_version(planned)}",
        changes=[
            Change(
                what=f"dataset {planned.name}",
                before=f"v{before.version}" if before else None,
                after=f"v{planned.version}",
            ),
            *telling.profiled(profile),
        ],
        warnings=profile.warnings,
    )


def _where(args: AddDataset) -> str:
    return f"{args.path} and {args.test_path}" if args.test_path else args.path


@add.read_back
def _(args: AddDataset, result: DatasetAdded, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(call.tenant, result.name, result.version)


@add.inverse
def _(args: AddDataset, result: DatasetAdded, call: Call) -> Inverse | None:
    if result.known:
        return None
    return Inverse(
        operation="datasets.remove", arguments={"dataset": f"{result.name}@{result.version}"}
    )


@add.says
def _(args: AddDataset, result: DatasetAdded) -> str:
    profile = result.profile
    if result.known:
        return telling.known(result)
    columns = ""
    if profile.kind not in ("classification", "multilabel"):
        third = ["negative"] if profile.kind == "triplets" else []
        named = dict.fromkeys([profile.text_column, profile.label_column, *third])
        columns = f" ({', '.join(map(repr, named))})"
    elif profile.columns_from == "detected":
        columns = f" (text from {profile.text_column!r}, label from {profile.label_column!r})"
    return (
        f"Added {result.name} v{result.version}: {profile.rows} rows "
        f"{telling.of_what(profile)}{columns}, read as {profile.format}."
        f"{telling.split_by(profile)}{telling.next_version(result)}"
        + "".join(f" {w}" for w in profile.warnings)
    )


@operation(
    "datasets.list",
    effect=Effect.READ,
    examples=(
        "list datasets",
        "what datasets do we have?",
        "show me all the data I can train on",
        "which training sets are there",
        "what data is available",
        "datasets?",
        "show the datasets and how many rows each has",
        "do we have any labelled data yet",
        "give me an overview of our data sets",
        "what can I train a model on?",
    ),
)
def list_(args: ListDatasets, call: Call) -> DatasetList:
    """List the newest version of every dataset with its rows, classes and splits."""
    return _service(call.kernel).list(call.tenant)


@list_.says
def _(args: ListDatasets, result: DatasetList) -> str:
    names = ", ".join(f"{d.name} v{d.version} ({d.rows} rows)" for d in result.datasets)
    count = len(result.datasets)
    return f"There {'is' if count == 1 else 'are'} {count} dataset{'s'[: count != 1]}: {names}."


@operation(
    "datasets.describe",
    effect=Effect.READ,
    examples=(
        "describe the tickets dataset",
        "what's in the complaints data?",
        "show me the class balance of product reviews",
        "how many rows does support emails have",
        "profile the bundled tickets",
        "which labels are in chat-logs?",
        "is the refunds dataset balanced?",
        "are there duplicates in the mails data",
        "tell me about the dataset week31",
        "how is the tickets data split into train and test?",
        "how long are the texts in the returns dataset",
        "show details of dataset intents@2",
    ),
)
def describe(args: DescribeDataset, call: Call) -> DatasetDescription:
    """Describe a dataset: schema, classes, splits, text lengths, duplicates, versions, users."""
    return _service(call.kernel).describe(call.tenant, args.dataset)


@describe.says
def _(args: DescribeDataset, result: DatasetDescription) -> str:
    profile = result.profile
    classes = ", ".join(f"{name} {count}" for name, count in profile.classes.items())
    splits = ", ".join(f"{name} {count}" for name, count in profile.splits.items())
    what = telling.of_what(profile) + (f" ({classes})" if classes else "")
    return (
        f"{result.name} v{result.version} has {profile.rows} rows {what}; "
        f"splits: {splits}{telling.by_what(profile)}; {profile.duplicates} exact and "
        f"{profile.near_duplicates} near duplicates{telling.tokens(profile)}."
        + "".join(f" {w}" for w in profile.warnings)
    )


@operation(
    "datasets.remove",
    effect=Effect.DANGEROUS,
    examples=(
        "remove the dataset tickets-old",
        "delete complaints-2024@1",
        "drop the dataset chat-turns",
        "get rid of the tickets dataset",
        "delete version 2 of invoices",
        "erase the dataset survey-raw",
        "throw away complaints-2024@3",
        "the dataset chat-turns can go, delete it",
    ),
    hidden=True,
)
def remove(args: RemoveDataset, call: Call) -> DatasetRemoved:
    """Remove one version of a dataset and its stored rows; refused while something uses it."""
    return _service(call.kernel).remove(call.tenant, args.dataset)


@remove.normalise
def _(args: RemoveDataset, call: Call) -> RemoveDataset:
    found = _service(call.kernel).describe(call.tenant, args.dataset)
    return RemoveDataset(dataset=f"{found.name}@{found.version}")


@remove.preview
def _(args: RemoveDataset, call: Call) -> Preview:
    found = _service(call.kernel).check_removable(call.tenant, args.dataset)
    return Preview(
        summary=f"Remove {found.name} v{found.version} with its {found.profile.rows} rows.",
        changes=[Change(what=f"dataset {found.name}", before=f"v{found.version}", after=None)],
        risk="The stored rows are deleted; the file they came from is not touched.",
        confirm=found.name,
    )


@remove.read_back
def _(args: RemoveDataset, result: DatasetRemoved, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(call.tenant, result.name, result.version)


@remove.says
def _(args: RemoveDataset, result: DatasetRemoved) -> str:
    return f"Removed {result.name} v{result.version} ({result.rows} rows)."
