"""What is read and measured when a dataset is added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from tools.datasets import columns as columns_
from tools.datasets import labels, lengths, personal, splits
from tools.datasets import rows as rows_
from tools.datasets.columns import Row
from tools.datasets.loading import Chosen, Loaded, load
from tools.datasets.problems import KEPT, Problem, listed, told
from tools.datasets.reading import Table
from tools.datasets.types import DatasetProfile, TextLengths

LEAKS_KEPT = 100
_LINES_SHOWN = 3
_IDS = ("id", "uid", "uuid", "guid", "row_id", "_id")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dataset read, checked, split and profiled, but not stored."""

    rows: list[Row]
    sha256: str
    profile: DatasetProfile


def prepare(path: Path, chosen: Chosen | None = None) -> Prepared:
    """Read, check, split and measure everything at a path; writes nothing.

    Raises:
        InvalidInput: naming the file and the lines of what is wrong.
        NotFound: if there is nothing at the path.
    """
    return profiled(load(path, chosen or Chosen()))


def profiled(loaded: Loaded) -> Prepared:
    """Split and measure what was read."""
    rows, labelled = loaded.rows, loaded.kind in ("classification", "multilabel")
    texts = [row.text for row in rows]
    # Questions of one pattern differ in a word that matters: only equal ones belong together.
    group = splits.groups(texts) if labelled else splits.equal(texts)
    given = loaded.given
    warnings = [*loaded.table.warnings, *given.warnings, *_skipped(loaded.problems)]
    if labelled:
        warnings += labels.label_warnings(rows)
        warnings += labels.form_warnings(loaded.table, loaded.columns.label, loaded.problems)
    leaks: list[splits.Leak] = []
    taken: list[str] = []
    if given.source == "assigned":
        splits.assign(rows, group)
    else:
        leaks = splits.leaks(rows, group)
        warnings += _leak_warnings(leaks)  # told before rows move to the splits that are missing
        taken = _complete(rows, group)
        warnings += _taken(taken)
    counts = lengths.token_counts(texts)
    too_long = lengths.too_long(texts, counts or [])
    found = {k: [rows[i].place for i in at] for k, at in personal.found(texts).items()}
    profile = _profile(loaded, group)
    return Prepared(
        rows,
        loaded.sha256,
        profile.model_copy(
            update={
                "taken_from_train": taken,
                "leaked": sum(leak.exact for leak in leaks),
                "nearly_leaked": sum(not leak.exact for leak in leaks),
                "leaks": [str(leak) for leak in leaks[:LEAKS_KEPT]],
                "tokens": _tokens(counts, too_long) if counts else None,
                "personal": {kind: len(places) for kind, places in found.items()},
                "warnings": [
                    *warnings,
                    *rows_.repeated(rows, profile.duplicates),
                    *rows_.not_held_out(rows, given.source),
                    *(rows_.equal_sides(rows) if loaded.kind in ("pairs", "triplets") else []),
                    *_disagreements(rows),
                    *_repeated_ids(loaded.table),
                    *_long(rows, too_long),
                    *personal.warnings(found),
                ],
            }
        ),
    )


def _skipped(problems: Sequence[Problem]) -> list[str]:
    were = "row was" if len(problems) == 1 else "rows were"
    return [f"{len(problems)} {were} left out: {told(problems)}."] if problems else []


def _leak_warnings(leaks: Sequence[splits.Leak]) -> list[str]:
    warnings: list[str] = []
    for exact, what in ((True, "repeat"), (False, "nearly repeat")):
        chosen = [leak for leak in leaks if leak.exact is exact]
        if chosen:
            shown = "; ".join(leak.places for leak in chosen[:_LINES_SHOWN])
            if len(chosen) > _LINES_SHOWN:
                shown += f"; {len(chosen) - _LINES_SHOWN} more: see `leaks` of its description"
            warnings.append(
                f"{_repeating(len(chosen), what)} a row of another split ({shown}): "
                "scores on them measure memory."
            )
    return warnings


def _repeating(count: int, what: str) -> str:
    return f"1 held-out row {what}s" if count == 1 else f"{count} held-out rows {what}"


