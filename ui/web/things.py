"""Pages of what there is: models with their lineage, data sets, devices, rollouts.

Each shows what the REST resource of the same name answers, so that no page knows more than it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from tools.deployment.experiment_types import AbResult
from tools.deployment.judgement_types import Judgement, JudgementList
from tools.deployment.types import RolloutReport
from tools.evaluation.types import EvaluationResults
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from ui.api import resources
from ui.api.door import Caller, Door, TheDoor
from ui.api.paging import Page, Paging
from ui.web import drawing
from ui.web.render import live_page

router = APIRouter(include_in_schema=False)
Group = Annotated[str, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rollout as its map shows it."""

    number: int
    percent: int
    devices: int
    there: int
    state: str


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


@router.get("/models/{model}/evaluations/{number}")
def evaluation(
    model: resources.Name,
    number: resources.Number,
    request: Request,
    context: Caller,
    door: TheDoor,
) -> HTMLResponse:
    """One measurement of a model: how sure it is, where it errs, class by class."""
    measured = resources.read(door, context, EvaluationResults, "evaluation.results", model=model)
    found = next((r for r in measured.results if r.id == number), None)
    if found is None:
        raise NotFound(f"{model} has no evaluation {number}.", hint=f"/models/{model} shows all.")
    return live_page(
        request,
        "evaluation.html",
        f"Evaluation {number} of {found.model}",
        None,
        result=found,
        confusion=drawing.matrix("Confusion matrix", found.labels, found.confusion),
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
            "untouched": (counts["untouched"], "rest"),
        },
    )
    judged = resources.read(
        door, context, JudgementList, "deployment.judgements", rollout=found.rollout
    )
    result = _ab_result(door, context, found)
    return live_page(
        request,
        "rollout.html",
        f"Rollout {found.rollout}",
        f"rollouts/{found.rollout} devices",
        rollout=found,
        counts=counts,
        picture=drawn,
        steps=rollout_map(found),
        curves=metric_curves(judged.judgements),
        false_alarms=judged.false_alarms,
        result=result,
        interval=drawing.intervals(
            "Difference with its interval", [("effect", result.low, result.effect, result.high)]
        )
        if result
        else None,
        latest=bool(newest) and newest[0].rollout == found.rollout,
    )


def rollout_map(rollout: RolloutReport) -> list[Step]:
    """The steps of a rollout, each with its devices and how far it is."""
    steps: list[Step] = []
    for number, percent in enumerate(rollout.steps or [100], 1):
        mine = [d for d in rollout.devices if d.step == number]
        there = sum(d.touched and d.confirmed and not d.excluded for d in mine)
        steps.append(Step(number, percent, len(mine), there, _step_state(rollout, number)))
    return steps


def _step_state(rollout: RolloutReport, number: int) -> str:
    if rollout.state.value in ("rolling_back", "rolled_back", "failed"):
        return "rolled back" if number <= rollout.step else "never begun"
    if rollout.state.value != "running" or number < rollout.step:
        return "done"
    if number > rollout.step:
        return "to come"
    return "holds" if rollout.hold or rollout.paused else "at work"


def metric_curves(judgements: Sequence[Judgement]) -> list[Markup]:
    """A curve for each judged metric, with its limit, over the seconds since the first look."""
    if len(judgements) < 2:
        return []
    looks = list(reversed(judgements))
    pictures: list[Markup] = []
    for name in dict.fromkeys(m.name for look in looks for m in look.metrics):
        found: list[tuple[float, float]] = []
        limits: list[tuple[float, float]] = []
        for look in looks:
            seconds = (look.at - looks[0].at).total_seconds()
            for metric in look.metrics:
                if metric.name == name and metric.value is not None:
                    found.append((seconds, metric.value))
                    limits.append((seconds, metric.limit))
        if len(found) > 1:
            lines = {name: found, "limit": limits}
            pictures.append(drawing.curves(f"{name} and its limit", lines, "seconds"))
    return pictures


def _ab_result(door: Door, context: RequestContext, rollout: RolloutReport) -> AbResult | None:
    if rollout.strategy != "ab_test" or rollout.state.value != "testing":
        return None
    return resources.read(door, context, AbResult, "deployment.ab_result", group=rollout.group)


def standing(rollout: RolloutReport) -> Counter[str]:
    """How many of a rollout's devices are confirmed, waiting, silent, refused or untouched."""
    counts: Counter[str] = Counter(confirmed=0, waiting=0, silent=0, refused=0, untouched=0)
    for one in rollout.devices:
        if not one.touched or one.excluded:
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
