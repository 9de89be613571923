"""What could go wrong, as the records show it; every risk names its records."""

from __future__ import annotations

from dataclasses import dataclass

from tools.kernel.identity import Role
from tools.kernel.principals import OWNER, Principals
from tools.kernel.settings import Settings
from tools.registry.types import ModelVersionDetails
from tools.reporting.figures import Sheet, literal
from tools.reporting.records import Evaluation, Records
from tools.reporting.types import Risk, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A risk before it is written: `title` is a template over the sheet's figures."""

    severity: Severity
    title: str
    advice: str
    source: list[str]

    def risk(self, sheet: Sheet) -> Risk:
        """The risk as data, its title without footnotes."""
        title = sheet.text(self.title, marks=False)
        return Risk(severity=self.severity, title=title, advice=self.advice, source=self.source)


_ORDER: dict[Severity, int] = {"high": 0, "medium": 1, "low": 2}


def find_risks(
    sheet: Sheet, records: Records, settings: Settings, principals: Principals, tenant: str
) -> list[Finding]:
    """All risks, worst first."""
    found = [
        *_audit(records),
        *_models(records),
        *_drift(records),
        *_fleet(sheet, records),
        *_rollouts(sheet, records),
        *_jobs(sheet),
        *_approvals(sheet),
        *_people(principals, tenant),
        *_budget(records, settings),
    ]
    return sorted(found, key=lambda r: _ORDER[r.severity])


def _audit(records: Records) -> list[Finding]:
    if records.audit.intact:
        return []
    return [
        Finding(
            severity="high",
            title=f"The audit chain is broken: `{literal(records.audit.problem or '')}`.",
            advice="Keep the home as it is and compare it with a backup.",
            source=["audit"],
        )
    ]


def _models(records: Records) -> list[Finding]:
    risks: list[Finding] = []
    for version in records.versions:
        aliases = [a for a in version.aliases if a in ("champion", "challenger")]
        if not aliases:
            continue
        name = f"{version.model} v{version.version}"
        evaluation = _evaluation_of(version, records)
        if evaluation is None:
            risks.append(
                Finding(
                    severity="high" if "champion" in aliases else "medium",
                    title=f"`{literal(name)}` is {' and '.join(aliases)} and was never evaluated.",
                    advice="Evaluate it on data that it has not seen.",
                    source=[f"model {name}"],
                )
            )
        elif _no_better_than_guessing(evaluation):
            risks.append(
                Finding(
                    severity="high",
                    title=f"`{literal(name)}` is not shown to beat guessing the commonest class.",
                    advice="Do not roll it out; train on more or other data.",
                    source=[*evaluation.source, f"model {name}"],
                )
            )
    return risks


def _drift(records: Records) -> list[Finding]:
    """Versions in use whose newest drift report is an alarm."""
    return [
        Finding(
            severity="high",
            title=f"The live inputs of `{literal(f'{d.model} v{d.version}')}` have drifted.",
            advice="Look at the drift report; label fresh rows, evaluate on them, train again.",
            source=[f"drift report {d.id}"],
        )
        for d in records.drift
        if d.level == "alarm"
    ]


def _evaluation_of(version: ModelVersionDetails, records: Records) -> Evaluation | None:
    """The newest evaluation of a version, made before or after it was registered."""
    for evaluation in reversed(records.all_evaluations):
        same = (evaluation.model, evaluation.version) == (version.model, version.version)
        if same or (evaluation.training_job is not None and evaluation.training_job == version.job):
            return evaluation
    return None


def _no_better_than_guessing(evaluation: Evaluation) -> bool:
    low, guess = evaluation.body.get("accuracy_low"), evaluation.body.get("baseline_majority")
    return low is not None and guess is not None and low <= guess


