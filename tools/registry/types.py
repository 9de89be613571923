"""What the registry's operations take and answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.errors import InvalidInput
from tools.kernel.operations import Args, Result

Alias = Literal["champion", "challenger", "staging"]
NAME_LIMIT = 64


def model_slug(name: str) -> str:
    """A model's name as the registry keeps it: `Ticket Router` becomes `ticket-router`.

    Raises:
        InvalidInput: if nothing that can stand in a name is left.
    """
    slug = re.sub(r"[^a-z0-9._]+", "-", name.strip().casefold()).strip("-._")[:NAME_LIMIT]
    if not slug:
        raise InvalidInput(
            f"{name!r} cannot be a model's name.", hint="Use letters, digits and dashes."
        )
    return slug.rstrip("-._")


ModelName = Annotated[str, Field(description="Name of a registered model.", max_length=80)]

KnownModel = Annotated[ModelName, Slot(EntityKind.MODEL, "Which model?")]

KnownVersion = Annotated[
    int,
    Slot(EntityKind.MODEL_VERSION, "Which version?"),
    Field(description="The version's number.", ge=1),
]

MaybeVersion = Annotated[int | None, Slot(EntityKind.MODEL_VERSION, "Which version?")]


class ListModels(Args):
    """Nothing to choose: all models of the tenant are listed."""


class DescribeModel(Args):
    """Which model, or which one version of it, to describe."""

    model: KnownModel
    version: MaybeVersion = Field(
        None, description="Only this version; all versions when left out.", ge=1
    )


class RegisterModel(Args):
    """Which finished training to register, and under which name."""

    job: Annotated[
        int,
        Slot(EntityKind.JOB, "Which training job should be registered?"),
        Field(description="Number of a finished training job.", ge=1),
    ]
    trial: int | None = Field(
        None,
        ge=1,
        description="Which trial of a tuning is meant; refused if it is not the one that was kept.",
    )
    model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "Under which name?", closed=False),
        Field(description="Model's name; the training's name when left out.", max_length=80),
    ] = None


class PromoteModel(Args):
    """Which version an alias shall point at."""

    model: KnownModel
    version: KnownVersion
    alias: Annotated[
        Alias,
        Slot(None, "As champion, challenger or staging?"),
        Field(description="champion is what production serves; challenger is tried against it."),
    ]


class CheckPromotion(Args):
    """Which version to hold against the rules, and for which alias."""

    model: KnownModel
    version: MaybeVersion = Field(None, description="Its version; the newest when left out.", ge=1)
    alias: Annotated[
        Alias,
        Slot(None, "For which alias?"),
        Field(description="The alias that it would get."),
    ] = "champion"


class ModelVersionArgs(Args):
    """One version of one model."""

    model: KnownModel
    version: KnownVersion


class ClearAlias(Args):
    """Which alias to take away from a model."""

    model: KnownModel
    alias: Annotated[Alias, Slot(None, "Which alias?"), Field(description="The alias.")]


class ModelVersionDetails(Result):
    """One version and where it came from.

    Attributes:
        model: the model's name.
        version: counts from 1 and is never given twice.
        aliases: the aliases that point at it.
        archived: True if it was put away and can no longer be promoted or deployed.
        job: number of the job that made it, a training or, of a variant, an optimisation.
        run_id: the MLflow run of that job.
        dataset: the training dataset, with its version.
        dataset_hash: SHA-256 of the dataset version's content.
        base_model: the encoder it was tuned from.
        method: how it was trained.
        labels: the classes, in the order of the model's outputs.
        metrics: the run's last metrics.
        content_hash: SHA-256 over the artifact's files.
        size_bytes: size of the artifact.
        code_version: version of the platform that trained it.
        registered_by: who registered it.
        created: when it was registered.
        variant: the form that it is in, such as `onnx-int8`; None for what a training wrote.
        parent: the version that this variant was made of.
    """

    model: str
    version: int
    aliases: list[str] = Field(default_factory=list)
    archived: bool = False
    job: int | None = None
    run_id: str
    dataset: str | None = None
    dataset_hash: str | None = None
    base_model: str | None = None
    method: str | None = None
    labels: list[str] = Field(default_factory=list)
    metrics: dict[str, float] = Field(default_factory=dict)
    content_hash: str
    size_bytes: int = 0
    code_version: str | None = None
    registered_by: str | None = None
    created: datetime
    variant: str | None = None
    parent: int | None = None


class ModelSummary(Result):
    """One model in a list.

    Attributes:
        model: its name.
        versions: how many versions it has, archived ones included.
        latest: the newest version that is no variant, where there is one.
        aliases: alias → version.
        updated: when it last got a version.
    """

    model: str
    versions: int
    latest: int
    aliases: dict[str, int] = Field(default_factory=dict)
    updated: datetime


class ModelList(Result):
    """All models of a tenant, by name."""

    models: list[ModelSummary]


class ModelDescription(Result):
    """One model with its versions, newest first."""

    model: str
    aliases: dict[str, int] = Field(default_factory=dict)
    versions: list[ModelVersionDetails]


class RegisteredVersion(Result):
    """What a registration gave.

    Attributes:
        model: the model's name.
        version: its version.
        created: False if the job had been registered under this name before.
        details: the version with its lineage.
    """

    model: str
    version: int
    created: bool
    details: ModelVersionDetails


class AliasChange(Result):
    """An alias before and after.

    Attributes:
        model: the model's name.
        alias: which alias.
        version: the version it points at now; None if it points at none.
        previous: the version that it pointed at before.
    """

    model: str
    alias: Alias
    version: int | None
    previous: int | None


class VersionState(Result):
    """The state of a version after it was archived, restored or unregistered.

    Attributes:
        model: the model's name.
        version: the version.
        state: what it is now.
        changed: False if it was in that state already.
        job: the training job that it came from.
    """

    model: str
    version: int
    state: Literal["ready", "archived", "unregistered"]
    changed: bool
    job: int | None = None


class RuleCheck(Result):
    """How a version stands to one rule of the promotion gate.

    Attributes:
        rule: the rule's name.
        measure: what it looks at; None for a rule about approval.
        value: what was found; None if it was not measured, or is no finite number.
        passed: True if the rule is met, or does not ask for what was not measured.
        told: the finding in words.
        would_pass: what would pass.
    """

    rule: str
    measure: str | None = None
    value: float | None = None
    passed: bool
    told: str
    would_pass: str

    @property
    def state(self) -> str:
        """`met`, `NOT MET`, or `not measured` where that does not keep the version back."""
        if not self.passed:
            return "NOT MET"
        return "not measured" if self.unmeasured else "met"

    @property
    def unmeasured(self) -> bool:
        """True if it asks for a figure, and there is none."""
        return self.measure is not None and self.value is None


class PromotionCheck(Result):
    """A version held against the promotion gate.

    Attributes:
        model: the model's name.
        version: its version.
        alias: the alias that it would get.
        passes: True if it would be let through.
        had_it_before: True if it had the alias before, and so may always have it back.
        second_person: True if somebody other than the proposer must approve.
        approvers: who approves must fit one of each list: `role:admin`, `user:marta`.
        rules: every rule that is about this promotion.
        policy: the file that the rules are in.
    """

    model: str
    version: int
    alias: Alias
    passes: bool
    had_it_before: bool = False
    second_person: bool = False
    approvers: list[list[str]] = Field(default_factory=list[list[str]])
    rules: list[RuleCheck] = Field(default_factory=list)
    policy: str
