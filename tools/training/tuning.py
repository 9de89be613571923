"""Hyperparameter search with Optuna: trials in durable steps, the study in the home.

The study lives in `tuning.db` of the home, so that it outlives a crash: trials that were finished
are not run again, those that were cut off run again with their parameters, from their checkpoints.
Trials that fall behind the median of the others at the same epoch are given up (`MedianPruner`).
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel import stillness
from tools.kernel.errors import Cancelled, PilothouseError
from tools.kernel.job_context import JobPart
from tools.training import space, trials
from tools.training.deployed_size import deployed_mb
from tools.training.pausing import compute
from tools.training.tasks import by_name
from tools.training.timing import at_once, compared, expected_seconds
from tools.training.types import TrialResult, TuneTraining, TuningResult

if TYPE_CHECKING:
    import optuna

    from tools.kernel.jobs import JobContext
    from tools.kernel.operations import Call
    from tools.kernel.settings import Settings
    from tools.training.service import TrainingService

_STARTUP_TRIALS = 2
_opening = threading.Lock()  # two tunings at once must not both make Optuna's tables
_asking = threading.Lock()  # a sampler is not safe to use from several threads


def tune(service: TrainingService, args: TuneTraining, call: Call) -> TuningResult:
    """Run a tuning job; deterministic outside its steps, as durable jobs must be."""
    job, tenant, settings = call.running, call.tenant, call.kernel.settings
    prepared = job.step("prepare", service.prepare, args, tenant, job)
    began = job.step("begin", time.time)
    outcomes: list[dict[str, Any]] = []
    with service.undone_if_failing(prepared["run_id"], tenant, job.id):
        for first in range(0, args.trials, args.parallel):
            indexes = list(range(first, min(first + args.parallel, args.trials)))
            done = job.step(
                f"trial {first}", run_trials, args, prepared["spec"], indexes, job, settings
            )
            outcomes += done
            minutes = (max(o["ended"] for o in done) - began) / 60
            if args.timeout_minutes is not None and minutes >= args.timeout_minutes:
                break
        best = trials.choose(outcomes, args.objective)
    result = job.step("record", _record, service, args, prepared, outcomes, best, job)
    job.step("tidy", _tidy, job.workdir)
    return TuningResult.model_validate(result)


def run_trials(
    args: TuneTraining,
    base: dict[str, Any],
    indexes: list[int],
    job: JobContext,
    settings: Settings,
) -> list[dict[str, Any]]:
    """Run some trials at once, each in a child; what a crash cut off is taken up again."""
    study = open_study(settings, job.id, args)
    trials.recover(study)
    going = trials.Going(args.trials, indexes)
    run = partial(_run_trial, args, base, job, settings, going)
    if len(indexes) == 1:
        return [run(indexes[0])]
    with ThreadPoolExecutor(len(indexes)) as pool:
        return list(pool.map(run, indexes))


def _run_trial(
    args: TuneTraining,
    base: dict[str, Any],
    job: JobContext,
    settings: Settings,
    going: trials.Going,
    index: int,
) -> dict[str, Any]:
    """One trial.

    Returns:
        `trial` (a `TrialResult`), `measured` (the child's result), `spec`, `error`, `ended`.
    """
    study = open_study(settings, job.id, args, index)
    if (known := trials.finished(study, index)) is not None:
        going.told(index, 1.0, "")
        return known
    with _asking:
        trial = trials.ask(study, space.parse(str(args.space)))
        trial.set_user_attr("index", index)
        parameters = suggest(trial, args)
    folder = job.workdir / f"trial-{index}"
    folder.mkdir(exist_ok=True)
    spec = {
        **base,
        **parameters,
        "output": str(folder / Path(base["output"]).name),
        "checkpoint": str(folder / "checkpoint.pt"),
    }
    part = JobPart(job, partial(going.told, index))
    part.progress(0.0)
    told = {**spec, "answers": str(folder), "timed_alone": args.objective == "latency"}
    measured, error = _compute(trial, told, args, folder, part)
    going.told(index, 1.0, "")
    outcome = {
        "trial": _described(args, index, parameters, measured, spec).model_dump(),
        "measured": measured,
        "spec": spec,
        "error": error,
        "ended": time.time(),
    }
    trials.settle(study, trial, outcome, args.objective)
    return outcome


def _compute(
    trial: optuna.Trial, told: dict[str, Any], args: TuneTraining, folder: Path, job: JobContext
) -> tuple[dict[str, Any] | None, str]:
    """What a trial measured, or why it failed."""
    prunes = args.pruning and args.objective == "quality"
    answer = partial(_answer, trial, folder, prunes)
    try:
        return compute(job, by_name(str(args.task)).child, told, answer), ""
    except Cancelled:
        raise
    except PilothouseError as failure:
        return None, failure.message


def open_study(settings: Settings, job: int, args: TuneTraining, index: int = 0) -> optuna.Study:
    """The study of a job, made when missing.

    Args:
        settings: where the home is.
        job: the job's number; names the study.
        args: the tuning; its seed and the trial's number seed the sampler.
        index: the trial's number.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    directions = [up] if args.objective == "quality" else [up, down]
    with _opening:
        return optuna.create_study(
            storage=f"sqlite:///{settings.folder() / 'tuning.db'}?timeout=30",
            study_name=study_name(job),
            directions=directions,
            load_if_exists=True,
            sampler=_sampler(args, args.seed + index),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=0),
        )


