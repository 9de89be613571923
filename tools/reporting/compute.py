"""From records to figures: each one named, and with the records it was computed from."""

from __future__ import annotations

from collections.abc import Sequence

from tools.kernel.receipts import Receipt
from tools.kernel.settings import Settings
from tools.reporting.figures import Sheet, money, percent
from tools.reporting.records import TRAININGS, Evaluation, Job, Records

MOST_EVALUATIONS = 3


def compute(records: Records, settings: Settings) -> Sheet:
    """All figures that the records give."""
    sheet = Sheet()
    _acts(sheet, records)
    _jobs(sheet, records, settings)
    _trainings(sheet, records)
    _approvals(sheet, records)
    _evaluations(sheet, records)
    _models(sheet, records)
    _rollouts(sheet, records)
    _devices(sheet, records)
    _audit(sheet, records)
    return sheet


def acts(records: Records) -> list[Receipt]:
    """The receipts of acts that were carried out to their end; an undo is the act that undid."""
    return [r for r in records.receipts if r.status == "done" and r.operation != "platform.undo"]


def lasting(records: Records) -> list[Receipt]:
    """The acts that were not undone since, and did not themselves undo another."""
    undoing = {r.undone_by for r in records.receipts if r.undone_by}
    return [r for r in acts(records) if r.undone_by is None and r.id not in undoing]


def compute_jobs(records: Records) -> list[Job]:
    """The jobs that have ended, and so have a duration."""
    return [j for j in records.jobs if j.seconds is not None]


