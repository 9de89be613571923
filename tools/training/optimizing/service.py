"""Shrinking a registered version as a durable job: each variant is made, measured, settled.

Every variant is two durable steps (made, then measured) and a third that registers it, so that what
a killed platform had finished is not done again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Cancelled, InvalidInput, OperationFailed, PilothouseError
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
from tools.training.optimizing.targets import TARGETS
from tools.training.optimizing.types import OptimizeModel, OptimizeResult, VariantResult
from tools.training.optimizing.versions import NewVariant, ParentVersion, versions

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel

BUILD = "tools.training.optimizing.build"
MEASURE = "tools.training.optimizing.measure"
TIMED = 100
_MOST_ROWS = 2000
_FEW_ROWS = 100
_SECONDS_A_TARGET = 20.0


class OptimizingService:
    """Makes and proves variants; one instance a kernel, safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def normalise(self, args: OptimizeModel, tenant: str) -> OptimizeModel:
        """Pin the version and the targets, so that a later change changes nothing."""
        parent = versions(self._kernel).parent(args.model, args.version, tenant)
        return args.model_copy(update={"version": parent.version, "targets": [*targets_of(args)]})

    def preview(self, args: OptimizeModel, tenant: str) -> Preview:
        """Check that the version can be shrunk, and say what would be made."""
        parent = self._parent(args, tenant)
        targets = targets_of(args)
        rows, split, warnings = self._rows(parent, tenant)
        weight = sum(TARGETS[t].relative for t in targets) + 1
        limits = f"at most {args.max_loss_points:g} points worse"
        if args.max_latency_ms is not None:
            limits += f", under {args.max_latency_ms:g} ms"
        return Preview(
            summary=f"Make {', '.join(targets)} of {parent}, measure each against it on "
            f"{len(rows)} {split} rows of {parent.dataset}, and register those that are {limits}.",
            seconds=_SECONDS_A_TARGET * weight + 0.05 * len(rows) * (len(targets) + 1),
            warnings=warnings,
        )

    def run(self, args: OptimizeModel, call: Call) -> OptimizeResult:
        """Shrink as a durable job; deterministic outside its steps."""
        job, targets = call.running, targets_of(args)
        prepared = job.step("prepare", self._prepare, args, call.tenant, job)
        steps = len(targets) + 1
        parent = job.step("measure parent", self._measure_parent, prepared, job, steps)
        outcomes: list[dict[str, Any]] = []
        for place, target in enumerate(targets, start=1):
            span = (place / steps, (place + 1) / steps)
            made = job.step(f"make {target}", self._make, target, args, prepared, job, span)
            measured = job.step(f"measure {target}", self._measure, target, made, job, span)
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
        rows, split, warnings = self._rows(parent, tenant)
        from tools.datasets.service import DatasetService

        train = self._kernel.get(DatasetService).rows(tenant, parent.dataset, "train")
        _write(job.workdir / "rows.jsonl", rows)
        _write(job.workdir / "train.jsonl", [(r.text, r.label) for r in train])
        return {
            "split": split,
            "dataset": parent.dataset,
            "rows": len(rows),
            "warnings": warnings,
            "folder": str(parent.folder),
            "size_bytes": _parent_size(parent.folder),
            "content_sha256": parent.content_sha256,
        }

    def _measure_parent(
        self, prepared: dict[str, Any], job: JobContext, steps: int
    ) -> dict[str, Any]:
        return job.child(
            MEASURE,
            self._measuring(Path(prepared["folder"]), "parent", job, (0.0, 1 / steps)),
        )

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
        self, target: str, made: dict[str, Any], job: JobContext, span: tuple[float, float]
    ) -> dict[str, Any]:
        if "error" in made:
            return made
        begin, end = span
        middle = begin + (end - begin) * 0.7
        job.progress(middle, f"measuring {target}")
        spec = self._measuring(job.workdir / target, target, job, (middle, end))
        return _attempt(lambda: {**job.child(MEASURE, spec), **made})

    def _measuring(
        self, folder: Path, name: str, job: JobContext, span: tuple[float, float]
    ) -> dict[str, Any]:
        return {
            "folder": str(folder),
            "parent": name == "parent",
            "rows": str(job.workdir / "rows.jsonl"),
            "predictions": str(job.workdir / f"predictions-{name}.json"),
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
            (_truth(folder, prepared), _predicted(folder, "parent"), _predicted(folder, target)),
            (measured["size_bytes"], prepared["size_bytes"]),
            constraint_of(args),
        )
        if not result.reasons:
            result.version = self._register(args, result, parent, call)
        return result.model_dump()

    def _register(
        self, args: OptimizeModel, result: VariantResult, parent: dict[str, Any], call: Call
    ) -> int:
        from tools.training.optimizing.tracking import store

        folder = call.running.workdir / result.variant
        told = manifests.read(folder)
        told.memory_mb = result.memory_mb or 0.0
        told.metric = {
            "name": "accuracy",
            "value": result.accuracy,
            "parent": parent["correct"] / parent["rows"],
            "loss_points": result.loss_points,
            "low": result.loss_low,
            "high": result.loss_high,
            "rows": parent["rows"],
        }
        manifests.write(folder, told)
        origin = self._parent(args, call.tenant)
        metrics = _metrics(result)
        run_id, kept = store(
            self._kernel.settings,
            call.tenant,
            call.running.id,
            origin,
            result.variant,
            folder,
            metrics,
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
            recommendations=advise(results, constraint_of(args)),
            table=table(first, results),
            plot=str(plot),
            warnings=prepared["warnings"],
        ).model_dump(mode="json")

    def _parent(self, args: OptimizeModel, tenant: str) -> ParentVersion:
        parent = versions(self._kernel).parent(args.model, args.version, tenant)
        _refuse_unfit(parent)
        return parent

    def _rows(
        self, parent: ParentVersion, tenant: str
    ) -> tuple[list[tuple[str, str]], str, list[str]]:
        """The held-out rows, their split, and what a reader must know of them."""
        from tools.datasets.service import DatasetService

        every = self._kernel.get(DatasetService).rows(tenant, parent.dataset)
        for split, used in (("test", ("train", "validation")), ("validation", ("train",))):
            seen = {_plain(row.text) for row in every if row.split in used}
            rows = [
                (row.text, row.label)
                for row in every
                if row.split == split
                and row.label in parent.labels
                and _plain(row.text) not in seen
            ]
            if rows:
                return rows[:_MOST_ROWS], split, _warnings(rows, split)
        raise InvalidInput(
            f"{parent.dataset} has no held-out rows to prove a variant of {parent} on.",
            hint="Add a test split to the dataset, and train on that version.",
        )


