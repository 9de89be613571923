"""The operations that write reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Effect, Evidence, operation
from tools.reporting.types import Report, RisksArgs, RoiArgs, SummaryArgs

if TYPE_CHECKING:
    from tools.reporting.service import ReportingService


def _service(call: Call) -> ReportingService:
    from tools.reporting.service import ReportingService

    return call.get(ReportingService)


@operation(
    "reporting.summary",
    effect=Effect.READ,
    examples=(
        "write a one-page summary for the board",
        "summarise last week for engineering",
        "give the executives an overview of what we did this month",
        "board report please",
        "what should I tell legal about our models?",
        "prepare a finance summary for the last quarter",
        "draft a status update for leadership",
        "how did the platform do in the last 30 days? write it up for executives",
        "I need a report for our lawyers on who approved what",
        "engineering digest of yesterday's jobs and rollouts",
        "make a short write-up for the board about the ticket router rollout",
        "create a report on March 2026 for finance",
        "summary of everything so far for the management board",
        "weekly report for the engineers",
    ),
)
def summary(args: SummaryArgs, call: Call) -> Report:
    """Write a one-page summary for an audience, computed from the platform's own records.

    Every number has a footnote that names the jobs, runs, evaluations, rollouts, devices or
    receipts it was computed from. Where there is no record yet, the report says so.
    """
    return _service(call).summary(call, args.audience, args.period)


@summary.read_back
def _(args: SummaryArgs, result: Report, call: Call) -> list[Evidence]:
    return _service(call).evidence(result)


@summary.says
def _(args: SummaryArgs, result: Report) -> str:
    return _told(result)


@operation(
    "reporting.roi",
    effect=Effect.READ,
    examples=(
        "what is the return on investment of the platform?",
        "roi of last month",
        "how much money did automation save us this quarter?",
        "what did we spend on training and what did we get back",
        "calculate the ROI assuming 20 minutes saved per act",
        "is the platform worth its cost?",
        "cost and savings for the last 30 days",
        "how many hours of work did you save us this week?",
        "show the compute cost so far against the time saved",
        "give me an roi report with 5 minutes saved per automated step",
        "what has the platform cost since january",
        "business value report for last week",
    ),
)
def roi(args: RoiArgs, call: Call) -> Report:
    """Set the measured cost of compute against the time that automated acts saved.

    Counts and seconds come from the records. Minutes saved by an act and the price of a person's
    hour are assumptions: they are arguments, and the report shows them as assumptions.
    """
    return _service(call).roi(
        call, args.period, args.minutes_saved_per_act, args.person_hourly_rate
    )


@roi.read_back
def _(args: RoiArgs, result: Report, call: Call) -> list[Evidence]:
    return _service(call).evidence(result)


@roi.says
def _(args: RoiArgs, result: Report) -> str:
    return _told(result)


@operation(
    "reporting.risks",
    effect=Effect.READ,
    examples=(
        "what are our risks right now?",
        "risk report",
        "is there anything I should worry about?",
        "list the open risks of our deployments",
        "what could go wrong with the fleet",
        "are there models in use that nobody evaluated?",
        "do we have risky things running?",
        "show me the risk register",
        "which risks should the security team look at",
        "give me an assessment of operational risks",
        "any red flags?",
    ),
)
def risks(args: RisksArgs, call: Call) -> Report:
    """List what could go wrong, as the platform's present state shows it.

    Looks at models in use without an evaluation, devices that are silent, groups without
    protection, failed jobs, approvals that expired or were given by the proposer, users with every
    role, and the audit chain.
    """
    return _service(call).risks(call)


@risks.read_back
def _(args: RisksArgs, result: Report, call: Call) -> list[Evidence]:
    return _service(call).evidence(result)


@risks.says
def _(args: RisksArgs, result: Report) -> str:
    return _told(result)


def _told(report: Report) -> str:
    if report.empty:
        return f"{report.title}: nothing to report yet ({report.path})."
    return f"{report.title}: {report.words} words, {len(report.figures)} figures, {report.path}."
