"""The frontier: registered models and configured language models on the same rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tools.datasets.kinds import alike
from tools.evaluation.contenders import (
    Said,
    contenders,
    crowned,
    differences,
    instruction,
    read_label,
)
from tools.evaluation.entrants import entrants, finds_texts
from tools.evaluation.frontier_types import CompareFrontier, Frontier
from tools.evaluation.power import difference_seen
from tools.evaluation.reports import ReportStore
from tools.evaluation.service import EvaluationService
from tools.evaluation.subjects import Subject, worker_of
from tools.kernel import stillness
from tools.kernel.endpoint import Answer, Endpoint
from tools.kernel.errors import Conflict
from tools.kernel.operations import Evidence, Preview

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.evaluation.rows import HeldOut
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call

SPLIT = "test"
_DISCORDANT = 0.1
_ANSWER_SECONDS = 1.0
_ANSWER_TOKENS = 150
_OR_ASKED = ", or configure a language model."


class FrontierService:
    """Measures many models on the same rows; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._evaluations = kernel.get(EvaluationService)
        self.reports = ReportStore(kernel)

    def normalise(self, args: CompareFrontier, tenant: str) -> CompareFrontier:
        """Pin the dataset's version, and whether a language model takes part."""
        from tools.datasets.service import DatasetService

        dataset = str(self._kernel.get(DatasetService).resolve(tenant, args.dataset))
        external = args.external and self._kernel.settings.model is not None
        external = external and not finds_texts(self._kernel, dataset, tenant)
        return args.model_copy(update={"dataset": dataset, "external": external})

    def preview(self, args: CompareFrontier, tenant: str) -> Preview:
        """Who would be compared on how many rows, what it costs, what difference it shows."""
        subjects, held, rows = self._prepared(args, tenant)
        asked = self._asked(args)
        names = ", ".join([*map(str, subjects), *asked])
        seen = difference_seen(len(rows), _DISCORDANT)
        tokens = len(asked) * len(rows) * _ANSWER_TOKENS
        return Preview(
            summary=f"Compare {names} on {len(rows)} test rows of {args.dataset}; where two "
            f"differ on one row in ten, these show a difference of {seen * 100:.1f} points.",
            seconds=12 * len(subjects) + _ANSWER_SECONDS * len(asked) * len(rows),
            cost=self._kernel.budget.model_cost(tokens, tokens // 10) if asked else None,
            warnings=held.warnings,
        )

    def compare(self, args: CompareFrontier, call: Call) -> Frontier:
        """Let every model predict the same rows, keep the table and the differences."""
        job = call.running
        subjects, held, rows = self._prepared(args, call.tenant)
        names = [*map(str, subjects), *self._asked(args)]
        said: list[Said] = []
        for number, name in enumerate(names):
            if number < len(subjects):
                one = job.step(
                    f"predict {name}", self._registered, subjects[number], held, args.rows, call
                )
            else:
                place = number / len(names)
                one = job.step(f"ask {name}", self._external, name, args, rows, place, call)
            said.append(Said(**one))
        truth = [alike(row)[1] if held.pairs else row.label for row in rows]
        pairs = differences(truth, said)
        report = Frontier(
            dataset=args.dataset,
            split=SPLIT,
            rows=len(rows),
            smallest_seen=difference_seen(len(rows), _DISCORDANT),
            contenders=crowned(contenders(truth, said), pairs),
            differences=pairs,
            currency=self._kernel.settings.currency,
            warnings=[
                *held.warnings,
                *stillness.told(one.name for one in said if one.alone is False),
            ],
        )
        stored = job.step("store", self._store, report.model_dump(mode="json"), call)
        return Frontier.model_validate(stored)

    def evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored report."""
        return self.reports.evidence(number, tenant, "dataset", "rows")

    def _store(self, report: dict[str, Any], call: Call) -> dict[str, Any]:
        found = Frontier.model_validate(report)
        key = f"job {call.running.id}"
        stored = self.reports.add("frontier", key, call.tenant, found.dataset, None, found)
        return stored.model_dump(mode="json")

    def _prepared(
        self, args: CompareFrontier, tenant: str
    ) -> tuple[list[Subject], HeldOut, list[Row]]:
        pairs = finds_texts(self._kernel, args.dataset, tenant)
        if args.external_models and pairs:
            raise Conflict(
                f"{args.external_models[0]} gives answers, not vectors: it finds no texts of "
                f"{args.dataset}.",
                hint="Only embeddings are compared there; leave it out.",
            )
        if args.external_models and self._kernel.settings.model is None:
            raise Conflict(
                f"No language model is configured, so {args.external_models[0]} cannot take part.",
                hint="Set PILOTHOUSE_MODEL and PILOTHOUSE_MODEL_URL.",
            )
        subjects, left_out = entrants(self._kernel, args, tenant, SPLIT)
        if len(subjects) + len(self._asked(args)) < 2:
            raise Conflict(
                f"There are fewer than two {'embeddings' if pairs else 'models'} to compare on "
                f"{args.dataset}.",
                hint=" ".join(
                    [*left_out, "Register another version" + (_OR_ASKED if not pairs else ".")]
                ),
            )
        if not subjects:
            raise Conflict(
                f"No registered model knows the labels of {args.dataset}.",
                hint="Register a model that was trained for them.",
            )
        for subject in subjects:
            subject.check()
        held = self._evaluations.held_out(args.dataset, SPLIT, subjects, tenant)
        held = replace(held, absent=tuple(left_out))
        return subjects, held, held.rows[:: _step(held, args.rows)][: args.rows]

    def _asked(self, args: CompareFrontier) -> list[str]:
        configured = self._kernel.settings.model
        first = [configured] if args.external and configured else []
        return list(dict.fromkeys([*first, *args.external_models]))

    def _registered(self, subject: Subject, held: HeldOut, most: int, call: Call) -> dict[str, Any]:
        """What a registered model says of some of the rows; an embedding searches all of them."""
        path, step = call.running.workdir / "rows.jsonl", _step(held, most)
        chosen = held if held.pairs else replace(held, rows=held.rows[::step][:most])
        chosen.write(path)
        spec = {
            "task": "label",
            "folder": str(subject.folder),
            "rows": str(path),
            "hourly_rate": self._kernel.settings.hourly_rate,
            "step": step,
            "most": most,
        }
        measured = call.running.child(worker_of(subject), spec)
        return {"name": str(subject), "kind": "registered", **measured}

    def _external(
        self, name: str, args: CompareFrontier, rows: list[Row], place: float, call: Call
    ) -> dict[str, Any]:
        model = None if name == self._kernel.settings.model else name
        endpoint = Endpoint(self._kernel, call.context.principal, model)
        labels = sorted({row.label for row in rows})
        told = instruction(labels)
        answers: list[Answer] = []
        try:
            for number, row in enumerate(rows):
                call.running.check_cancelled()
                answers.append(endpoint.ask(told, row.text))
                share = place + (1 - place) * number / len(rows)
                call.running.progress(share, f"asking {name}, row {number + 1} of {len(rows)}")
        finally:
            endpoint.close()
        return {
            "name": name,
            "kind": "external",
            "labels": [read_label(a.text, labels) for a in answers],
            "seconds": [a.seconds for a in answers],
            "cost_per_1000": 1000 * sum(a.cost for a in answers) / len(answers),
        }


def _step(held: HeldOut, most: int) -> int:
    """Every which row is taken, so that they are spread over all."""
    return max(1, len(held.rows) // most)
