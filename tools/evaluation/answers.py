"""Measuring language models on questions with known answers, and by a standard harness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.evaluation.language_types import (
    AnswersMeasured,
    BenchmarkResult,
    MeasureAnswers,
    RunBenchmark,
)
from tools.evaluation.reports import ReportStore
from tools.evaluation.seen import text_hash
from tools.evaluation.subjects import Subject, subject_of_version
from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.operations import Evidence, Preview

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call

WORKER = "tools.evaluation.language_worker"
KINDS = ("prompt_completion", "messages")


class AnswerService:
    """Measures language models in child processes; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.reports = ReportStore(kernel)

    def normalise(self, args: MeasureAnswers, tenant: str) -> MeasureAnswers:
        """Pin the version and the dataset's version."""
        subject = subject_of_version(self._kernel, args.model, args.version, tenant)
        dataset = self._pinned(args.dataset or subject.dataset, tenant)
        return args.model_copy(update={"version": subject.version, "dataset": dataset})

    def preview(self, args: MeasureAnswers, tenant: str) -> Preview:
        """How many questions would be asked; refuses what is no language model."""
        subject = self._language_model(args.model, args.version, tenant)
        rows, overlap = self._rows(str(args.dataset), args.rows, tenant, subject)
        return Preview(
            summary=f"Ask {subject} and its base model {len(rows)} questions of {args.dataset}.",
            seconds=20 + 2.0 * len(rows),
            warnings=_warnings(rows, overlap),
        )

    def measure(self, args: MeasureAnswers, call: Call) -> AnswersMeasured:
        """Ask the model and its base, compare with the right answers, keep the report."""
        found = call.running.step("measure", self._measure, args, call)
        report = AnswersMeasured.model_validate(found)
        key = f"job {call.running.id}"
        return self.reports.add("answers", key, call.tenant, report.model, report.version, report)

    def _measure(self, args: MeasureAnswers, call: Call) -> dict[str, Any]:
        subject = self._language_model(args.model, args.version, call.tenant)
        rows, overlap = self._rows(str(args.dataset), args.rows, call.tenant, subject)
        spec = {
            "task": "answers",
            "folder": str(subject.folder),
            "rows": self._written(rows, call),
            "max_new_tokens": args.max_new_tokens,
        }
        return {
            "model": subject.model,
            "version": subject.version,
            "dataset": args.dataset,
            "warnings": _warnings(rows, overlap),
            **call.running.child(WORKER, spec),
        }

    def normalise_benchmark(self, args: RunBenchmark, tenant: str) -> RunBenchmark:
        """Pin the version and the dataset's version.

        Raises:
            InvalidInput: if both a model and a base model are named, or neither.
        """
        if (args.model is None) == (args.base_model is None):
            raise InvalidInput(
                "Name either a registered model or a base model.", hint="For example smollm2."
            )
        version = None
        if args.model is not None:
            version = subject_of_version(self._kernel, args.model, args.version, tenant).version
        return args.model_copy(
            update={"version": version, "dataset": self._pinned(args.dataset, tenant)}
        )

    def preview_benchmark(self, args: RunBenchmark, tenant: str) -> Preview:
        """What the harness would do; refuses what is no language model."""
        subject = self._language_model(args.model, args.version, tenant) if args.model else None
        rows, overlap = self._rows(args.dataset, args.rows, tenant, subject)
        return Preview(
            summary=f"Run lm-evaluation-harness with {subject or args.base_model} on {len(rows)} "
            f"rows of {args.dataset}, {args.shots} examples before each.",
            seconds=40 + 2.0 * len(rows),
            warnings=_warnings(rows, overlap),
        )

    def benchmark(self, args: RunBenchmark, call: Call) -> BenchmarkResult:
        """Run the harness in a child process and keep what it says."""
        found = call.running.step("benchmark", self._benchmark, args, call)
        report = BenchmarkResult.model_validate(found)
        key, name = f"job {call.running.id}", report.model
        return self.reports.add("benchmark", key, call.tenant, name, report.version, report)

    def _benchmark(self, args: RunBenchmark, call: Call) -> dict[str, Any]:
        subject = (
            self._language_model(args.model, args.version, call.tenant) if args.model else None
        )
        rows, _ = self._rows(args.dataset, args.rows, call.tenant, subject)
        spec = {
            "task": "benchmark",
            "folder": str(subject.folder) if subject else None,
            "base_model": args.base_model,
            "rows": self._written(rows, call),
            "workdir": str(call.running.workdir),
            "shots": args.shots,
        }
        return {
            "model": args.model or args.base_model,
            "version": args.version,
            "dataset": args.dataset,
            "shots": args.shots,
            **call.running.child(WORKER, spec),
        }

    def evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored report."""
        return self.reports.evidence(number, tenant, "rows", "model")

    def _language_model(self, model: str, version: int | None, tenant: str) -> Subject:
        subject = subject_of_version(self._kernel, model, version, tenant)
        subject.check()
        if not (subject.folder / "language.json").is_file():
            raise Conflict(
                f"{subject} is no language model.", hint=f"`evaluate {subject}` measures it."
            )
        return subject

    def _rows(
        self, dataset: str, most: int, tenant: str, subject: Subject | None
    ) -> tuple[list[Row], int]:
        """Test rows whose question the training has not seen, and how many were left out."""
        from tools.datasets.service import DatasetService

        datasets = self._kernel.get(DatasetService)
        kind = datasets.resolve(tenant, dataset).profile.kind
        if kind not in KINDS:
            raise Conflict(
                f"{dataset} holds no answers: its rows are {kind}.",
                hint="It needs a column `prompt` and a column `completion`, or chats.",
            )
        rows = datasets.rows(tenant, dataset, "test")
        seen: set[str] = set()
        if subject is not None:
            trained = datasets.rows(tenant, subject.dataset)
            seen = {text_hash(r.text) for r in trained if r.split != "test"}
        unseen = [r for r in rows if text_hash(r.text) not in seen]
        if not unseen:
            raise Conflict(f"Every test question of {dataset} was trained on.")
        step = max(1, len(unseen) // most)
        return unseen[::step][:most], len(rows) - len(unseen)

    def _pinned(self, dataset: str, tenant: str) -> str:
        from tools.datasets.service import DatasetService

        return str(self._kernel.get(DatasetService).resolve(tenant, dataset))

    def _written(self, rows: list[Row], call: Call) -> str:
        from tools.datasets.kinds import conversation

        path = call.running.workdir / "chats.jsonl"
        lines = (json.dumps({"messages": conversation(r), "extra": r.extra}) for r in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)


def _warnings(rows: list[Row], overlap: int) -> list[str]:
    told: list[str] = []
    if overlap:
        told.append(f"{overlap} rows were left out: the training saw their question.")
    if len(rows) < 100:
        told.append(f"Only {len(rows)} rows: the intervals are wide.")
    return told
