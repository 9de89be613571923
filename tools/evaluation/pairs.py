"""The rows that an embedding is measured on: held out, checked against what it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tools.datasets.kinds import alike
from tools.evaluation.rows import HeldOut, refuse_trained_on, rows_to_measure, used_before
from tools.evaluation.seen import nearly_seen, text_hash
from tools.kernel.errors import Conflict

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import DatasetService
    from tools.evaluation.subjects import Subject

FEWEST = 2


def held_out_pairs(
    datasets: DatasetService,
    tenant: str,
    dataset: str,
    split: str,
    subjects: Sequence[Subject],
    period: str | None = None,
) -> HeldOut:
    """The pairs or triplets of a split on which all embeddings can be measured.

    A row was trained on if its anchor was, as an anchor, or the pair was, the other way round. A
    positive that other rows have too is no leak: many questions have one answer.

    Args:
        datasets: where rows come from.
        tenant: whose datasets.
        dataset: the dataset to measure on.
        split: its part.
        subjects: the embeddings, at least one.
        period: only rows from then, such as `last week`; all if not given.

    Raises:
        NotFound: if there is no such dataset or split.
        InvalidInput: if no row is from the period, or none says when it is from.
        Conflict: if most rows were trained on, or there is nothing to choose from.
    """
    every = rows_to_measure(datasets, tenant, dataset, split, period)
    used = used_before(split)
    trained = {
        name: [row for row in datasets.rows(tenant, name) if row.split in used]
        for name in {s.dataset for s in subjects}
    }
    seen = _seen(row for rows in trained.values() for row in rows)
    rows = [r for r in every if not seen & {_hashes(r)[0], _hashes(r)}]
    overlap = len(every) - len(rows)
    refuse_trained_on(overlap, len(every), split, dataset)
    if len({text_hash(text) for row in rows for text in alike(row)[1:]}) < FEWEST:
        raise Conflict(
            f"The {split} rows of {dataset} have fewer than {FEWEST} texts to find: every query "
            "would find the right one.",
            hint="Add rows with other positives, or with negatives.",
        )
    elsewhere = [row for name in trained if name != dataset for row in trained[name]]
    return HeldOut(
        rows,
        overlap,
        skipped=0,
        majority=None,
        chosen_by=split != "test",
        period=period,
        nearly_seen=nearly_seen(rows, elsewhere),
        pairs=True,
    )


def _seen(trained: Iterable[Row]) -> set[tuple[str, str] | str]:
    """What would give a row away: its anchor, or its pair the other way round."""
    seen: set[tuple[str, str] | str] = set()
    for row in trained:
        anchor, positive = _hashes(row)
        seen |= {anchor, (positive, anchor)}
    return seen


def _hashes(row: Row) -> tuple[str, str]:
    anchor, positive, *_ = alike(row)
    return text_hash(anchor), text_hash(positive)
