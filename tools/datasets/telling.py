"""How datasets are told of: what was added, what its rows are of, what gave them their splits."""

from __future__ import annotations

from tools.datasets.types import DatasetAdded, DatasetProfile
from tools.kernel.operations import Change

CLASSES_SHOWN = 12


def next_version(added: DatasetAdded) -> str:
    """That a name is taken, and what stands there, where a file becomes its next version."""
    before = added.before
    if before is None:
        return ""
    rows = f"{before.rows} row{'s' * (before.rows != 1)} from {before.source}"
    return (
        f" A dataset {added.name} is there already (v{before.version}, {rows}); this is its next "
        f"version, which trainings on {added.name} use from then on. For a dataset of its own, "
        "give it another name."
    )


def known(result: DatasetAdded) -> str:
    """That the content is there already, and under which name."""
    told = f"{result.name} v{result.version} holds exactly this content already."
    if result.unused_name is None:
        return told
    return (
        f"{told} It stays known under that name; no dataset {result.unused_name} was made. To have "
        "it under another name as well, say the name."
    )


def of_what(profile: DatasetProfile) -> str:
    """What rows are of, to stand behind their number: `in 8 classes`."""
    if profile.kind == "classification":
        return f"in {len(profile.classes)} class{'es' * (len(profile.classes) != 1)}"
    if profile.kind == "multilabel":
        return f"with any of {len(profile.classes)} labels"
    return {
        "prompt_completion": "of prompts and completions",
        "messages": "of chats",
        "pairs": "of pairs of texts",
        "triplets": "of triplets of texts",
    }[profile.kind]


def split_by(profile: DatasetProfile) -> str:
    """What gave the rows their splits, as a sentence; empty where they were assigned."""
    counts = ", ".join(f"{name} {count}" for name, count in profile.splits.items())
    if profile.split_from == "test-only":
        return " Every row is held out: models are judged on them, and none is trained on them."
    if profile.split_from == "column":
        return f" They are split by their column `{profile.split_column}`: {counts}."
    return f" Each file is a split: {counts}." if profile.split_from == "files" else ""


def by_what(profile: DatasetProfile) -> str:
    """The same in brackets."""
    told = {
        "test-only": " (all held out)",
        "column": f" (by the column `{profile.split_column}`)",
        "files": " (each file is one)",
    }
    return told.get(profile.split_from, "")


def profiled(profile: DatasetProfile) -> list[Change]:
    """What was measured on the rows, as a person should see it before they are stored."""
    classes = list(profile.classes.items())
    shown = [Change(what=f"class {name}", after=rows) for name, rows in classes[:CLASSES_SHOWN]]
    rest = classes[CLASSES_SHOWN:]
    if rest:
        shown.append(Change(what=f"{len(rest)} more classes", after=sum(n for _, n in rest)))
    tokens = profile.tokens
    return [
        Change(what="format", after=f"{profile.format}, {profile.kind.replace('_', '/')}"),
        Change(what="text column", after=profile.text_column),
        Change(what="label column", after=f"{profile.label_column} ({profile.columns_from})"),
        *(Change(what=f"rows for {name}", after=rows) for name, rows in profile.splits.items()),
        Change(what="exact duplicates", after=profile.duplicates),
        Change(what="near duplicates", after=profile.near_duplicates),
        Change(what="held-out rows that occur in another split", after=profile.leaked),
        Change(what="held-out rows that nearly do", after=profile.nearly_leaked),
        Change(what="rows left out", after=profile.skipped_rows),
        Change(what="longest text, characters", after=profile.lengths.longest),
        *([Change(what="longest text, tokens", after=tokens.longest)] if tokens else []),
        *(Change(what=f"rows with {what}", after=n) for what, n in profile.personal.items()),
        *shown,
    ]


def tokens(profile: DatasetProfile) -> str:
    """How many tokens the texts have, where that was counted."""
    found = profile.tokens
    return f"; tokens: median {found.p50}, 99 % at most {found.p99}" if found else ""
