"""The promotion gate's rules as data: read from the home, or as they ship; checked when read."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tools.kernel.errors import InvalidInput
from tools.registry.measures import refuse_impossible, refuse_unknown
from tools.registry.types import Alias

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

SHIPPED = Path(__file__).parent / "policies" / "promotion.yaml"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Approver = Annotated[
    str,
    Field(pattern=r"^(second_person|role:(approver|admin)|user:\S+)$", max_length=140),
]
"""Who approves: another person than the proposer, a role's holder, or a user."""


class PromotionRule(BaseModel):
    """One rule; `policies/promotion.yaml` says what each field means."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=120)
    alias: Annotated[tuple[Alias, ...], BeforeValidator(_listed)] = (
        "champion",
        "challenger",
        "staging",
    )
    model: str = "*"
    dataset: str = "*"
    measure: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    column: str | None = None
    min_rows: int = Field(20, ge=1)
    if_measured: bool = False
    approver: Annotated[tuple[Approver, ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="after")
    def _whole(self) -> PromotionRule:
        if (self.measure is None) == (not self.approver):
            raise ValueError("give either `measure` or `approver`")
        if "second_person" in self.approver and len(self.approver) > 1:
            raise ValueError("give `second_person` in a rule of its own: every rule must be met")
        if self.measure is not None and self.at_least is None and self.at_most is None:
            raise ValueError(f"`{self.measure}` needs `at_least` or `at_most`")
        if self.measure is not None:
            refuse_unknown(self.measure)
            refuse_impossible(self.measure, self.at_least)
            refuse_impossible(self.measure, self.at_most)
        if self.approver and self.alias != ("champion",):
            raise ValueError("`approver` is for `alias: champion`: other aliases ask nobody")
        return self

    def fits(self, model: str, alias: Alias) -> bool:
        """Whether the rule is about this promotion."""
        return alias in self.alias and fnmatchcase(model, self.model)

    @property
    def names_approvers(self) -> bool:
        """True if a role's holder or a user must approve."""
        return bool(self.approver) and "second_person" not in self.approver

    @property
    def limit(self) -> str:
        """What would pass, in words."""
        if self.approver:
            return f"{' or '.join(_in_words(entry) for entry in self.approver)} approves"
        ends = [
            f"{word} {value:g}"
            for word, value in (("at least", self.at_least), ("at most", self.at_most))
            if value is not None
        ]
        return f"{self.measure} {' and '.join(ends)}"


def _in_words(approver: str) -> str:
    kind, _, name = approver.partition(":")
    if kind == "role":
        return f"somebody with the role {name}"
    return name if kind == "user" else "somebody other than the proposer"


_UNTIL = "Nothing is promoted until the file is right; docs/judging.md explains it."


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[PromotionRule]


def policy_file(settings: Settings) -> Path:
    """The file whose rules hold: the home's, or the one that ships."""
    own = settings.home / "policies" / "promotion.yaml"
    return own if own.is_file() else SHIPPED


def rules_of(path: Path) -> Sequence[PromotionRule]:
    """The rules of a file.

    Raises:
        InvalidInput: naming the file, the rule and what is wrong; nothing is promoted then.
    """
    import yaml

    try:
        written = yaml.safe_load(path.read_text())
        if not isinstance(written, dict):
            raise _no_rules(path, written)
        return _Policy.model_validate(written).rules
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise InvalidInput(
            f"{path}: {where}: {problem['msg'].removeprefix('Value error, ')}.",
            hint=_UNTIL,
        ) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())
        raise InvalidInput(f"{path} cannot be read: {told}.") from None


def _no_rules(path: Path, written: Any) -> InvalidInput:
    what = "is empty" if written is None else "holds no list `rules`"
    return InvalidInput(
        f"{path} {what}.",
        hint="It needs a list `rules`; take the file away, and the rules that ship hold. " + _UNTIL,
    )
