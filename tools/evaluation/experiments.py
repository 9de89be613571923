"""Experiments: declared before data are seen, looked at as often as one likes, concluded."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tools.evaluation.experiment_rows import too_few, usable
from tools.evaluation.experiment_store import ExperimentStore
from tools.evaluation.experiment_types import (
    Advice,
    ConcludeExperiment,
    DeclareExperiment,
    Experiment,
    ExperimentLook,
    Experiments,
    ExperimentWithdrawn,
    LookAtExperiment,
)
from tools.evaluation.fitting import refuse_embedding
from tools.evaluation.power import rows_needed
from tools.evaluation.seen import text_hash
from tools.evaluation.sequential import Look, paired_difference
from tools.evaluation.service import EvaluationService
from tools.evaluation.subjects import subject_of_version, worker_of
from tools.evaluation.types import CompareModels
from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.operations import Change, Evidence, Preview
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.evaluation.rows import HeldOut
    from tools.evaluation.subjects import Subject
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call

TAG = "pilothouse.experiment."
_DISCORDANT = 0.1
_SEQUENTIAL = 2.0
"""How many times the rows of a fixed-sample test one that may be looked at early takes, about."""


class ExperimentService:
    """Declares, looks and concludes; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._evaluations = kernel.get(EvaluationService)
        self.store = ExperimentStore(kernel)

    def normalise(self, args: DeclareExperiment, tenant: str) -> DeclareExperiment:
        """Fill in the other version (the champion), the dataset and the hypothesis.

        Raises:
            InvalidInput: if the metric cannot be tested at every look.
        """
        if args.metric != "accuracy":
            raise InvalidInput(
                "An experiment compares accuracy: its intervals hold however often one looks, "
                "which is exact for a mean over rows, and macro-F1 is none.",
                hint="Declare it by accuracy; an evaluation of each version on the same dataset "
                "tells its macro-F1 with a 95 % interval, once all rows are in.",
            )
        compared = CompareModels(
            model=args.model,
            version=args.version,
            other_version=args.other_version,
            other_model=args.other_model,
            dataset=args.dataset,
        )
        filled = self._evaluations.normalise_compare(compared, tenant)
        dataset = str(filled.dataset).partition("@")[0]
        believed = (
            f"{filled.model} v{filled.version} is more accurate than "
            f"{filled.other_model} v{filled.other_version}"
        )
        return args.model_copy(
            update={
                "other_model": filled.other_model,
                "other_version": filled.other_version,
                "dataset": dataset,
                "hypothesis": args.hypothesis or believed,
            }
        )

    def preview(self, args: DeclareExperiment, tenant: str) -> Preview:
        """What would be declared, how many rows it will probably take, and how many there are.

        Raises:
            Conflict: if there is no row on which both models can be measured.
        """
        rows = self._rows_for(args, tenant)
        return Preview(
            summary=f"Declare an experiment: {args.hypothesis}; a difference of "
            f"{args.minimum_effect:g} points matters, it stops once that is decided at "
            f"{args.alpha:g} over all looks, or at {args.max_rows} rows "
            f"(about {_expected(args)} rows decide, {args.dataset} has {usable(rows)} for it now).",
            warnings=too_few(rows, str(args.dataset), _expected(args), args.max_rows),
            changes=[Change(what="experiments", after=args.hypothesis)],
        )

    def declare(self, args: DeclareExperiment, call: Call) -> Experiment:
        """Keep what is to be found out, before anything is looked at."""
        rows = self._rows_for(args, call.tenant)
        experiment = Experiment(
            hypothesis=str(args.hypothesis),
            model=args.model,
            version=args.version,
            other_model=str(args.other_model),
            other_version=int(args.other_version or 0),
            dataset=str(args.dataset),
            minimum_effect=args.minimum_effect,
            max_rows=args.max_rows,
            alpha=args.alpha,
            expected_rows=_expected(args),
            available_rows=usable(rows),
            warnings=too_few(rows, str(args.dataset), _expected(args), args.max_rows),
            declared_by=call.context.principal.name,
            declared=now(),
        )
        return self.store.add(experiment, call.tenant)

    def preview_look(self, args: LookAtExperiment, tenant: str) -> Preview:
        """How many new rows there are; refuses a concluded experiment and one without new rows."""
        experiment, _, rows, held = self._fresh(args, tenant)
        return Preview(
            summary=f"Predict {len(rows)} new rows of {experiment.dataset} with "
            f"{_first(experiment)} and {_second(experiment)}.",
            seconds=12 + 0.1 * len(rows),
            warnings=held.left_out,
        )

    def look(self, args: LookAtExperiment, call: Call) -> Experiment:
        """Predict new rows with both models and see what all rows so far say."""
        job = call.running
        counted = job.step("predict", self._predict, args, call)
        stored = job.step("store", self._add_look, args.experiment, counted, call)
        return Experiment.model_validate(stored)

    def preview_conclude(self, args: ConcludeExperiment, tenant: str) -> Preview:
        """What would be put on record."""
        experiment, _ = self.store.get(args.experiment, tenant)
        _refuse_concluded(experiment)
        return Preview(
            summary=f"Conclude experiment {experiment.id}: {args.decision or finding(experiment)}"
        )

    def conclude(self, args: ConcludeExperiment, call: Call) -> Experiment:
        """Put the decision on record: in the experiment, and in the runs of both models."""

        def concluded(experiment: Experiment) -> Experiment:
            _refuse_concluded(experiment)
            return experiment.model_copy(
                update={
                    "status": "concluded",
                    "decision": args.decision or finding(experiment),
                    "concluded_by": call.context.principal.name,
                    "concluded": now(),
                }
            )

        done = self.store.change(args.experiment, call.tenant, concluded)
        for subject in self._subjects(done, call.tenant):
            self._record(done, subject)
        return done

    def withdraw(self, number: int, tenant: str) -> ExperimentWithdrawn:
        """Take back an experiment that nobody has looked at.

        Raises:
            Conflict: if somebody has: then it can only be concluded.
        """
        experiment, _ = self.store.get(number, tenant)
        if experiment.looks:
            raise Conflict(
                f"Experiment {number} was looked at; it can only be concluded.",
                hint=f"`conclude experiment {number}` keeps what was found.",
            )
        self.store.remove(number, tenant)
        return ExperimentWithdrawn(experiment=number)

    def list(self, model: str | None, tenant: str) -> Experiments:
        """Experiments, newest first."""
        return Experiments(experiments=self.store.list(tenant, model))

    def evidence(self, number: int, tenant: str) -> list[Evidence]:
        """What is stored of an experiment; for a concluded one also what the model's run says."""
        experiment, _ = self.store.get(number, tenant)
        what, source = f"experiment {number}", "experiments"
        found = [
            Evidence(fact=f"status of {what}", value=experiment.status, source=source),
            Evidence(fact=f"looks at {what}", value=len(experiment.looks), source=source),
        ]
        if experiment.status == "concluded":
            subject = self._subjects(experiment, tenant)[0]
            tags = self._client.get_run(subject.run_id).data.tags
            told = json.loads(tags.get(f"{TAG}{number}", "{}"))
            source = f"mlflow run {subject.run_id}"
            decision = told.get("decision")
            found.append(Evidence(fact=f"decision of {what}", value=decision, source=source))
        return found

    def _rows_for(self, args: DeclareExperiment, tenant: str) -> HeldOut:
        """The rows of the dataset on which both models can be measured now."""
        subjects = (
            subject_of_version(self._kernel, args.model, args.version, tenant),
            subject_of_version(
                self._kernel, str(args.other_model), int(args.other_version or 0), tenant
            ),
        )
        for subject in subjects:
            refuse_embedding(
                subject,
                "what a query finds depends on all texts that are searched, so its rows cannot be "
                "looked at as they come",
                f"`compare {args.model} v{args.version} with {args.other_model} "
                f"v{args.other_version} on {args.dataset}` tests both on all rows at once.",
            )
        return self._evaluations.held_out(args.dataset, "test", subjects, tenant)

    def _fresh(
        self, args: LookAtExperiment, tenant: str
    ) -> tuple[Experiment, tuple[Subject, Subject], list[Row], HeldOut]:
        experiment, seen = self.store.get(args.experiment, tenant)
        _refuse_concluded(experiment)
        subjects = self._subjects(experiment, tenant)
        for subject in subjects:
            subject.check()
        held = self._evaluations.held_out(experiment.dataset, "test", subjects, tenant)
        fresh = {text_hash(r.text): r for r in held.rows if text_hash(r.text)[:16] not in seen}
        if not fresh:
            raise Conflict(
                f"There are no new test rows in {experiment.dataset}: all {len(seen)} were seen.",
                hint=f"Add data to {experiment.dataset}, or conclude experiment {experiment.id}.",
            )
        order = sorted(fresh, key=lambda h: hashlib.sha256(f"{experiment.id}{h}".encode()).digest())
        return experiment, subjects, [fresh[h] for h in order[: args.rows or len(order)]], held

    def _predict(self, args: LookAtExperiment, call: Call) -> dict[str, Any]:
        _, subjects, rows, held = self._fresh(args, call.tenant)
        path = call.running.workdir / "rows.jsonl"
        lines = (json.dumps({"text": r.text, "label": r.label}) for r in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        folders = [str(s.folder) for s in subjects]
        counted = call.running.child(
            worker_of(subjects[0]), {"task": "compare", "folders": folders, "rows": str(path)}
        )
        seen = [text_hash(r.text)[:16] for r in rows]
        return {
            **counted,
            "rows": len(rows),
            "seen": seen,
            "usable": usable(held),
            "left_out": held.left_out,
        }

    def _add_look(self, number: int, counted: dict[str, Any], call: Call) -> dict[str, Any]:
        job = call.running.id

        def looked(experiment: Experiment) -> Experiment:
            if any(look.job == job for look in experiment.looks):
                return experiment
            look = _look(experiment, counted, job)
            looks, decided = [*experiment.looks, look], look.advice not in _UNDECIDED
            return experiment.model_copy(update={"looks": looks, "decided": decided})

        seen = tuple(counted["seen"])
        return self.store.change(number, call.tenant, looked, seen).model_dump(mode="json")

    def _record(self, experiment: Experiment, subject: Subject) -> None:
        told = {
            "hypothesis": experiment.hypothesis[:500],
            "decision": experiment.decision,
            "looks": len(experiment.looks),
            "by": experiment.concluded_by,
        }
        self._client.set_tag(subject.run_id, f"{TAG}{experiment.id}", json.dumps(told))
        body = experiment.model_dump(mode="json")
        self._client.log_dict(subject.run_id, body, f"experiments/{experiment.id}.json")

    def _subjects(self, experiment: Experiment, tenant: str) -> tuple[Subject, Subject]:
        return (
            subject_of_version(self._kernel, experiment.model, experiment.version, tenant),
            subject_of_version(
                self._kernel, experiment.other_model, experiment.other_version, tenant
            ),
        )

    @property
    def _client(self) -> Any:
        from tools.kernel.mlflow_store import client

        return client(self._kernel.settings)


def _look(experiment: Experiment, counted: dict[str, Any], job: int) -> ExperimentLook:
    before = experiment.looks[-1] if experiment.looks else None
    rows = counted["rows"] + (before.rows if before else 0)
    first = counted["only_first"] + (before.only_first if before else 0)
    second = counted["only_second"] + (before.only_second if before else 0)
    found = paired_difference(first, second, rows - first - second, alpha=experiment.alpha)
    return ExperimentLook(
        job=job,
        at=now(),
        rows=rows,
        only_first=first,
        only_second=second,
        difference=found.effect,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        advice=advice(found, experiment.minimum_effect / 100, rows >= experiment.max_rows),
        left=max(counted["usable"] - rows, 0),
        left_out=counted["left_out"],
    )


_UNDECIDED: frozenset[Advice] = frozenset(["go on", "stop"])


def advice(found: Look, margin: float, used_up: bool) -> Advice:
    """What the declared stopping rule says of a look.

    Args:
        found: the look.
        margin: the smallest difference that matters, 0 to 1.
        used_up: True once the declared number of rows was looked at.
    """
    if found.within(margin):
        return "stop: no difference that matters"
    if found.decided:
        return "stop: better" if found.low > 0 else "stop: worse"
    return "stop" if used_up else "go on"


def finding(experiment: Experiment) -> str:
    """What an experiment found so far, in a sentence."""
    if not experiment.looks:
        return "Nobody has looked; nothing was found."
    last = experiment.looks[-1]
    sides = f"{_first(experiment)} against {_second(experiment)}"
    told = {
        "go on": "not decided yet",
        "stop: better": "the first is better",
        "stop: worse": "the first is worse",
        "stop: no difference that matters": "no difference that matters",
        "stop": "undecided, the declared rows are used up",
    }[last.advice]
    return (
        f"{sides} on {last.rows} rows: {told} ({last.difference * 100:+z.1f} points, "
        f"{last.low * 100:+z.1f} to {last.high * 100:+z.1f} over all looks, "
        f"p = {last.p_value:.3g})."
    )


def _first(experiment: Experiment) -> str:
    return f"{experiment.model} v{experiment.version}"


def _second(experiment: Experiment) -> str:
    return f"{experiment.other_model} v{experiment.other_version}"


def _expected(args: DeclareExperiment) -> int:
    fixed = rows_needed(2 * args.minimum_effect / 100, _DISCORDANT)
    return round(_SEQUENTIAL * fixed)


def _refuse_concluded(experiment: Experiment) -> None:
    if experiment.status == "concluded":
        raise Conflict(
            f"Experiment {experiment.id} was concluded: {experiment.decision}",
            hint="Declare another one.",
        )
