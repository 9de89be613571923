"""What a bundle is worth: its accuracy on held-out rows, the floor of that, its golden inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import OperationFailed
from tools.training.intervals import wilson

if TYPE_CHECKING:
    from edge.engines.base import Floats
    from edge.runtime import Prediction as _Labelled

GOLDEN = 6
_Z_99 = 2.576
"""The normal distribution's 99.5 % point: two-sided 99 %."""
FEWEST = 30
"""Texts of which it can be told where they lie."""
FLATTERED = 0.05
"""By how much the validation split, on which the best checkpoint was chosen, may flatter."""
PROBE_TEXTS = (
    "I was charged twice for my last order and would like the money back.",
    "The app closes by itself whenever I open the settings page.",
    "How do I change the e-mail address of my account?",
    "My parcel was supposed to arrive on Monday and is still not here.",
    "Please cancel my subscription at the end of the month.",
    "I cannot log in, the password reset link never arrives!!",
    "Could you add a dark mode to the dashboard?",
    "Somebody signed in to my account from another country.",
    "the screen of the device i got is cracked",
    "Where can I download the invoice for March?",
    "Everything is slow since yesterday's update, pages take a minute.",
    "Just wanted to say thanks, the new release is great.",
)


def measured(
    folder: Path,
    manifest: dict[str, Any],
    rows: Sequence[tuple[str, str]],
    registered: tuple[float, int] | None = None,
    further: Sequence[str] = (),
) -> dict[str, Any]:
    """Run the bundle on held-out rows: its accuracy with a floor, and its golden inputs.

    Args:
        folder: the bundle's files.
        manifest: what is known of it.
        rows: texts and their labels; without any, fixed sentences give the golden inputs.
        registered: the accuracy that the registry knows of the version, 0 to 1, and on how many
            rows; None for none.
        further: more texts of which it is only looked where they lie.

    Returns:
        `golden`: the rows of which the model is surest, as many classes as can be. `metric`: the
        accuracy measured, and its floor: the lower end of the 99 % Wilson interval of what was
        registered, less five points. Without that it is the interval of the measurement itself: a
        device that measures less on the same rows does not run the same model. `centre` and
        `places`: where the texts lie, see `edge.places`, if the model tells and there are enough.

    Raises:
        OperationFailed: the model does not run, or is below the floor.
    """
    from edge.errors import EdgeError
    from edge.profiles import PROFILES
    from edge.runtime import LoadedModel
    from edge.verify import BundleFile, Manifest

    shape = Manifest(
        model=manifest["model"],
        version=manifest["version"],
        runtime=manifest["runtime"],
        files={n: BundleFile(f["sha256"], f["size"]) for n, f in manifest["files"].items()},
        labels=tuple(manifest["labels"]),
        max_length=manifest["max_length"],
        golden=(),
        memory_mb=manifest["memory_mb"],
        task=manifest["task"],
    )
    texts = [text for text, _ in rows] or list(PROBE_TEXTS)
    try:
        model = LoadedModel(folder, shape, PROFILES["server"])
        found, lying = model.examine([*texts, *further])
    except (EdgeError, IndexError) as error:
        raise OperationFailed(f"The exported model does not run: {error}") from error
    found = found[: len(texts)]
    ranked = sorted(zip(texts, found, strict=True), key=lambda pair: -pair[1].confidence)
    told: dict[str, Any] = {
        "golden": [{"text": text, "label": p.label} for text, p in _spread(ranked)]
    }
    if not rows:
        return told
    right = sum(p.label == label for p, (_, label) in zip(found, rows, strict=True))
    told["metric"] = _metric(right / len(rows), len(rows), registered)
    return told | _whereabouts(lying)


def _whereabouts(lying: Floats | None) -> dict[str, Any]:
    """The mean of where texts lie, and how many of them lie where; nothing of too few."""
    if lying is None or len(lying) < FEWEST:
        return {}
    from edge.places import PLACES, places

    centre = [round(float(number), 5) for number in lying.mean(axis=0)]
    where = places(lying, centre)
    return {"centre": centre, "places": [where.count(place) for place in range(PLACES)]}


def _metric(share: float, rows: int, registered: tuple[float, int] | None) -> dict[str, Any]:
    floor = _lowest(share, rows) if registered is None else _due(*registered, rows)
    if registered is not None and share < floor:
        raise OperationFailed(
            f"As devices would run it, the model answers {share:.0%} of {rows} held-out rows "
            f"rightly; {registered[0]:.0%} was registered of it, so at least {floor:.0%} is due.",
            hint="Quantisation may have harmed it, or its data have changed: evaluate it again.",
        )
    return {"name": "accuracy", "value": round(share, 4), "floor": round(floor, 4), "rows": rows}


def _due(registered: float, of: int, rows: int) -> float:
    """The least that two measurements of one model differ by chance; both have so few rows."""
    return max(0.0, _lowest(registered, 1 / (1 / of + 1 / rows)) - FLATTERED)


def _spread(ranked: Sequence[tuple[str, _Labelled]]) -> list[tuple[str, _Labelled]]:
    """The surest inputs, of different classes first."""
    seen: set[str] = set()
    first: list[tuple[str, _Labelled]] = []
    later: list[tuple[str, _Labelled]] = []
    for pair in ranked:
        (later if pair[1].label in seen else first).append(pair)
        seen.add(pair[1].label)
    return [*first, *later][:GOLDEN]


def _lowest(share: float, rows: float) -> float:
    """The lower end of the 99 % interval of a share."""
    return wilson(share * rows, rows, z=_Z_99)[0]