def _refuse_unfit(parent: ParentVersion) -> None:
    from tools.training.export import read_facts

    if manifests.is_variant(parent.folder):
        told = manifests.read(parent.folder)
        if told.runtime != "torch":
            raise InvalidInput(
                f"{parent} is a variant itself ({told.variant}), which cannot be shrunk further.",
                hint=f"Shrink v{told.parent['version']}, which it was made of.",
            )
    if (parent.folder / "language.json").is_file():
        raise InvalidInput(f"{parent} is a language model; these targets are for text classifiers.")
    if read_facts(parent.folder).get("task") == "multilabel":
        raise InvalidInput(
            f"{parent} gives several labels to a text; only one label a text can be shrunk yet."
        )


def _attempt(work: Any) -> dict[str, Any]:
    """One variant's failure is a line in the table, not the end of the others."""
    try:
        return work()
    except Cancelled:
        raise
    except PilothouseError as error:
        return {"error": error.message}


def _warnings(rows: list[tuple[str, str]], split: str) -> list[str]:
    told: list[str] = []
    if split != "test":
        told.append("Measured on the validation split, which chose the parent's weights.")
    if len(rows) < _FEW_ROWS:
        told.append(f"Only {len(rows)} held-out rows: the intervals are wide.")
    if len(rows) > _MOST_ROWS:
        told.append(f"Measured on the first {_MOST_ROWS} of {len(rows)} held-out rows.")
    return told


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    lines = (json.dumps({"text": t, "label": a}, ensure_ascii=False) for t, a in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _truth(folder: Path, prepared: dict[str, Any]) -> list[int]:
    labels: list[str] = json.loads((Path(prepared["folder"]) / "labels.json").read_text())
    places = {label: place for place, label in enumerate(labels)}
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [places[json.loads(line)["label"]] for line in lines]


def _predicted(folder: Path, name: str) -> list[int]:
    return json.loads((folder / f"predictions-{name}.json").read_text())


def _parent_size(folder: Path) -> int:
    """Bytes that serving the parent opens: with the base model where it rests on one."""
    from tools.training.base_models import folder as base_folder
    from tools.training.export import read_facts

    own = folder / "model.safetensors"
    weights = own if own.is_file() else base_folder(read_facts(folder)["base_model"]) / own.name
    rest = [folder / "head.safetensors", *(folder / "adapter").rglob("*")]
    return sum(path.stat().st_size for path in (weights, *rest) if path.is_file())


def _metrics(result: VariantResult) -> dict[str, float]:
    names = (
        *("accuracy", "loss_points", "loss_low", "loss_high", "agreement", "size_bytes"),
        *("load_ms", "p50_ms", "p95_ms", "memory_mb", "peak_mb", "cost_ratio"),
    )
    return {name: float(getattr(result, name)) for name in names}


def _tidy(folder: Path) -> None:
    for target in TARGETS:
        shutil.rmtree(folder / target, ignore_errors=True)
