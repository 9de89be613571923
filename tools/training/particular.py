"""Settings that not every training has: where they are refused, and what the others follow from.

Each is None where it was not given, and then what `spec` has for its method.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, TypeVar

from tools.kernel.errors import InvalidInput
from tools.training.language.spec import VIRTUAL_TOKENS
from tools.training.similarity.spec import SCALE
from tools.training.spec import DEFAULTS, HEAD_DROPOUT, LABEL_SMOOTHING
from tools.training.targeting import ALL
from tools.training.types import StartTraining, TuneTraining

OF_LORA = ("lora_alpha", "lora_dropout", "target_modules")
OF_HEAD = ("head_learning_rate", "head_dropout", "label_smoothing")
_OF = {
    "lora_alpha": "LoRA's matrices",
    "lora_dropout": "LoRA's matrices",
    "target_modules": "LoRA's matrices",
    "trained_share": "a classifier that LoRA trains",
    "head_learning_rate": "a classifier's head",
    "head_dropout": "a classifier's head",
    "label_smoothing": "a classifier's classes",
    "virtual_tokens": "prompt tuning",
    "scale": "an embedding's loss",
}
V = TypeVar("V")


def or_else(given: V | None, usual: V) -> V:
    """What was given, which may be 0, or what is usual."""
    return usual if given is None else given


def share_of(args: StartTraining) -> float:
    """The share of a classifier's layers, from the top, that is trained."""
    usual = DEFAULTS[args.method].trained_share
    return or_else(args.trained_share, usual) if args.method == "lora" else usual


def placed(args: StartTraining | TuneTraining, task: str) -> dict[str, Any]:
    """What follows from `dropout`, and from the rate of a head that alone is trained.

    Raises:
        InvalidInput: if the same is given twice, and differs.
    """
    found: dict[str, Any] = {}
    if args.dropout is not None:
        name = "head_dropout" if task == "classification" else "lora_dropout"
        _refuse_two("dropout", args.dropout, name, getattr(args, name))
        found = {"dropout": None, name: args.dropout}
    if isinstance(args, StartTraining) and args.method == "head" and args.head_learning_rate:
        of_head, rate = args.head_learning_rate, args.learning_rate
        _refuse_two("learning_rate", rate, "head_learning_rate", of_head)
        found["learning_rate"] = of_head
    return found


def _refuse_two(name: str, value: float | None, other: str, given: float | None) -> None:
    if value is not None and given is not None and value != given:
        raise InvalidInput(
            f"{name} is {value:g} and {other} {given:g}; here they are the same.",
            hint=f"Leave {name} out.",
        )


def check_own(args: StartTraining, own: Container[str], what: str) -> None:
    """Refuse settings that a training does not have.

    Args:
        args: the training.
        own: those that it has.
        what: what is trained, with its article.

    Raises:
        InvalidInput: naming the first that it does not have.
    """
    for name, of in _OF.items():
        if getattr(args, name) is not None and name not in own:
            raise InvalidInput(
                f"{name} is of {of}; {what} trained with {args.method} has none.",
                hint=f"Leave {name} out.",
            )


def in_effect(args: StartTraining, own: Container[str]) -> dict[str, Any]:
    """What a training will use of its own settings, given or usual.

    Args:
        args: the training, its method's defaults filled in.
        own: the settings that it has.
    """
    usual = DEFAULTS.get(args.method)
    of_head = args.learning_rate if args.method == "head" else usual and usual.head_learning_rate
    every = {
        "lora_alpha": args.lora_alpha or 2 * args.rank,
        "lora_dropout": args.lora_dropout or 0.0,
        "target_modules": args.target_modules or ALL,
        "trained_share": share_of(args) if usual else None,
        "head_learning_rate": args.head_learning_rate or of_head,
        "head_dropout": or_else(args.head_dropout, HEAD_DROPOUT),
        "label_smoothing": or_else(args.label_smoothing, LABEL_SMOOTHING),
        "virtual_tokens": args.virtual_tokens or VIRTUAL_TOKENS,
        "scale": args.scale or SCALE,
    }
    return {name: value for name, value in every.items() if name in own}


def check_packing(args: StartTraining, packs: bool) -> None:
    """Refuse to pack what is never packed, and not to pack what always is.

    Args:
        args: the training.
        packs: True for what is packed.

    Raises:
        InvalidInput: saying how it is done.
    """
    if args.packing is None or args.packing == packs:
        return
    if packs:
        raise InvalidInput(
            "The texts of a language model are always packed; masks keep them apart, so that "
            "they are learnt as if each were alone.",
            hint="Leave packing out.",
        )
    raise InvalidInput(
        "Only a language model's texts are packed; here batches hold texts of like length.",
        hint="Leave packing out.",
    )


def without_given(space: str, args: TuneTraining) -> str:
    """A usual space without what was given a value, which then all trials have."""
    fields = TuneTraining.model_fields
    given = {n for n in args.model_fields_set if getattr(args, n) not in (None, fields[n].default)}
    return ", ".join(part for part in space.split(", ") if part.partition(" ")[0] not in given)