def _complete(rows: Sequence[Row], group: Sequence[int]) -> list[str]:
    """Take the held-out splits that were not given from train; returns their names."""
    present = {row.split for row in rows}
    missing = [name for name in ("validation", "test") if name not in present]
    if not missing or "train" not in present:
        return []
    fractions = {"train": 1.0, **{name: splits.FRACTIONS[name] for name in missing}}
    train = [(row, g) for row, g in zip(rows, group, strict=True) if row.split == "train"]
    for row, _ in train:
        row.split = ""
    splits.assign([row for row, _ in train], [g for _, g in train], fractions=fractions)
    return missing


def _taken(missing: Sequence[str]) -> list[str]:
    told = f"No {' or '.join(missing)} split was given; it was taken from train."
    return [told] if missing else []


def _tokens(counts: Sequence[int], too_long: Mapping[int, int]) -> TextLengths:
    """Percentiles of the texts that were counted, and the longest of all."""
    measured = lengths.percentiles(counts)
    return measured.model_copy(update={"longest": max([measured.longest, *too_long.values()])})


def _long(rows: Sequence[Row], too_long: Mapping[int, int]) -> list[str]:
    if not too_long:
        return []
    shown = ", ".join(rows[i].place for i in [*too_long][:_LINES_SHOWN])
    are = "text is" if len(too_long) == 1 else "texts are"
    return [
        f"{len(too_long)} {are} longer than {lengths.LONGEST} tokens, the longest "
        f"{max(too_long.values())} ({shown}): an encoder reads only their beginning."
    ]


def _profile(loaded: Loaded, group: Sequence[int]) -> DatasetProfile:
    rows, columns = loaded.rows, loaded.columns
    normalised = {splits.normalise(row.text) for row in rows}
    duplicates = len(rows) - len(normalised)
    counted = Counter(row.split for row in rows)
    classes = {name: n for name, n in columns_.class_counts(rows).most_common() if name}
    first = rows[0]
    return DatasetProfile(
        kind=loaded.kind,
        format=", ".join(sorted(set(loaded.table.formats))),
        columns=loaded.table.columns,
        text_column=columns.text,
        label_column=columns.label,
        columns_from="detected" if columns.detected else "name",
        rows=len(rows),
        classes=classes,
        splits={name: counted[name] for name in ("train", "validation", "test") if counted[name]},
        split_from=loaded.given.source,
        split_column=loaded.given.heeded,
        duplicates=duplicates,
        near_duplicates=max(0, len(rows) - len(set(group)) - duplicates),
        lengths=lengths.percentiles([len(row.text) for row in rows]),
        skipped=[str(problem) for problem in loaded.problems[:KEPT]],
        skipped_rows=len(loaded.problems),
        example=_shown({"text": first.text, "label": first.answer} if classes else first.extra),
    )


def _shown(values: Mapping[str, Any]) -> dict[str, JsonValue]:
    """One row, its long texts cut."""
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in values.items()
        if isinstance(value, str | int | float | list)
    }


def _disagreements(rows: Sequence[Row]) -> list[str]:
    labelled: dict[str, dict[str, Row]] = {}
    for row in rows:
        labelled.setdefault(splits.normalise(row.text), {}).setdefault(row.label, row)
    unsure = [[*found.values()] for found in labelled.values() if len(found) > 1]
    if not unsure:
        return []
    shown = "; ".join(
        " and ".join(f"{row.label} at {row.place}" for row in found[:_LINES_SHOWN])
        for found in unsure[:_LINES_SHOWN]
    )
    occur = "text occurs" if len(unsure) == 1 else "texts occur"
    return [f"{len(unsure)} {occur} with different labels ({shown})."]


def _repeated_ids(table: Table) -> list[str]:
    """Rows with an id that an earlier row has; they stay, since their texts may differ."""
    column = next((name for name in table.columns if name.strip().casefold() in _IDS), None)
    first: dict[str, str] = {}
    repeated: list[str] = []
    for record in table.records if column is not None else ():
        value = record.values.get(column or "")
        if value is not None and first.setdefault(str(value), record.place) != record.place:
            repeated.append(record.place)
    if not repeated:
        return []
    repeat = "row repeats" if len(repeated) == 1 else "rows repeat"
    return [f"{len(repeated)} {repeat} the {column} of an earlier row ({listed(repeated)})."]
