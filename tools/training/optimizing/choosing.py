"""From the words of a request to targets, and from measurements to results and advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.comparing import Loss, cost_ratio
from tools.training.optimizing.recommending import (
    RUNTIMES,
    Candidate,
    Constraint,
    choose,
)
from tools.training.optimizing.targets import CLASSIFIER, EMBEDDING, LANGUAGE, TARGETS
from tools.training.optimizing.types import (
    OptimizeModel,
    Profile,
    Recommendation,
    TargetName,
    VariantResult,
)

RECALL_AT_1 = "recall_at_1"
_QUICK: tuple[TargetName, ...] = (
    "onnx",
    "onnx-int8",
    "onnx-static-int8",
    "openvino-int8",
    "executorch-int8",
)
_SHORT: dict[str, tuple[TargetName, ...]] = {
    "gguf": ("gguf-q8", "gguf-q4"),
    "int8": ("gguf-q8",),
}
_REFUSED = {
    CLASSIFIER: "a text classifier.",
    EMBEDDING: "an embedding: its encoder is a BERT with WordPiece tokens, and what is written as "
    "GGUF here are models that answer in words (Llama, Mistral, Qwen2, Qwen3). Its int8 weights "
    "for a small machine are `onnx-int8`, `openvino-int8` and `executorch-int8`.",
    LANGUAGE: "a language model.",
}
"""The end of the sentence in which targets are refused, by the kind of the model."""
_FOR: dict[Profile, tuple[TargetName, ...]] = {
    "phone": ("executorch-int8", "onnx-int8"),
    "laptop": ("openvino-int8", "onnx-int8"),
    "server": ("openvino-int8", "onnx-int8", "onnx-static-int8"),
}


def targets_of(args: OptimizeModel, kind: str) -> list[TargetName]:
    """The targets that a request means, each once.

    Args:
        args: the request.
        kind: of the model: `classifier`, `embedding` or `language-model`.

    Raises:
        InvalidInput: if a target is for models of another kind.
    """
    if kind == LANGUAGE:
        return _gguf_targets(args)
    fitting = _FOR[args.profile] if args.profile else _QUICK
    if not args.targets:
        return [*fitting]
    found: list[TargetName] = []
    for name in args.targets:
        every: list[TargetName] = [name]
        if name == "int8":
            every = [t for t in fitting if t.endswith("int8")]
        found.extend(target for target in every if target not in found)
    refuse_others(found, kind)
    return found


def _gguf_targets(args: OptimizeModel) -> list[TargetName]:
    found: list[TargetName] = []
    for name in args.targets or ["gguf"]:
        every: tuple[TargetName, ...] = _SHORT.get(name, (name,))
        found.extend(target for target in every if target not in found)
    refuse_others(found, LANGUAGE)
    return found


def refuse_others(targets: Sequence[TargetName], kind: str) -> None:
    """Refuse targets that are for models of another kind, with why and what would fit."""
    wrong = [t for t in targets if t not in TARGETS or kind not in TARGETS[t].kinds]
    if wrong:
        fitting = ", ".join(name for name, target in TARGETS.items() if kind in target.kinds)
        raise InvalidInput(
            f"{', '.join(wrong)} cannot be made of {_REFUSED[kind]}", hint=f"What can: {fitting}."
        )


def constraint_of(args: OptimizeModel, parent_bytes: int) -> Constraint:
    """What a variant must keep to be registered.

    Args:
        args: what was asked.
        parent_bytes: size of the parent, of which a share may have been asked.
    """
    share = args.max_size_ratio
    limits = [args.max_size_mb, None if share is None else share * parent_bytes / 1e6]
    size = min((limit for limit in limits if limit is not None), default=None)
    return Constraint(args.max_loss_points, args.max_latency_ms, None, size)


def parent_result(measured: Mapping[str, Any], size_bytes: int) -> VariantResult:
    """The parent's own line."""
    return VariantResult(
        variant="parent",
        runtime="torch",
        **_quality(measured),
        agreement=1.0,
        cosine=1.0 if measured.get("metric") == RECALL_AT_1 else None,
        size_bytes=size_bytes,
        size_ratio=1.0,
        cost_ratio=1.0,
        loss_points=0.0,
        loss_low=0.0,
        loss_high=0.0,
        **_figures(measured),
    )