def _fleet(sheet: Sheet, records: Records) -> list[Finding]:
    risks: list[Finding] = []
    if sheet.has("devices_silent"):
        advice = "Read the devices' logs; a silent device is not counted as updated."
        risks.append(
            _counted(sheet, "medium", "{devices_silent:device} silent.", advice, "devices_silent")
        )
    ill = [f"device {d.name}" for d in records.devices if d.healthy is False or d.error]
    sheet.count("devices_ill", "unhealthy devices", ill, "by their own last report")
    if ill:
        advice = "Roll back the group that they are in, or retire them."
        risks.append(
            _counted(sheet, "high", "{devices_ill:device} unhealthy.", advice, "devices_ill")
        )
    apart = [f"device {d.name}" for d in records.devices if d.desired and not d.in_step]
    sheet.count("devices_apart", "devices out of step", apart, "desired and reported differ")
    if apart:
        title = "{devices_apart:device} not serving what is meant to be served."
        risks.append(
            _counted(
                sheet,
                "medium",
                title,
                "Wait for the next report, then look at `deployment.status`.",
                "devices_apart",
            )
        )
    if sheet.has("devices") and not sheet.has("groups_protected"):
        risks.append(
            Finding(
                severity="medium",
                title="No device group is protected: one person alone can approve any rollout.",
                advice="Protect the groups whose failure would be felt at once.",
                source=[f"group {name}" for name in records.groups] or ["devices"],
            )
        )
    return risks


def _rollouts(sheet: Sheet, records: Records) -> list[Finding]:
    risks: list[Finding] = []
    if sheet.has("rollouts_failed"):
        advice = "Check what the devices of these groups serve now."
        risks.append(
            _counted(sheet, "high", "{rollouts_failed:rollout} failed.", advice, "rollouts_failed")
        )
    if sheet.has("rollouts_rolled_back"):
        advice = "Find the cause before the version is tried again."
        risks.append(
            _counted(
                sheet,
                "low",
                "{rollouts_rolled_back:rollout} rolled back.",
                advice,
                "rollouts_rolled_back",
            )
        )
    waiting = [f"rollout {r.id}" for r in records.rollouts if r.paused]
    sheet.count("rollouts_paused", "rollouts paused", waiting, "marked as paused")
    if waiting:
        risks.append(
            _counted(
                sheet,
                "low",
                "{rollouts_paused:rollout} paused.",
                "Resume or roll back; a group with two versions is hard to reason about.",
                "rollouts_paused",
            )
        )
    return risks


def _jobs(sheet: Sheet) -> list[Finding]:
    if not sheet.has("jobs_failed"):
        return []
    advice = "The jobs' messages say why they failed."
    return [_counted(sheet, "medium", "{jobs_failed:job} failed.", advice, "jobs_failed")]


_WATCHED: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "self_approved",
        "medium",
        "{self_approved:dangerous act} approved by the proposer alone.",
        "Add a second person with the approver role.",
    ),
    (
        "approvals_expired",
        "low",
        "{approvals_expired:approval} expired undecided.",
        "Ask again for what is still wanted.",
    ),
    (
        "approvals_pending",
        "low",
        "{approvals_pending:approval} undecided.",
        "Decide them, or let them expire.",
    ),
)


def _approvals(sheet: Sheet) -> list[Finding]:
    return [
        _counted(sheet, severity, title, advice, figure)
        for figure, severity, title, advice in _WATCHED
        if sheet.has(figure)
    ]


def _people(principals: Principals, tenant: str) -> list[Finding]:
    deciders = [p.name for p in principals.list(tenant) if p.roles & {Role.APPROVER, Role.ADMIN}]
    if deciders != [OWNER]:
        return []
    return [
        Finding(
            severity="low",
            title="Only the owner can approve: nobody can stand in, and nobody checks.",
            advice="Add a user with the approver role.",
            source=[f"user {OWNER}"],
        )
    ]


def _budget(records: Records, settings: Settings) -> list[Finding]:
    if settings.daily_budget is not None or not records.jobs:
        return []
    return [
        Finding(
            severity="low",
            title="No daily budget is set: spending on compute has no limit.",
            advice="Set PILOTHOUSE_DAILY_BUDGET.",
            source=["setting daily_budget"],
        )
    ]


def _counted(sheet: Sheet, severity: Severity, title: str, advice: str, figure: str) -> Finding:
    """A risk whose title holds one figure; the figure is cited when the risk is written."""
    return Finding(
        severity=severity, title=title, advice=advice, source=sheet.figure(figure).source
    )
