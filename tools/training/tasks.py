"""What can be trained: a classifier, a language model's answers, or an encoder's sense of likeness.

Each task is one object that says what fits it, fills in its defaults, and makes what its child is
told. A task follows from the dataset's kind, and can be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tools.kernel.errors import InvalidInput
from tools.training.particular import OF_LORA, check_own, check_packing
from tools.training.types import StartTraining, TrainingEstimate

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training whose data is written.

    Attributes:
        spec: what the child is told.
        parameters: the settings that the result and its MLflow run name.
        operations: the arithmetic that it takes, as the estimate counts it.
        kind: whose speed it is measured with.
    """

    spec: dict[str, Any]
    parameters: dict[str, Any]
    operations: float
    kind: str


class Task(Protocol):
    """One kind of training; stateless.

    Attributes:
        name: as `task` names it.
        child: the module that computes it.
        base_model: where it starts from when nothing is named.
        suffix: what a model is called after its dataset's name.
        methods: the methods that make sense for it.
        objectives: what a tuning can weigh.
        varied: the settings that a tuning can vary.
    """

    name: str
    child: str
    base_model: str
    suffix: str
    methods: tuple[str, ...]
    objectives: tuple[str, ...]
    varied: tuple[str, ...]

    def default_space(self, method: str) -> str:
        """What a tuning varies when nothing is said."""
        ...

    def own(self, method: str) -> Sequence[str]:
        """The settings, of those that not every training has, that it has with a method."""
        ...

    def tuned(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a trial's spec that its run names."""
        ...

    def quality(self, measured: Mapping[str, Any]) -> float:
        """What a tuning compares trials by, greater is better: the best epoch's quality."""
        ...

    def defaults(self, method: str) -> Mapping[str, Any]:
        """`epochs`, `learning_rate`, `batch_size` and `max_length` when they are not named."""
        ...

    def check(self, args: StartTraining, dataset: Dataset) -> list[str]:
        """Refuse what cannot be trained; returns warnings."""
        ...

    def estimate(
        self, args: StartTraining, dataset: Dataset, rows: Sequence[Row], settings: Settings
    ) -> TrainingEstimate:
        """Time, memory and cost."""
        ...

    def prepare(
        self,
        args: StartTraining,
        dataset: Dataset,
        rows: Sequence[Row],
        folder: Path,
        settings: Settings,
    ) -> Prepared:
        """Write the data below `folder`; may be repeated after a crash."""
        ...


_BY_KIND = {
    "prompt_completion": "language",
    "messages": "language",
    "pairs": "embedding",
    "triplets": "embedding",
}
_LEARNT = {
    "classification": "a text and a label column",
    "language": "prompts and completions, or messages",
    "embedding": "pairs or triplets of texts",
}


def task_of(named: str | None, dataset: Dataset) -> Task:
    """The task that is named, or that follows from a dataset's kind.

    Raises:
        InvalidInput: if the dataset cannot teach what is named.
    """
    kind = dataset.profile.kind
    name = named or _BY_KIND.get(kind, "classification")
    fits = name == _BY_KIND.get(kind, "classification")
    if not fits and not (name == "embedding" and kind == "prompt_completion"):
        raise InvalidInput(
            f"{dataset.name} v{dataset.version} holds {kind.replace('_', '/')} rows, which "
            f"do not teach {_A[name]}.",
            hint=f"It needs {_LEARNT[name]}.",
        )
    return by_name(name)


_LORA = ("lora", "qlora")
_A = {
    "classification": "a classifier",
    "language": "a language model",
    "embedding": "an embedding",
}


def by_name(name: str) -> Task:
    """The task of a name."""
    if name == "language":
        from tools.training.language.task import LanguageTask

        return LanguageTask()
    if name == "embedding":
        from tools.training.similarity.task import EmbeddingTask

        return EmbeddingTask()
    from tools.training.classification import ClassificationTask

    return ClassificationTask()


def check_method(task: Task, args: StartTraining) -> None:
    """Refuse a method that a task does not have, and flags that a method does not have.

    Raises:
        InvalidInput: saying what would be right.
    """
    if args.method not in task.methods:
        raise InvalidInput(
            f"{args.method} does not fit {_A[task.name]}.",
            hint=f"The methods for it are {', '.join(task.methods)}.",
        )
    _check_lora(args)
    check_own(args, task.own(args.method), _A[task.name])
    check_packing(args, packs=task.name == "language")
    if args.dora and args.rslora:
        raise InvalidInput("dora and rslora are two ways to scale LoRA.", hint="Choose one.")
    if args.merge and task.name != "language":
        raise InvalidInput(
            f"Merging is for language models; {_A[task.name]} is always used with its matrices "
            "added in.",
            hint="Leave `merge` out.",
        )
    if args.merge and args.method not in _LORA:
        raise InvalidInput(
            f"There is nothing to merge: {args.method} makes no low-rank matrices.",
            hint="Leave `merge` out.",
        )


def _check_lora(args: StartTraining) -> None:
    """Refuse settings of LoRA with a method that has no low-rank matrices."""
    if args.method in _LORA:
        return
    for name, on in {"dora": args.dora, "rslora": args.rslora}.items():
        if on:
            raise InvalidInput(
                f"{name} is a kind of LoRA, and the method is {args.method}.",
                hint="Use the method lora.",
            )
    # A stored plan names every setting, so that the default says nothing of what was asked for.
    if args.rank != StartTraining.model_fields["rank"].default:
        raise _no_matrices("rank", args.method)


def _no_matrices(name: str, method: str) -> InvalidInput:
    return InvalidInput(
        f"{name} is that of LoRA's matrices, and the method is {method}.",
        hint=f"Leave the {name} out, or use the method lora.",
    )


def check_tuning(task: Task, method: str, space: Sequence[str], objective: str) -> None:
    """Refuse to vary or to weigh what a task or a method does not have.

    Args:
        task: what is learnt.
        method: how it is trained.
        space: the names of the settings to vary.
        objective: what counts beside quality.

    Raises:
        InvalidInput: saying what would be right.
    """
    wrong = next((name for name in space if name not in task.varied), None)
    if wrong is not None:
        raise InvalidInput(
            f"{_A[task.name].capitalize()} has no {wrong} to vary.",
            hint=f"These can be: {', '.join(task.varied)}.",
        )
    of_lora = next((name for name in space if name in ("rank", *OF_LORA)), None)
    if of_lora is not None and method not in _LORA:
        raise _no_matrices(of_lora, method)
    if objective not in task.objectives:
        raise InvalidInput(
            f"The trials of {_A[task.name]} are not compared by {objective}.",
            hint=f"The objective can be {' or '.join(task.objectives)}.",
        )
