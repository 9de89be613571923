"""What each audience is told, and in whose words: templates over the figures.

Owns wording and selection. A line is written only if the figures that it rests on exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tools.reporting.compute import MOST_EVALUATIONS, latest_evaluations
from tools.reporting.figures import Sheet, literal
from tools.reporting.records import Records
from tools.reporting.risks import Finding
from tools.reporting.types import Audience

MOST_LISTED = 4
MOST_RISKS = 4

TITLES: dict[Audience, str] = {
    "board": "Summary for the board",
    "executives": "Summary for executives",
    "engineering": "Engineering summary",
    "legal": "Summary for legal",
    "finance": "Summary for finance",
}

Section = tuple[str, list[str]]


def write(
    audience: Audience, sheet: Sheet, records: Records, findings: Sequence[Finding]
) -> list[Section]:
    """The sections of a summary: each a heading and its lines, figures filled in."""
    found = _WRITERS[audience](sheet, records)
    return [*((title, lines) for title, lines in found if lines), _risks(sheet, findings)]


def _board(sheet: Sheet, records: Records) -> list[Section]:
    return [
        ("What was achieved", [*_done(sheet), *_quality(sheet, records, 1)]),
        ("In service", [*_models(sheet, records), *_rollouts(sheet), *_fleet(sheet)]),
        ("Control and cost", [*_control(sheet), *_cost(sheet)]),
    ]


def _executives(sheet: Sheet, records: Records) -> list[Section]:
    return [
        ("Results", [*_done(sheet), *_quality(sheet, records, 2)]),
        ("In service", [*_models(sheet, records), *_rollouts(sheet), *_fleet(sheet)]),
        ("Decisions", [*_control(sheet), *_waiting(sheet)]),
        ("Cost", _cost(sheet)),
    ]


def _engineering(sheet: Sheet, records: Records) -> list[Section]:
    failed = [j for j in records.jobs if j.status == "failed"][-MOST_LISTED:]
    reasons = [f"Job `{j.id}` (`{j.operation}`) failed: `{_short(j.error)}`" for j in failed]
    return [
        ("Jobs", [*_jobs(sheet), *reasons]),
        ("Models", [*_training(sheet), *_quality(sheet, records, MOST_EVALUATIONS, deep=True)]),
        ("Rollouts", [*_rollouts(sheet), *_rollout_list(records)]),
        ("Fleet", _fleet(sheet)),
    ]


def _legal(sheet: Sheet, records: Records) -> list[Section]:
    return [
        ("Who decided", [*_control(sheet), *_waiting(sheet), *_second_person(sheet)]),
        ("Acts", [*_done(sheet), *_forgotten(records)]),
        ("Origin of the models in use", _lineage(records)),
        ("Evidence", _evidence(sheet, records)),
    ]


def _finance(sheet: Sheet, records: Records) -> list[Section]:
    lines = [*_cost(sheet), *_cost_detail(sheet)]
    return [("Cost", lines), ("What it was spent on", [*_jobs(sheet), *_training(sheet)])]


_WRITERS: dict[Audience, Callable[[Sheet, Records], list[Section]]] = {
    "board": _board,
    "executives": _executives,
    "engineering": _engineering,
    "legal": _legal,
    "finance": _finance,
}


def _done(sheet: Sheet) -> list[str]:
    if not sheet.has("acts"):
        return ["Nothing was changed through the platform in this period."]
    line = sheet.text("{acts:act} carried out by {people:user}")
    if sheet.has("undone"):
        line += sheet.text("; {undone} undone afterwards")
    lines = [line + "."]
    if sheet.has("trainings"):
        lines.append(sheet.text("{trainings:training} finished, {evaluations:evaluation} made."))
    return lines


def _quality(sheet: Sheet, records: Records, most: int, deep: bool = False) -> list[str]:
    lines: list[str] = []
    for n, evaluation in enumerate(latest_evaluations(records.evaluations)[:most], 1):
        finds = sheet.has(f"mrr_{n}")
        does = "finds the right text at once for" if finds else "labels"
        line = f"`{literal(evaluation.name)}` {does} {{accuracy_{n}}} of {{rows_{n}:row}}"
        line += " that it had not seen" + ("" if finds else " rightly")
        if sheet.has(f"accuracy_low_{n}"):
            line += f" (interval {{accuracy_low_{n}}} to {{accuracy_high_{n}}})"
        if sheet.has(f"baseline_majority_{n}"):
            line += f"; always answering the commonest class would reach {{baseline_majority_{n}}}"
        if sheet.has(f"baseline_untrained_{n}"):
            line += f", the model before training {{baseline_untrained_{n}}}"
        if finds:
            line += f"; mean reciprocal rank {{mrr_{n}}}"
        if deep and sheet.has(f"macro_f1_{n}"):
            line += f"; macro F-score {{macro_f1_{n}}}, calibration error {{ece_{n}}}"
            line += f", slow rows take {{p95_ms_{n}}}"
        lines.append(sheet.text(line + "."))
    return lines


def _training(sheet: Sheet) -> list[str]:
    if not sheet.has("validation"):
        return ["No training finished in this period."]
    line = "The newest training took {training_seconds}"
    if sheet.has("initial_loss"):
        line += "; its validation loss went from {initial_loss} to {final_loss}"
    return [sheet.text(line + ", its validation accuracy is {validation}.")]


def _models(sheet: Sheet, records: Records) -> list[str]:
    if not sheet.has("versions"):
        return ["No model is registered yet."]
    lines = [sheet.text("{models:model} with {versions:version} registered.")]
    for alias in ("champion", "challenger"):
        names = [f"`{v.model} v{v.version}`" for v in records.versions if alias in v.aliases]
        if names:
            lines.append(f"The {alias} is {', '.join(names[:MOST_LISTED])}.")
    return lines


def _rollouts(sheet: Sheet) -> list[str]:
    if not sheet.has("rollouts"):
        return ["No rollout was started in this period."]
    line = "{rollouts:rollout}: {rollouts_complete} complete, {rollouts_open} under way, "
    line += "{rollouts_rolled_back} rolled back, {rollouts_failed} failed"
    return [sheet.text(line + "; {touched:device} changed.")]


def _rollout_list(records: Records) -> list[str]:
    return [
        f"Rollout `{r.id}`: `{r.model} v{r.version}` to `{r.group}` by {r.strategy}, "
        f"{r.state.replace('_', ' ')}" + (f" because `{_short(r.reason)}`." if r.reason else ".")
        for r in records.rollouts[-MOST_LISTED:]
    ]


def _fleet(sheet: Sheet) -> list[str]:
    if not sheet.has("devices"):
        return ["No device is enrolled."]
    lines = [sheet.text("{devices_online} of {devices:device} online, {devices_silent} silent.")]
    if sheet.has("requests"):
        lines.append(sheet.text("Devices served {requests:request}; {error_rate} of them failed."))
    return lines


def _control(sheet: Sheet) -> list[str]:
    if not sheet.has("approvals"):
        return ["No approval was asked for."]
    line = "{approvals:approval} asked for, {approvals_granted} given, {approvals_denied} denied"
    lines = [sheet.text(line + "; {dangerous:dangerous act} done.")]
    if sheet.has("self_approved"):
        lines.append(sheet.text("{self_approved} of these approved by the proposer alone."))
    return lines


def _waiting(sheet: Sheet) -> list[str]:
    if not sheet.has("approvals_pending"):
        return []
    return [sheet.text("{approvals_pending:approval} still waiting for a decision.")]


def _second_person(sheet: Sheet) -> list[str]:
    if not sheet.has("second_person"):
        return ["No act needed a second person."]
    return [sheet.text("{second_person:approval} needed a second person.")]


def _cost(sheet: Sheet) -> list[str]:
    if not sheet.has("compute_seconds"):
        return ["No compute was used."]
    return [
        sheet.text("Compute: {compute_seconds}, {cost} at the configured rate of {rate} an hour.")
    ]


def _cost_detail(sheet: Sheet) -> list[str]:
    lines: list[str] = []
    if sheet.has("cost_lost"):
        lines.append(sheet.text("Of this, {cost_lost} went into jobs that failed or were stopped."))
    if sheet.has("tokens"):
        lines.append(sheet.text("The language model used {tokens:token}."))
    lines.append("Only compute is priced; people's time and hardware are not recorded here.")
    return lines


def _jobs(sheet: Sheet) -> list[str]:
    if not sheet.has("jobs"):
        return ["No job was started in this period."]
    line = "{jobs:job}: {jobs_done} done, {jobs_failed} failed, {jobs_cancelled} cancelled"
    return [sheet.text(line + ", {jobs_open} open.")]


def _forgotten(records: Records) -> list[str]:
    removals = ("knowledge.forget", "datasets.remove", "devices.retire", "platform.remove_user")
    found = [r for r in records.receipts if r.operation in removals and r.status == "done"]
    return [f"Deletion, receipt `{r.name}`: `{_short(r.says)}`" for r in found[-MOST_LISTED:]]


def _lineage(records: Records) -> list[str]:
    used = [v for v in records.versions if v.aliases][:MOST_LISTED]
    return [
        f"`{v.model} v{v.version}` ({', '.join(v.aliases)}): trained on `{v.dataset or 'unknown'}`"
        f" by job `{v.job}`, content hash `{v.content_hash[:12]}`."
        for v in used
    ] or ["No model is in use."]


def _evidence(sheet: Sheet, records: Records) -> list[str]:
    if not records.audit.intact:
        return [f"The audit chain is NOT intact: `{records.audit.problem}`."]
    lines = [sheet.text("The audit chain is intact: {audit:record} verified.")]
    if sheet.has("refusals"):
        lines.append(sheet.text("The gate refused {refusals:call}."))
    return lines


def _risks(sheet: Sheet, findings: Sequence[Finding]) -> Section:
    lines = [f"{f.severity.capitalize()}: {sheet.text(f.title)}" for f in findings[:MOST_RISKS]]
    return "Risks", lines or ["No risk shows in the records."]


def _short(text: str | None, most: int = 110) -> str:
    plain = " ".join((text or "no reason recorded").replace("`", "'").split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
