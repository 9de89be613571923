"""The operation that shrinks a model, and the one that undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training.optimizing.types import (
    OptimizeModel,
    OptimizeResult,
    VariantsRemoved,
    VariantVersions,
)

if TYPE_CHECKING:
    from tools.training.optimizing.service import OptimizingService


def _service(call: Call) -> OptimizingService:
    from tools.training.optimizing.service import OptimizingService

    return call.get(OptimizingService)


@operation(
    "training.optimize",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "shrink the ticket router for the phones",
        "quantise version 3 of ticket-router to int8, at most one point worse",
        "make a smaller student of ticket-router v2",
        "export ticket-router v2 to openvino and executorch",
        "make email-triage smaller and faster",
        "compress spam-filter v4 to int8 under 20 ms",
        "convert sentiment-tagger v1 to onnx",
        "distil ticket-router v3 into a smaller model",
        "prune fraud-screen v2",
        "quantize it",
        "make an executorch build of intent-classifier v5 for the phones",
        "shrink it for laptops, at most 2 points worse",
        "optimise ticket-router v2 for mobile",
        "get me a lighter version of email-triage that loses no more than 2 points",
        "turn spam-filter v1 into an openvino int8 model",
        "make a q4 gguf of support-writer v2",
        "convert support-writer to gguf with the adapter kept apart",
    ),
)
def optimize(args: OptimizeModel, call: Call) -> OptimizeResult:
    """Make smaller, faster variants of a registered version and prove what each one costs.

    Each variant is run in its own runtime and process beside its parent: accuracy lost on held-out
    rows with a paired 95 % interval, agreement, size, load time, latency, memory. Those that
    keep what was asked are registered as versions with their parent; the others are not. A language
    model becomes GGUF files for llama.cpp, measured by the F1 of its answers; an embedding is
    measured by which held-out texts find their counterpart first.

    Args:
        model: the registered model.
        version: its version; the newest that is no variant when left out.
        targets: what to make of it; from the profile when left out.
        profile: the kind of device that it is for.
        max_loss_points: points of the metric that may be lost, 0 to 100.
        max_latency_ms: milliseconds that 95 of 100 texts may take.
        max_size_mb: megabytes that the files may have.
        max_size_ratio: the same, as a share of what the parent takes.
        layers: layers of a student or pruned model.

    Raises:
        InvalidInput: the targets do not fit the model, or it has no held-out rows.
        OperationFailed: no variant could be made.
    """
    return _service(call).run(args, call)


@optimize.normalise
def _(args: OptimizeModel, call: Call) -> OptimizeModel:
    return _service(call).normalise(args, call.tenant)


@optimize.preview
def _(args: OptimizeModel, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@optimize.read_back
def _(args: OptimizeModel, result: OptimizeResult, call: Call) -> list[Evidence]:
    return _service(call).evidence(result, call.tenant)


@optimize.inverse
def _(args: OptimizeModel, result: OptimizeResult, call: Call) -> Inverse | None:
    made = [v.version for v in result.variants if v.version is not None]
    if not made:
        return None
    return Inverse(
        operation="training.remove_variants",
        arguments={"model": result.model, "versions": [*made]},
    )


@optimize.says
def _(args: OptimizeModel, result: OptimizeResult) -> str:
    made = [v for v in result.variants if v.version is not None]
    advice = "; ".join(
        f"{r.profile}s: {r.variant} (v{r.version})" if r.version else f"{r.profile}s: none"
        for r in result.recommendations
        if args.profile in (None, r.profile)
    )
    failed = "".join(
        f" {v.variant} was not registered: {v.error or '; '.join(v.reasons)}."
        for v in result.variants
        if v.version is None
    )
    return (
        f"Made {len(result.variants)} variants of {result.model} v{result.version}, measured on "
        f"{result.rows} {result.split} rows; {len(made)} registered.{failed} "
        f"Recommended for {advice}.{''.join(f' {w}' for w in result.warnings)}\n\n{result.table}"
    )


@operation("training.remove_variants", effect=Effect.WRITE, hidden=True, idempotent=True)
def remove_variants(args: VariantVersions, call: Call) -> VariantsRemoved:
    """Take variants out of the registry; the inverse of `training.optimize`. Their files stay.

    Args:
        model: the model's name.
        versions: the variants' versions.

    Raises:
        Conflict: an alias points at one, or devices serve it.
    """
    _service(call).remove(args.model, args.versions, call.tenant)
    return VariantsRemoved(model=args.model, versions=args.versions)


@remove_variants.read_back
def _(args: VariantVersions, result: VariantsRemoved, call: Call) -> list[Evidence]:
    return _service(call).state(args.model, args.versions, call.tenant)


@remove_variants.says
def _(args: VariantVersions, result: VariantsRemoved) -> str:
    numbers = ", ".join(f"v{n}" for n in result.versions)
    return f"{numbers} of {result.model} are no longer registered."
