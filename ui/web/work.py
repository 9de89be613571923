"""Pages of what happens: the overview, jobs, approvals, receipts, the audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from tools.devices.types import DeviceState
from tools.kernel.events import Event
from tools.kernel.identity import RequestContext
from tools.kernel.policy import may_approve
from tools.schedules.types import ScheduleList
from ui.api import approvals as approvals_api
from ui.api import jobs as jobs_api
from ui.api import records, resources
from ui.api.door import Caller, Door, TheDoor
from ui.api.paging import LARGEST, Page, Paging
from ui.web import drawing
from ui.web.render import live_page

router = APIRouter(include_in_schema=False)
MOST_EVENTS = 5000
OVER = ("cancelled", "ended")
DRAWN = (("loss", "validation_loss"), ("accuracy", "validation_accuracy"), ("value", "best"))
"""The metrics of a job that are drawn, if it tells them; each group shares a picture."""


@router.get("/")
def overview(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """What waits, what runs, and what was done last."""
    few, all_ = (Paging(request, page.response, limit, None) for limit in (5, LARGEST))
    fleet = resources.list_devices(context, door, all_)
    running = jobs_api.list_jobs(context, door, few, status="running")
    return live_page(
        request,
        "home.html",
        "Overview",
        "jobs approvals rollouts",
        approvals=approvals_api.list_approvals(context, door, few, "pending"),
        jobs=[*running, *jobs_api.list_jobs(context, door, few, status="queued")],
        rollouts=resources.list_rollouts(context, door, few),
        receipts=records.list_receipts(context, door, few, effects="write,dangerous"),
        models=len(
            resources.list_models(context, door, Paging(request, page.response, 1000, None))
        ),
        devices=len(fleet),
        silent=sum(d.state is DeviceState.SILENT for d in fleet),
        chat=any(str(getattr(r, "path", "")) == "/chat" for r in request.app.routes),
    )


@router.get("/jobs")
def jobs(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """All jobs, newest first."""
    found = jobs_api.list_jobs(context, door, page)
    return live_page(request, "jobs.html", "Jobs", "jobs", page, jobs=found)


@router.get("/jobs/{job}")
def job(job: jobs_api.Number, request: Request, context: Caller, door: TheDoor) -> HTMLResponse:
    """One job: how far it is, its curve, its receipt."""
    found = jobs_api.show_job(job, context, door)
    return live_page(
        request,
        "job.html",
        f"Job {job}",
        f"jobs/{job}",
        job=found,
        curves=curves(_progress(door, context, job)),
    )


@router.get("/schedules")
def schedules(
    request: Request, context: Caller, door: TheDoor, page: Page, ended: bool = False
) -> HTMLResponse:
    """What is to be done later or again, with its last runs."""
    told = resources.read(door, context, ScheduleList, "schedules.list", ended=ended, limit=500)
    found = page.cut([s for s in told.schedules if (s.status in OVER) is ended])
    return live_page(
        request, "schedules.html", "Schedules", "jobs", page, schedules=found, ended=ended
    )


@router.get("/approvals")
def approvals(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """The inbox: what waits for a decision, and what was decided."""
    first = Paging(request, type(page.response)(), 100, None)
    return live_page(
        request,
        "approvals.html",
        "Approvals",
        "approvals",
        page,
        pending=approvals_api.list_approvals(context, door, first, "pending"),
        approvals=approvals_api.list_approvals(context, door, page),
    )


@router.get("/approvals/{approval}")
def approval(
    approval: approvals_api.Id, request: Request, context: Caller, door: TheDoor
) -> HTMLResponse:
    """One approval: the whole card, with the buttons for who may decide it."""
    found = approvals_api.show_approval(approval, context, door)
    return live_page(
        request,
        "approval.html",
        f"Approval {found.id}",
        "approvals",
        approval=found,
        own=found.proposer == context.principal.name,
        may_decide=may_approve(context.principal),
        currency=door.kernel.settings.currency,
    )


@router.get("/receipts")
def receipts(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """What was done, newest first."""
    found = records.list_receipts(context, door, page)
    return live_page(request, "receipts.html", "Receipts", None, page, receipts=found)


@router.get("/receipts/{reference}")
def receipt(
    reference: records.Reference, request: Request, context: Caller, door: TheDoor
) -> HTMLResponse:
    """One receipt with its evidence."""
    found = records.show_receipt(reference, context, door)
    currency = door.kernel.settings.currency
    title = f"Receipt {found.name}"
    return live_page(request, "receipt.html", title, None, receipt=found, currency=currency)


@router.get("/audit")
def audit(
    request: Request,
    context: Caller,
    door: TheDoor,
    page: Page,
    verify: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """The audit chain, newest first; verified when asked, because it is walked as a whole."""
    found = records.list_audit(context, door, page)
    verdict = records.verify(context, door) if verify else None
    return live_page(request, "audit.html", "Audit", None, page, records=found, verdict=verdict)


def curves(events: Iterable[Event]) -> list[Markup]:
    """The figures that a job told on its way, drawn over how far it was, in percent."""
    points: dict[str, list[tuple[float, float]]] = {}
    for event in events:
        metrics: dict[str, Any] = event.data.get("metrics") or {}
        for name, value in metrics.items():
            if isinstance(value, (int, float)):
                points.setdefault(name, []).append((event.data["fraction"] * 100, float(value)))
    pictures: list[Markup] = []
    for group in DRAWN:
        told = {n.replace("_", " "): points[n] for n in group if len(points.get(n, ())) > 1}
        if told:
            pictures.append(drawing.curves(" and ".join(told), told, "% done"))
    return pictures


def _progress(door: Door, context: RequestContext, job: int) -> list[Event]:
    found: list[Event] = []
    after = 0
    while len(found) < MOST_EVENTS:
        more = door.kernel.events.read(f"job:{job}", after, tenant=context.tenant)
        if not more:
            break
        after = more[-1].id
        found += [event for event in more if event.kind == "job.progress"]
    return found
