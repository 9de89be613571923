"""Shrinking a registered version as a durable job: each variant is made, measured, settled.

Every variant is two durable steps (made, then measured) and a third that registers it, so that what
a killed platform had finished is not done again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Cancelled, OperationFailed, PilothouseError
from tools.kernel.operations import Call, Evidence, Preview
from tools.training.optimizing import manifest as manifests
from tools.training.optimizing.chart import draw, table
from tools.training.optimizing.choosing import (
    advise,
    constraint_of,
    parent_result,
    targets_of,
    variant_result,
)
from tools.training.optimizing.held_out import (
    is_language_model,
    kind_of,
    line_of,
    parent_size,
    refuse_unfit,
    rows_of,
    write_rows,
)
from tools.training.optimizing.proving import loss_of, metrics_of, predictions
from tools.training.optimizing.recording import (
    beside,
    held_out_rows,
    majority_accuracy,
    settings_of,
    told_of_devices,
    told_of_others,
    write_card,
)
from tools.training.optimizing.targets import TARGETS
from tools.training.optimizing.types import OptimizeModel, OptimizeResult, VariantResult
from tools.training.optimizing.versions import HELD_OUT_ROWS, NewVariant, ParentVersion, versions

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel

BUILD = "tools.training.optimizing.build"
MEASURE = "tools.training.optimizing.measure"
TIMED = 100
_SECONDS_A_TARGET = 20.0
_SECONDS_AN_ANSWER = 1.0


class OptimizingService:
    """Makes and proves variants; one instance a kernel, safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def normalise(self, args: OptimizeModel, tenant: str) -> OptimizeModel:
        """Pin the version and the targets, so that a later change changes nothing."""
        parent = versions(self._kernel).parent(args.model, args.version, tenant)
        targets = targets_of(args, kind_of(parent.folder))
        return args.model_copy(update={"version": parent.version, "targets": targets})

    def preview(self, args: OptimizeModel, tenant: str) -> Preview:
        """Check that the version can be shrunk, and say what would be made."""
        parent = self._parent(args, tenant)
        targets = targets_of(args, kind_of(parent.folder))
        refuse_unfit(parent, targets)
        rows, split, warnings = rows_of(self._kernel, parent, tenant)
        weight = sum(TARGETS[t].relative for t in targets) + 1
        points = "point" if args.max_loss_points == 1 else "points"
        limits = f"at most {args.max_loss_points:g} {points} worse"
        if args.max_latency_ms is not None:
            limits += f", under {args.max_latency_ms:g} ms"
        size = constraint_of(args, parent_size(parent.folder)).max_size_mb
        if size is not None:
            limits += f", of at most {size:.3g} MB"
        return Preview(
            summary=f"Make {', '.join(targets)} of {parent}, measure each against it on "
            f"{len(rows)} {split} rows of {parent.dataset}, and register those that are {limits}.",
            seconds=_SECONDS_A_TARGET * weight
            + (_SECONDS_AN_ANSWER if is_language_model(parent.folder) else 0.05)
            * (len(rows) * (len(targets) + 1)),
            warnings=warnings,
        )

    def run(self, args: OptimizeModel, call: Call) -> OptimizeResult:
        """Shrink as a durable job; deterministic outside its steps."""
        job = call.running
        prepared = job.step("prepare", self._prepare, args, call.tenant, job)
        targets = targets_of(args, prepared["kind"])
        steps = len(targets) + 1
        parent = job.step("measure parent", self._measure_parent, prepared, job, steps)
        outcomes: list[dict[str, Any]] = []
        for place, target in enumerate(targets, start=1):
            span = (place / steps, (place + 1) / steps)
            made = job.step(f"make {target}", self._make, target, args, prepared, job, span)
            measured = job.step(
                f"measure {target}", self._measure, target, made, prepared["kind"], job, span
            )
            outcomes.append(
                job.step(
                    f"settle {target}", self._settle, target, args, prepared, parent, measured, call
                )
            )
        result = job.step("sum up", self._sum_up, args, prepared, parent, outcomes, job)
        job.step("tidy", _tidy, job.workdir)
        return OptimizeResult.model_validate(result)

    def evidence(self, result: OptimizeResult, tenant: str) -> list[Evidence]:
        """What the registry says of every variant that was registered, and the picture."""
        store, found = versions(self._kernel), list[Evidence]()
        for one in result.variants:
            if one.version is not None:
                facts = store.facts(result.model, one.version, tenant)
                found += [
                    Evidence(
                        fact=f"{name} of {result.model} v{one.version}",
                        value=value,
                        source="mlflow registry",
                    )
                    for name, value in facts.items()
                ]
        drawn = Path(result.plot).is_file()
        return [*found, Evidence(fact="the plot was drawn", value=drawn, source=result.plot)]

    def remove(self, model: str, numbers: list[int], tenant: str) -> None:
        """Take variants out of the registry."""
        for number in numbers:
            versions(self._kernel).unregister(model, number, tenant)

    def state(self, model: str, numbers: list[int], tenant: str) -> list[Evidence]:
        """Whether variants are registered."""
        store = versions(self._kernel)
        return [
            Evidence(
                fact=f"state of {model} v{n}",
                value=store.facts(model, n, tenant)["state"],
                source="mlflow registry",
            )
            for n in numbers
        ]

    # The steps

    def _prepare(self, args: OptimizeModel, tenant: str, job: JobContext) -> dict[str, Any]:
        job.progress(0.0, "preparing the rows")
        parent = self._parent(args, tenant)
        rows, split, warnings = rows_of(self._kernel, parent, tenant)
        from tools.datasets.service import DatasetService

        train = self._kernel.get(DatasetService).rows(tenant, parent.dataset, "train")
        write_rows(job.workdir / "rows.jsonl", rows)
        kind = kind_of(parent.folder)
        write_rows(job.workdir / "train.jsonl", [line_of(row, kind) for row in train])
        return {
            "kind": kind,
            "split": split,
            "dataset": parent.dataset,
            "rows": len(rows),
            "warnings": warnings,
            "folder": str(parent.folder),
            "size_bytes": parent_size(parent.folder),
            "content_sha256": parent.content_sha256,
        }

    def _measure_parent(
        self, prepared: dict[str, Any], job: JobContext, steps: int
    ) -> dict[str, Any]:
        spec = self._measuring(
            Path(prepared["folder"]), "parent", prepared["kind"], job, (0.0, 1 / steps)
        )
        return self._timed(spec, job)

    def _timed(self, spec: dict[str, Any], job: JobContext) -> dict[str, Any]:
        """Measure, and note how many other jobs ran, unless they stood still meanwhile."""
        before = beside(self._kernel)
        measured = job.child(MEASURE, spec)
        others = 0 if measured.get("alone") else max(before, beside(self._kernel))
        return {**measured, "beside": others}

    def _make(
        self,
        target: str,
        args: OptimizeModel,
        prepared: dict[str, Any],
        job: JobContext,
        span: tuple[float, float],
    ) -> dict[str, Any]:
        begin, end = span
        middle = begin + (end - begin) * 0.7
        job.progress(begin, f"making {target}")
        spec = {
            "target": target,
            "folder": prepared["folder"],
            "out": str(job.workdir / target),
            "parent": {
                "model": args.model,
                "version": args.version,
                "content_sha256": prepared["content_sha256"],
            },
            "train": str(job.workdir / "train.jsonl"),
            "threads": self._kernel.settings.threads,
            "options": {"layers": args.layers} if args.layers else {},
            "span": [begin, middle],
        }
        return _attempt(lambda: job.child(BUILD, spec))

    def _measure(
        self,
        target: str,
        made: dict[str, Any],
        kind: str,
        job: JobContext,
        span: tuple[float, float],
    ) -> dict[str, Any]:
        if "error" in made:
            return made
        begin, end = span
        middle = begin + (end - begin) * 0.7
        job.progress(middle, f"measuring {target}")
        spec = self._measuring(job.workdir / target, target, kind, job, (middle, end))
        return _attempt(lambda: {**self._timed(spec, job), **made})

    def _measuring(
        self, folder: Path, name: str, kind: str, job: JobContext, span: tuple[float, float]
    ) -> dict[str, Any]:
        return {
            "kind": kind,
            "folder": str(folder),
            "parent": name == "parent",
            "rows": str(job.workdir / "rows.jsonl"),
            "predictions": str(predictions(job.workdir, name)),
            "threads": self._kernel.settings.threads,
            "timed": TIMED,
            "span": [*span],
            "message": f"measuring {name}",
        }

    def _settle(
        self,
        target: str,
        args: OptimizeModel,
        prepared: dict[str, Any],
        parent: dict[str, Any],
        measured: dict[str, Any],
        call: Call,
    ) -> dict[str, Any]:
        """Compare a variant with its parent, and register it if it keeps what was asked."""
        runtime = TARGETS[target].runtime
        if "error" in measured:
            failed = VariantResult(variant=target, runtime=runtime, error=measured["error"])
            return failed.model_dump()
        folder = call.running.workdir
        result = variant_result(
            target,
            measured,
            parent,
            loss_of(folder, target, prepared),
            (measured["size_bytes"], prepared["size_bytes"]),
            constraint_of(args, prepared["size_bytes"]),
        )
        result.beside_jobs = measured.get("beside", 0)
        if not result.reasons:
            result.version = self._register(args, result, prepared, parent, measured, call)
        return result.model_dump()

    def _register(
        self,
        args: OptimizeModel,
        result: VariantResult,
        prepared: dict[str, Any],
        parent: dict[str, Any],
        measured: dict[str, Any],
        call: Call,
    ) -> int:
        from tools.training.optimizing.tracking import store

        folder = call.running.workdir / result.variant
        told = manifests.read(folder)
        told.memory_mb = result.memory_mb or 0.0
        told.metric = {
            "name": result.metric,
            "value": result.accuracy,
            "parent": parent["score"] / parent["rows"],
            "loss_points": result.loss_points,
            "low": result.loss_low,
            "high": result.loss_high,
            "rows": parent["rows"],
        }
        origin = self._parent(args, call.tenant)
        metrics = {
            **metrics_of(result, measured.get("scores", {})),
            HELD_OUT_ROWS: float(parent["rows"]),
            **majority_accuracy(call.running.workdir, prepared),
        }
        used = settings_of(args, prepared, told, self._kernel.settings.threads)
        write_card(folder, origin, used, metrics, prepared["warnings"])
        manifests.write(folder, told)
        run_id, kept = store(
            self._kernel.settings,
            call.tenant,
            call.running.id,
            origin,
            result.variant,
            folder,
            metrics,
            used,
            held_out_rows(call.running.workdir, result.variant, prepared),
        )
        who = call.context.principal.name
        new = NewVariant(origin, result.variant, kept, call.running.id, run_id, who, metrics)
        return versions(self._kernel).register(new, call.tenant)

    def _sum_up(
        self,
        args: OptimizeModel,
        prepared: dict[str, Any],
        parent: dict[str, Any],
        outcomes: list[dict[str, Any]],
        job: JobContext,
    ) -> dict[str, Any]:
        job.progress(0.99, "drawing the trade-off")
        results = [VariantResult.model_validate(o) for o in outcomes]
        if all(r.error is not None for r in results):
            raise OperationFailed(
                f"None of the {len(results)} variants could be made: {results[0].error}"
            )
        first = parent_result(parent, prepared["size_bytes"])
        plot = self._kernel.settings.folder("optimizations") / f"{job.id}.png"
        title = f"{args.model} v{args.version}: what its variants lose and cost"
        draw(first, results, args.max_loss_points, title, plot)
        return OptimizeResult(
            job=job.id,
            model=args.model,
            version=int(args.version or 0),
            dataset=prepared["dataset"],
            split=prepared["split"],
            rows=prepared["rows"],
            parent=first,
            variants=results,
            recommendations=advise(results, constraint_of(args, prepared["size_bytes"])),
            table=table(first, results),
            plot=str(plot),
            warnings=[
                *prepared["warnings"],
                *told_of_devices(prepared["kind"]),
                *told_of_others(parent, {r.variant: r.beside_jobs for r in results}),
            ],
        ).model_dump(mode="json")

    def _parent(self, args: OptimizeModel, tenant: str) -> ParentVersion:
        parent = versions(self._kernel).parent(args.model, args.version, tenant)
        refuse_unfit(parent)
        return parent


def _attempt(work: Any) -> dict[str, Any]:
    """One variant's failure is a line in the table, not the end of the others."""
    try:
        return work()
    except Cancelled:
        raise
    except PilothouseError as error:
        return {"error": error.message}


def _tidy(folder: Path) -> None:
    for target in TARGETS:
        shutil.rmtree(folder / target, ignore_errors=True)
    for vectors in folder.glob(predictions(folder, "*").with_suffix(".npy").name):
        vectors.unlink(missing_ok=True)
