"""Search spaces: which settings a tuning varies, and between what.

Written as text, so that it can be said, typed and stored: `learning_rate 1e-5..1e-3, rank 4..32,
batch_size 8|16|32`. Words are read too: `learning rate between 1e-5 and 1e-3`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.kernel.entities import nearest
from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that can be varied.

    Attributes:
        low: the least value that makes sense.
        high: the greatest.
        whole: True for whole numbers.
        log: True if it is drawn by its logarithm.
        also: other names of it.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    also: tuple[str, ...] = ()


SETTINGS = {
    "learning_rate": Setting(1e-8, 1.0, log=True, also=("lr", "rate")),
    "head_learning_rate": Setting(1e-8, 1.0, log=True, also=("head_lr",)),
    "rank": Setting(1, 256, whole=True, log=True, also=("r", "lora_rank")),
    "batch_size": Setting(1, 512, whole=True, log=True, also=("batch", "bs")),
    "epochs": Setting(1, 100, whole=True, also=("epoch",)),
    "max_length": Setting(8, 512, whole=True, log=True, also=("length", "tokens")),
    "warmup": Setting(0.0, 0.9, also=("warm_up",)),
    "weight_decay": Setting(0.0, 1.0, also=("decay",)),
    "head_dropout": Setting(0.0, 0.9, also=("dropout",)),
    "lora_alpha": Setting(1, 1024, whole=True, log=True, also=("alpha",)),
    "lora_dropout": Setting(0.0, 0.9),
    "label_smoothing": Setting(0.0, 0.9, also=("smoothing",)),
    "gradient_accumulation": Setting(1, 256, whole=True, log=True, also=("accumulation",)),
}
VARIED = (
    *("learning_rate", "rank", "batch_size", "epochs", "max_length", "warmup", "weight_decay"),
    *("lora_alpha", "lora_dropout"),
)
"""What every kind of training has."""
_LARGEST_GRID = 1000
_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_PART = re.compile(
    rf"^(?P<name>[a-z][a-z _-]*?)\s*(?:[:=]|\bof\b|\bin\b|\bfrom\b|\bbetween\b|\s)\s*[\[(]?\s*"
    rf"(?P<values>{_NUMBER}(?:\s*(?:\.\.|\||,|\bto\b|\band\b|\bor\b|-|–)\s*{_NUMBER})*)\s*[\])]?$",
    re.I,
)
_RANGE = re.compile(rf"^({_NUMBER})\s*(?:\.\.|\bto\b|\band\b|-|–)\s*({_NUMBER})$", re.I)
_BETWEEN = re.compile(rf"[;\n]|,(?!\s*{_NUMBER}\s*(?:[,|\])]|\bor\b|$))|,(?=\s*[a-z])", re.I)


@dataclass(frozen=True, slots=True)
class Dimension:
    """What one setting is drawn from: a range, or a few values."""

    name: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[float, ...] = ()

    def __str__(self) -> str:
        """As it is written."""
        if self.choices:
            return f"{self.name} {'|'.join(f'{c:g}' for c in self.choices)}"
        return f"{self.name} {self.low:g}..{self.high:g}"

    @property
    def values(self) -> tuple[float, ...] | None:
        """All that can be drawn, each once; None if that is a continuous range."""
        if self.choices:
            return tuple(dict.fromkeys(self.choices))
        if not SETTINGS[self.name].whole:
            return None
        return tuple(range(int(self.low), int(self.high) + 1))

    def draw(self, trial: optuna.Trial) -> float | int:
        """A value for a trial."""
        setting = SETTINGS[self.name]
        if self.choices:
            value = trial.suggest_categorical(self.name, list(self.choices))
            return int(value) if setting.whole else float(value)
        log = setting.log and self.low > 0
        if setting.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=log)
        return trial.suggest_float(self.name, self.low, self.high, log=log)


def parse(text: str) -> list[Dimension]:
    """The dimensions in a text.

    Raises:
        InvalidInput: naming the part that cannot be read, an unknown setting or a value beyond it.
    """
    found: dict[str, Dimension] = {}
    for part in filter(None, (p.strip() for p in _BETWEEN.split(text))):
        dimension = _dimension(part)
        found[dimension.name] = dimension
    if not found:
        raise InvalidInput("The search space is empty.", hint=_hint())
    return list(found.values())


def canonical(text: str) -> str:
    """A search space as it is stored and shown."""
    return ", ".join(str(dimension) for dimension in parse(text))


def _dimension(part: str) -> Dimension:
    match = _PART.match(part.strip())
    if match is None:
        raise InvalidInput(f"{part!r} is no part of a search space.", hint=_hint())
    name = _known(match["name"])
    if pair := _RANGE.match(match["values"]):
        values: Sequence[float] = (float(pair[1]), float(pair[2]))
    else:
        values = [float(v) for v in re.findall(_NUMBER, match["values"], re.I)]
    setting = SETTINGS[name]
    wrong = next((v for v in values if not setting.low <= v <= setting.high), None)
    if wrong is not None:
        raise InvalidInput(
            f"{name} cannot be {wrong:g}: it lies between {setting.low:g} and {setting.high:g}."
        )
    if setting.whole and any(v != int(v) for v in values):
        raise InvalidInput(f"{name} is a whole number.")
    if pair is None:
        return Dimension(name, choices=tuple(values))
    low, high = values
    if low >= high:
        raise InvalidInput(f"{name} goes from {low:g} to {high:g}: the first must be the smaller.")
    return Dimension(name, low, high)


def _known(said: str) -> str:
    name = re.sub(r"[\s-]+", "_", said.strip().casefold())
    for known, setting in SETTINGS.items():
        if name == known or name in setting.also:
            return known
    raise InvalidInput(
        f"There is no setting {said!r} to vary.",
        suggestions=nearest(name, list(SETTINGS)),
        hint=f"These can be: {', '.join(SETTINGS)}.",
    )


def _hint() -> str:
    return "For example `learning_rate 1e-5..1e-3, rank 4..32, batch_size 8|16|32`."


def around(name: str, value: float, times: float) -> str:
    """A range from a value's part to its multiple."""
    return f"{name} {value / times:g}..{value * times:g}"


def drawn(dimensions: Sequence[Dimension], trial: optuna.Trial) -> dict[str, Any]:
    """The settings of a trial."""
    return {dimension.name: dimension.draw(trial) for dimension in dimensions}


def grid(dimensions: Sequence[Dimension]) -> list[dict[str, float]]:
    """Every setting of a space, if that is a list of at most 1,000; else none."""
    values = [dimension.values for dimension in dimensions]
    known = [v for v in values if v is not None]
    if len(known) < len(values) or math.prod(map(len, known)) > _LARGEST_GRID:
        return []
    names = [dimension.name for dimension in dimensions]
    return [dict(zip(names, drawn, strict=True)) for drawn in itertools.product(*known)]