def latest_evaluations(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The newest evaluation of each model version, newest first."""
    newest: dict[tuple[str, int | None], Evaluation] = {}
    for evaluation in evaluations:
        newest[evaluation.model, evaluation.version] = evaluation
    return sorted(newest.values(), key=lambda e: -e.id)


def _acts(sheet: Sheet, records: Records) -> None:
    done = acts(records)
    sheet.count("acts", "acts carried out", _receipts(done), "receipts of writes that are done")
    dangerous = [r for r in done if r.effect == "dangerous"]
    sheet.count(
        "dangerous", "dangerous acts", _receipts(dangerous), "receipts of dangerous acts, done"
    )
    undone = [r for r in records.receipts if r.undone_by]
    sheet.count("undone", "acts undone", _receipts(undone), "receipts that were undone")
    own = [r for r in dangerous if r.self_approved]
    sheet.count(
        "self_approved", "acts approved by their proposer", _receipts(own), "receipts that say so"
    )
    people = sorted({r.principal for r in done})
    sheet.count(
        "people", "people who acted", [f"user {p}" for p in people], "principals of the receipts"
    )


def _jobs(sheet: Sheet, records: Records, settings: Settings) -> None:
    jobs = records.jobs
    sheet.count("jobs", "jobs", [f"job {j.id}" for j in jobs], "jobs made in the period")
    for status in ("done", "failed", "cancelled"):
        found = [f"job {j.id}" for j in jobs if j.status == status]
        sheet.count(f"jobs_{status}", f"jobs {status}", found, f"jobs whose status is {status}")
    still = [f"job {j.id}" for j in jobs if j.status in ("queued", "running")]
    sheet.count("jobs_open", "jobs not ended", still, "jobs queued or running")
    ended = compute_jobs(records)
    seconds = sum(j.seconds or 0.0 for j in ended)
    sources = [f"job {j.id}" for j in ended] or ["no such record"]
    _seconds(sheet, "compute_seconds", "time of ended jobs", seconds, sources)
    rate = settings.hourly_rate
    cost = seconds / 3600 * rate
    priced = [*sources, "setting hourly_rate"]
    how = "seconds of the jobs / 3600 × hourly_rate"
    currency = settings.currency
    sheet.add("cost", "cost of compute", cost, currency, priced, how, money(cost, currency))
    wasted = [j for j in ended if j.status in ("failed", "cancelled")]
    lost = sum(j.seconds or 0.0 for j in wasted) / 3600 * rate
    lost_from = [*(f"job {j.id}" for j in wasted), "setting hourly_rate"]
    label = "cost of failed and cancelled jobs"
    sheet.add("cost_lost", label, lost, currency, lost_from, how, money(lost, currency))
    source = ["setting hourly_rate"]
    sheet.add("rate", "an hour of compute", rate, currency, source, "set", money(rate, currency))
    tokens = sum(amount for _, amount in records.tokens)
    used = [f"usage {number}" for number, _ in records.tokens] or ["no such record"]
    sheet.add("tokens", "tokens of the language model", tokens, "tokens", used, "sum of usage")


def _trainings(sheet: Sheet, records: Records) -> None:
    done = [j for j in records.jobs if j.operation in TRAININGS and j.status == "done"]
    sheet.count("trainings", "trainings finished", [f"job {j.id}" for j in done], "jobs done")
    last = next((j for j in reversed(done) if "validation_accuracy" in j.result), None)
    if last is None:
        return
    source = [f"job {last.id}", f"run {str(last.result.get('run_id', ''))[:8]}"]
    accuracy = float(last.result["validation_accuracy"])
    label = "validation accuracy of the newest training"
    sheet.add("validation", label, accuracy, "", source, "job result", percent(accuracy))
    for key in ("initial_loss", "final_loss"):
        value = last.result.get(key)
        if isinstance(value, int | float):
            told = f"{key.replace('_', ' ')} of the newest training"
            sheet.add(key, told, float(value), "", source, "job result", f"{value:.3f}")
    seconds = last.result.get("seconds")
    if isinstance(seconds, int | float):
        _seconds(sheet, "training_seconds", "time of the newest training", seconds, source)


def _seconds(sheet: Sheet, id: str, label: str, seconds: float, source: Sequence[str]) -> None:
    if seconds >= 7200:
        shown = f"{seconds / 3600:.1f} hours"
    elif seconds >= 120:
        shown = f"{seconds / 60:.1f} minutes"
    else:
        shown = f"{seconds:.1f} seconds"
    sheet.add(id, label, seconds, "seconds", source, "sum of the durations", shown)


def _approvals(sheet: Sheet, records: Records) -> None:
    rows = records.approvals
    everything = [f"approval {r.id}" for r in rows]
    sheet.count("approvals", "approvals asked for", everything, "approvals made in the period")
    decided = [f"approval {r.id}" for r in rows if r.status in ("granted", "used", "revoked")]
    sheet.count("approvals_granted", "approvals given", decided, "granted, used or revoked")
    for status in ("denied", "expired", "pending"):
        found = [f"approval {r.id}" for r in rows if r.status == status]
        sheet.count(f"approvals_{status}", f"approvals {status}", found, f"status is {status}")
    second = [f"approval {r.id}" for r in rows if r.second_person]
    sheet.count("second_person", "approvals that needed a second person", second, "as marked")


def _evaluations(sheet: Sheet, records: Records) -> None:
    made = [s for e in records.evaluations for s in e.source]
    count = len(records.evaluations)
    sheet.add("evaluations", "evaluations", count, "", made or ["no such record"], "results stored")
    for number, evaluation in enumerate(latest_evaluations(records.evaluations), 1):
        if number > MOST_EVALUATIONS:
            break
        for key, label in (
            ("accuracy", "accuracy"),
            ("accuracy_low", "lower end of the interval of the accuracy"),
            ("accuracy_high", "upper end of the interval of the accuracy"),
            ("baseline_majority", "accuracy of always answering the commonest class"),
            ("baseline_untrained", "accuracy before training"),
            ("macro_f1", "macro F1"),
            ("ece", "expected calibration error"),
            ("recall_at_5", "right text among the nearest five"),
            ("mrr", "mean reciprocal rank"),
        ):
            value = evaluation.body.get(key)
            if isinstance(value, int | float):
                shown = f"{value:.3f}" if key in ("macro_f1", "ece", "mrr") else percent(value)
                told = f"{label}, {evaluation.name}"
                sheet.add(f"{key}_{number}", told, value, "", evaluation.source, key, shown)
        _evaluation_sizes(sheet, number, evaluation)


def _evaluation_sizes(sheet: Sheet, number: int, evaluation: Evaluation) -> None:
    rows, slow = evaluation.body.get("rows"), evaluation.body.get("p95_ms")
    name, source = evaluation.name, evaluation.source
    if isinstance(rows, int | float):
        sheet.add(f"rows_{number}", f"held-out rows, {name}", rows, "rows", source, "rows")
    if isinstance(slow, int | float):
        label = f"95th percentile of the time of one row, {name}"
        sheet.add(f"p95_ms_{number}", label, slow, "ms", source, "p95_ms", f"{slow:.1f} ms")


def _models(sheet: Sheet, records: Records) -> None:
    names = list(dict.fromkeys(v.model for v in records.versions))
    sheet.count("models", "registered models", [f"model {n}" for n in names], "registry, now")
    every = [f"model {v.model} v{v.version}" for v in records.versions]
    sheet.count("versions", "registered versions", every, "registry, now")
    for alias in ("champion", "challenger"):
        found = [f"model {v.model} v{v.version}" for v in records.versions if alias in v.aliases]
        sheet.count(f"{alias}s", f"{alias}s", found, f"aliases {alias}, now")


def _rollouts(sheet: Sheet, records: Records) -> None:
    rollouts = records.rollouts
    sheet.count("rollouts", "rollouts", [f"rollout {r.id}" for r in rollouts], "made in the period")
    for name, states in (
        ("complete", ("done", "promoted")),
        ("rolled_back", ("rolled_back",)),
        ("open", ("running", "canary", "testing", "rolling_back")),
        ("failed", ("failed",)),
    ):
        found = [f"rollout {r.id}" for r in rollouts if r.state in states]
        label = f"rollouts {name.replace('_', ' ')}"
        sheet.count(f"rollouts_{name}", label, found, f"state is {' or '.join(states)}")
    touched = sum(r.touched for r in rollouts)
    changed = [f"rollout {r.id}" for r in rollouts if r.touched] or ["no such record"]
    sheet.add("touched", "devices changed by rollouts", touched, "", changed, "targets touched")


def _devices(sheet: Sheet, records: Records) -> None:
    devices = records.devices
    sheet.count("devices", "devices", [f"device {d.name}" for d in devices], "not retired, now")
    for state in ("online", "silent", "pending"):
        found = [f"device {d.name}" for d in devices if d.state == state]
        sheet.count(f"devices_{state}", f"devices {state}", found, f"state is {state}, now")
    answering = [d for d in devices if d.requests]
    served = sum(d.requests for d in answering)
    failed = sum(d.errors for d in answering)
    source = [f"device {d.name}" for d in answering] or ["no such record"]
    label = "requests served since the devices were started"
    sheet.add("requests", label, served, "", source, "sum over the last reports")
    share = failed / served if served else 0.0
    told = "share of requests that failed"
    sheet.add("error_rate", told, share, "", source, "errors / requests", percent(share))
    protected = [f"group {name}" for name, is_so in records.groups.items() if is_so]
    sheet.count("groups_protected", "protected groups", protected, "groups marked so, now")
    sheet.count("groups", "groups", [f"group {g}" for g in records.groups], "groups, now")


def _audit(sheet: Sheet, records: Records) -> None:
    verdict = records.audit
    sheet.add("audit", "audit records verified", verdict.records, "", ["audit"], "chain walked")
    refused = [f"audit record {number}" for number in records.refusals]
    sheet.count("refusals", "calls refused by the gate", refused, "audit records of refusals")


def _receipts(receipts: Sequence[Receipt]) -> list[str]:
    return [f"receipt {r.name}" for r in receipts]