def _sampler(args: TuneTraining, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    if args.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)


def study_name(job: int) -> str:
    """The name of a job's study."""
    return f"job-{job}"


def suggest(trial: optuna.Trial, args: TuneTraining) -> dict[str, Any]:
    """Draw the settings of a trial from the declared space."""
    found = space.drawn(space.parse(str(args.space)), trial)
    if args.method == "head":
        rate = found.get("head_learning_rate", found.get("learning_rate"))
        if rate is not None:
            found["learning_rate"] = found["head_learning_rate"] = rate
    return found


def _answer(trial: optuna.Trial, folder: Path, prunes: bool, event: dict[str, Any]) -> None:
    if "epoch" not in event:
        return
    stop = False
    if prunes:
        trial.report(event["quality"], event["epoch"])
        stop = trial.should_prune()
    staged = folder / "answer.new"
    staged.write_text("stop" if stop else "go")
    staged.replace(folder / f"epoch-{event['epoch']}")


def _described(
    args: TuneTraining,
    index: int,
    parameters: dict[str, Any],
    measured: dict[str, Any] | None,
    spec: dict[str, Any],
) -> TrialResult:
    if measured is None:
        return TrialResult(
            number=index + 1,
            state="failed",
            value=None,
            parameters=parameters,
            epochs=0,
            seconds=0.0,
        )
    return TrialResult(
        number=index + 1,
        state="pruned" if measured["stopped"] == "pruned" else "complete",
        value=by_name(str(args.task)).quality(measured),
        parameters=parameters,
        epochs=measured["epochs"],
        seconds=round(measured["seconds"], 3),
        latency_ms=round(measured["latency_ms"], 4) if "latency_ms" in measured else None,
        size_mb=round(deployed_mb(Path(spec["output"]), args.base_model, args.method), 4),
    )


def _record(
    service: TrainingService,
    args: TuneTraining,
    prepared: dict[str, Any],
    outcomes: list[dict[str, Any]],
    best: dict[str, Any],
    job: JobContext,
) -> dict[str, Any]:
    from tools.training.tuning_plots import draw_tuning

    tried = [o["trial"] for o in outcomes]
    folder = Path(best["spec"]["output"]).parent
    settings = by_name(str(args.task)).tuned(best["spec"])
    (folder / "trials.json").write_text(json.dumps(tried, indent=1))
    importance = trials.importance(open_study(service.settings, job.id, args), args.objective)
    front = trials.front(outcomes, args.objective)
    draw_tuning(tried, importance, front, args.objective, folder / "tuning.png")
    chosen: dict[str, Any] = {**prepared, "spec": best["spec"], "parameters": settings}
    service.runs.describe(chosen["run_id"], settings, {"study": study_name(job.id)})
    done = service.record(args, chosen, best["measured"], job, folder)
    whole = _expected(prepared["estimate"], outcomes, at_once(args, service.settings))
    times = compared(whole, job.spent())
    service.runs.add_times(chosen["run_id"], times)
    return {
        **done,
        **times,
        "warnings": [*done["warnings"], *stillness.told(_disturbed(outcomes))],
        "trial_estimated_seconds": prepared["estimate"]["seconds"],
        "study": study_name(job.id),
        "best_trial": best["trial"]["number"],
        "trials": tried,
        "space": args.space,
        "objective": args.objective,
        "front": front,
        "importance": importance,
    }


def _expected(estimate: dict[str, Any], outcomes: list[dict[str, Any]], beside: int) -> float:
    """What all trials had been expected to take, as far as they went."""
    measured = [o["measured"] for o in outcomes if o["measured"] is not None]
    return expected_seconds(estimate, [m["epochs"] for m in measured], beside)


def _disturbed(outcomes: list[dict[str, Any]]) -> list[str]:
    """The trials beside which other jobs computed while their texts were to be timed alone."""
    measured = [(o["trial"]["number"], o["measured"]) for o in outcomes if o["measured"]]
    return [f"trial {number}" for number, one in measured if one.get("alone") is False]


def _tidy(folder: Path) -> None:
    for trial in folder.glob("trial-*"):
        shutil.rmtree(trial, ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
