"""Hyperparameter search with Optuna: each trial a durable step, the study in the home.

The study lives in `tuning.db` of the home, so that it outlives a crash; a trial that was cut off
runs again with its parameters, from its checkpoint. Trials that fall behind the median of the
others at the same epoch are given up (`MedianPruner`).
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Cancelled, OperationFailed, PilothouseError
from tools.training.pausing import compute
from tools.training.spec import DEFAULTS, TrainingSpec
from tools.training.types import TrialResult, TuneTraining, TuningResult

if TYPE_CHECKING:
    import optuna

    from tools.kernel.jobs import JobContext
    from tools.kernel.operations import Call
    from tools.kernel.settings import Settings
    from tools.training.service import TrainingService

_STARTUP_TRIALS = 2
_opening = threading.Lock()  # two tunings at once must not both make Optuna's tables


def tune(service: TrainingService, args: TuneTraining, call: Call) -> TuningResult:
    """Run a tuning job; deterministic outside its steps, as durable jobs must be."""
    job, tenant, settings = call.running, call.tenant, call.kernel.settings
    prepared = job.step("prepare", service.prepare, args, tenant, job)
    began = job.step("begin", time.time)
    outcomes: list[dict[str, Any]] = []
    with service.undone_if_failing(prepared["run_id"], tenant, job.id):
        for index in range(args.trials):
            outcome = job.step(
                f"trial {index}", run_trial, args, prepared["spec"], index, job, settings
            )
            outcomes.append(outcome)
            minutes = (outcome["ended"] - began) / 60
            if args.timeout_minutes is not None and minutes >= args.timeout_minutes:
                break
        best = choose(outcomes)
    result = job.step("record", _record, service, args, prepared, outcomes, best, job)
    job.step("tidy", _tidy, job.workdir)
    return TuningResult.model_validate(result)


def choose(outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """The complete trial with the best accuracy, the lower loss where they are equal.

    Raises:
        OperationFailed: if no trial was completed.
    """
    complete = [o for o in outcomes if o["trial"]["state"] == "complete"]
    if not complete:
        why = next((o["error"] for o in outcomes if o["error"]), "all were given up")
        raise OperationFailed(f"None of {len(outcomes)} trials was completed: {why}")
    return max(
        complete,
        key=lambda o: (o["measured"]["validation_accuracy"], -o["measured"]["final_loss"]),
    )


def run_trial(
    args: TuneTraining, base: dict[str, Any], index: int, job: JobContext, settings: Settings
) -> dict[str, Any]:
    """Run one trial in a child; resumes it where a crash cut it off.

    Returns:
        `trial` (a `TrialResult`), `measured` (the child's result), `spec`, `error`, `ended`.
    """
    study = open_study(settings, job.id, args.seed + index)
    trial = _ask(study, index)
    parameters = suggest(trial, args.method)
    folder = job.workdir / f"trial-{index}"
    folder.mkdir(exist_ok=True)
    spec = {
        **base,
        **parameters,
        "output": str(folder / "classifier"),
        "checkpoint": str(folder / "checkpoint.pt"),
    }
    answer = partial(_answer, trial, folder)
    job.progress(index / args.trials, f"trial {index + 1} of {args.trials}")
    measured, error = None, ""
    try:
        told = {**spec, "answers": str(folder)}
        measured = compute(job, "tools.training.child", told, answer)
    except Cancelled:
        raise
    except PilothouseError as failure:
        error = failure.message
    return {
        "trial": _settle(study, trial, index, parameters, measured).model_dump(),
        "measured": measured,
        "spec": spec,
        "error": error,
        "ended": time.time(),
    }


def open_study(settings: Settings, job: int, seed: int) -> optuna.Study:
    """The study of a job, made when missing.

    Args:
        settings: where the home is.
        job: the job's number; names the study.
        seed: of the sampler.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _opening:
        return optuna.create_study(
            storage=f"sqlite:///{settings.folder() / 'tuning.db'}?timeout=30",
            study_name=study_name(job),
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=0),
        )


def study_name(job: int) -> str:
    """The name of a job's study."""
    return f"job-{job}"


def _ask(study: optuna.Study, index: int) -> optuna.Trial:
    """A trial; one that a crash left running gives its parameters to a new one."""
    from optuna.trial import TrialState

    if index == 0 and not study.trials:
        study.set_user_attr("made", time.time())
    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)
        if left.params:
            study.enqueue_trial(left.params)
    trial = study.ask()
    trial.set_user_attr("index", index)
    return trial


def suggest(trial: optuna.Trial, method: str) -> dict[str, Any]:
    """Draw the settings of a trial around the method's defaults."""
    defaults = DEFAULTS[method]
    head = defaults.head_learning_rate
    found: dict[str, Any] = {
        "head_learning_rate": trial.suggest_float(
            "head_learning_rate", head / 5, head * 5, log=True
        ),
        "batch_size": trial.suggest_categorical("batch_size", [8, 16, 32]),
    }
    if method == "head":
        return {**found, "learning_rate": found["head_learning_rate"]}
    rate = defaults.learning_rate
    found["learning_rate"] = trial.suggest_float("learning_rate", rate / 4, rate * 4, log=True)
    if method == "lora":
        found["rank"] = trial.suggest_categorical("rank", [4, 8, 16])
    return found


def _answer(trial: optuna.Trial, folder: Path, event: dict[str, Any]) -> None:
    if "epoch" not in event:
        return
    trial.report(event["validation_accuracy"], event["epoch"])
    staged = folder / "answer.new"
    staged.write_text("stop" if trial.should_prune() else "go")
    staged.replace(folder / f"epoch-{event['epoch']}")


def _settle(
    study: optuna.Study,
    trial: optuna.Trial,
    index: int,
    parameters: dict[str, Any],
    measured: dict[str, Any] | None,
) -> TrialResult:
    from optuna.trial import TrialState

    state, optuna_state, value = "failed", TrialState.FAIL, None
    if measured is not None:
        value = measured["validation_accuracy"]
        pruned = measured["stopped"] == "pruned"
        state, optuna_state = ("pruned", TrialState.PRUNED) if pruned else ("complete", None)
    study.tell(trial, value if state == "complete" else None, state=optuna_state)
    return TrialResult(
        number=index,
        state=state,
        value=value,
        parameters=parameters,
        epochs=measured["epochs"] if measured else 0,
        seconds=round(measured["seconds"], 3) if measured else 0.0,
    )


def _record(
    service: TrainingService,
    args: TuneTraining,
    prepared: dict[str, Any],
    outcomes: list[dict[str, Any]],
    best: dict[str, Any],
    job: JobContext,
) -> dict[str, Any]:
    trials = [o["trial"] for o in outcomes]
    spec = TrainingSpec.from_dict(best["spec"])
    folder = Path(spec.output).parent
    (folder / "trials.json").write_text(json.dumps(trials, indent=1))
    chosen = {**prepared, "spec": best["spec"]}
    service.runs.describe(chosen["run_id"], spec, {"study": study_name(job.id)})
    done = service.record(args, chosen, best["measured"], job, folder)
    seconds = sum(t["seconds"] for t in trials)
    return {
        **done,
        "seconds": seconds,
        "study": study_name(job.id),
        "best_trial": best["trial"]["number"],
        "trials": trials,
    }


def _tidy(folder: Path) -> None:
    for trial in folder.glob("trial-*"):
        shutil.rmtree(trial, ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