def variant_result(
    target: str,
    measured: Mapping[str, Any],
    parent: Mapping[str, Any],
    loss: Loss,
    sizes: tuple[int, int],
    constraint: Constraint,
) -> VariantResult:
    """A variant beside its parent.

    Args:
        target: its name.
        measured: what its process measured.
        parent: what the parent's process measured.
        loss: of the variant's answers against the parent's.
        sizes: bytes of the variant and of the parent.
        constraint: what it must keep.
    """
    result = VariantResult(
        variant=target,
        runtime=TARGETS[target].runtime,
        **_quality(measured),
        loss_points=round(loss.points, 4) + 0.0,  # -0.0 becomes 0.0
        loss_low=round(loss.low, 4) + 0.0,
        loss_high=round(loss.high, 4) + 0.0,
        agreement=round(loss.agreement, 6),
        cosine=None if loss.cosine is None else round(loss.cosine, 6),
        size_bytes=sizes[0],
        size_ratio=round(sizes[0] / max(1, sizes[1]), 4),
        cost_ratio=round(cost_ratio(measured, parent), 4),
        **_figures(measured),
    )
    limit = constraint.max_loss_points
    result.proven = limit is not None and loss.high <= limit
    candidate = candidate_of(result)
    result.reasons = constraint.broken_by(candidate) if candidate else []
    return result


def candidate_of(result: VariantResult) -> Candidate | None:
    """What a choice needs to know of a result; None if it was not measured."""
    if result.error is not None or result.loss_points is None:
        return None
    return Candidate(
        variant=result.variant,
        runtime=result.runtime,
        loss_points=result.loss_points,
        p95_ms=result.p95_ms or 0.0,
        memory_mb=result.memory_mb or 0.0,
        cost_ratio=result.cost_ratio or 0.0,
        size_bytes=result.size_bytes or 0,
    )


def advise(results: Sequence[VariantResult], constraint: Constraint) -> list[Recommendation]:
    """For every kind of device, what to deploy to it, in words."""
    candidates = [c for c in map(candidate_of, results) if c is not None]
    known = {r.variant: r for r in results}
    found: list[Recommendation] = []
    for profile in RUNTIMES:
        best = choose(profile, candidates, constraint)
        if best is None:
            why = f"no variant that runs on a {profile} keeps what was asked"
            found.append(Recommendation(profile=profile, variant=None, version=None, why=why))
            continue
        why = (
            f"{best.variant}: {best.loss_points:+z.1f} points lost, p95 {best.p95_ms:.1f} ms, "
            f"{best.cost_ratio:.0%} of the parent's cost; {_sureness(known[best.variant])}"
        )
        found.append(
            Recommendation(
                profile=profile,
                variant=best.variant,
                version=known[best.variant].version,
                proven=known[best.variant].proven,
                why=why,
            )
        )
    return found


def _sureness(result: VariantResult) -> str:
    """Whether the loss is known to be within what was asked, or only looks so."""
    high = result.loss_high or 0.0
    if result.proven:
        return f"proven: it loses at most {high:.1f} points (95 % interval)"
    return (
        f"a point estimate, not proven: it may lose up to {high:.1f} points (95 % interval), "
        "which more held-out rows would narrow"
    )


def _quality(measured: Mapping[str, Any]) -> dict[str, Any]:
    rows = measured["rows"]
    found: dict[str, Any] = {"accuracy": measured["score"] / rows}
    if "metric" in measured:
        found["metric"] = measured["metric"]
    if "exact" in measured:
        found |= {"metric": "token_f1", "exact_match": measured["exact"] / rows}
    return found


def _figures(measured: Mapping[str, Any]) -> dict[str, Any]:
    names = ("load_ms", "p50_ms", "p95_ms", "memory_mb", "peak_mb")
    return {name: float(measured[name]) for name in names}
