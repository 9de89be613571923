"""Pages of what there is: models with their lineage, data sets, devices, rollouts.

Each shows what the REST resource of the same name answers, so that no page knows more than it.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from tools.deployment.types import RolloutReport
from tools.evaluation.types import EvaluationResults
from ui.api import resources
from ui.api.door import Caller, TheDoor
from ui.api.paging import Page, Paging
from ui.web import drawing
from ui.web.render import live_page

router = APIRouter(include_in_schema=False)
Group = Annotated[str, Query(max_length=64)]


@router.get("/models")
def models(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """All models."""
    found = resources.list_models(context, door, page)
    return live_page(request, "models.html", "Models", "jobs", page, models=found)


@router.get("/models/{model}")
def model(
    model: resources.Name, request: Request, context: Caller, door: TheDoor, page: Page
) -> HTMLResponse:
    """One model: versions, lineage, measurements, rollouts."""
    found = resources.show_model(model, context, door)
    measured = resources.read(door, context, EvaluationResults, "evaluation.results", model=model)
    newest = measured.results[0] if measured.results else None
    drawn = drawing.matrix("Confusion matrix", newest.labels, newest.confusion) if newest else ""
    return live_page(
        request,
        "model.html",
        found.model,
        "jobs rollouts",
        model=found,
        results=measured.results,
        comparisons=measured.comparisons,
        confusion=drawn,
        rollouts=resources.list_rollouts(context, door, page, model=model),
    )


@router.get("/datasets")
def datasets(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """All data sets."""
    found = resources.list_datasets(context, door, page)
    return live_page(request, "datasets.html", "Data sets", None, page, datasets=found)


@router.get("/datasets/{dataset}")
def dataset(
    dataset: resources.Name, request: Request, context: Caller, door: TheDoor
) -> HTMLResponse:
    """One data set with its profile."""
    found = resources.show_dataset(dataset, context, door)
    return live_page(request, "dataset.html", found.name, None, dataset=found)


@router.get("/devices")
def devices(
    request: Request, context: Caller, door: TheDoor, page: Page, group: Group = ""
) -> HTMLResponse:
    """The fleet."""
    found = resources.list_devices(context, door, page, group or None)
    return live_page(
        request,
        "devices.html",
        "Devices",
        "devices rollouts",
        page,
        devices=found,
        group=group,
        groups=resources.list_groups(context, door, _first(request, page)),
        rollouts=resources.list_rollouts(context, door, _first(request, page), group or None)[:5],
    )


@router.get("/devices/{device}")
def device(
    device: resources.Name, request: Request, context: Caller, door: TheDoor
) -> HTMLResponse:
    """One device, as it reports itself."""
    found = resources.show_device(device, context, door)
    return live_page(request, "device.html", found.name, "devices", device=found)


@router.get("/rollouts")
def rollouts(request: Request, context: Caller, door: TheDoor, page: Page) -> HTMLResponse:
    """All rollouts."""
    found = resources.list_rollouts(context, door, page)
    return live_page(request, "rollouts.html", "Rollouts", "rollouts devices", page, rollouts=found)


@router.get("/rollouts/{rollout}")
def rollout(
    rollout: resources.Number, request: Request, context: Caller, door: TheDoor, page: Page
) -> HTMLResponse:
    """One rollout as it moves, with the buttons that stop it."""
    found = resources.show_rollout(rollout, context, door)
    newest = resources.list_rollouts(context, door, _first(request, page, 1), found.group)
    counts = standing(found)
    drawn = drawing.shares(
        "Devices of this rollout",
        {
            "confirmed": (counts["confirmed"], "good"),
            "waiting": (counts["waiting"], "busy"),
            "silent or refused": (counts["silent"] + counts["refused"], "bad"),
        },
    )
    return live_page(
        request,
        "rollout.html",
        f"Rollout {found.rollout}",
        f"rollouts/{found.rollout} devices",
        rollout=found,
        counts=counts,
        picture=drawn,
        latest=bool(newest) and newest[0].rollout == found.rollout,
    )


def standing(rollout: RolloutReport) -> Counter[str]:
    """How many of a rollout's devices are confirmed, waiting, silent, refused or untouched."""
    counts: Counter[str] = Counter(confirmed=0, waiting=0, silent=0, refused=0, untouched=0)
    for one in rollout.devices:
        if not one.touched:
            counts["untouched"] += 1
        elif one.confirmed:
            counts["confirmed"] += 1
        elif one.error:
            counts["refused"] += 1
        else:
            counts["silent" if one.state.value == "silent" else "waiting"] += 1
    return counts


def _first(request: Request, page: Paging, limit: int = 50) -> Paging:
    """The first page of a second list; only the first list of a page can be turned over."""
    return Paging(request, type(page.response)(), limit, None)
