"""Whether a dataset has rows to learn from and rows to choose the weights by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from tools.datasets.service import Dataset


def require_learnable(dataset: Dataset) -> None:
    """Refuse a dataset that was added to judge models on.

    Raises:
        InvalidInput: if all its rows are held out.
    """
    profile = dataset.profile
    if profile.splits.get("train"):
        return
    if profile.split_from == "assigned":
        raise InvalidInput(
            f"{dataset.name} v{dataset.version} has no train rows.",
            hint="Add more rows, or give the splits.",
        )
    why = "it was added as a test set only"
    if profile.split_from == "column":
        why = f"its column `{profile.split_column}` says train of none"
    raise InvalidInput(
        f"All {profile.rows} rows of {dataset.name} v{dataset.version} are held out ({why}): "
        "models are judged on them, and none learns from them.",
        hint=f"Train on another dataset, and evaluate on {dataset.name}.",
    )


def require_rows(dataset: Dataset, least: int) -> None:
    """Refuse a dataset with too little to train or to validate on.

    Args:
        dataset: the dataset.
        least: how many training rows it takes.

    Raises:
        InvalidInput: says which split lacks rows, and why.
    """
    require_learnable(dataset)
    splits, what = dataset.profile.splits, f"{dataset.name} v{dataset.version}"
    if not splits.get("validation"):
        raise InvalidInput(
            f"{what} has no validation rows.", hint="Add more rows, or give the splits."
        )
    if splits["train"] < least:
        raise InvalidInput(f"{what} has {splits['train']} rows to train on; too few.")
