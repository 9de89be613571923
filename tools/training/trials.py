"""The trials of a tuning: taken up after a crash, settled, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import OperationFailed
from tools.training.pausing import PAUSED
from tools.training.space import Dimension, drawn, grid

if TYPE_CHECKING:
    import optuna

OTHERS = {"latency": "latency_ms", "size": "size_mb"}
CLOSE = 0.01
"""Where two objectives count, a trial may lose this much quality for a better other one."""
_LEAST_FOR_IMPORTANCE = 4
_TRYING = 0.96
"""The share of a tuning that its trials are; the rest is recording."""

Outcome = dict[str, Any]


class Going:
    """How far the trials are that run at once, as a share of all that a tuning tries.

    Args:
        trials: how many there are.
        indexes: those that run now; all before are done.
    """

    def __init__(self, trials: int, indexes: Sequence[int]) -> None:
        self._trials = trials
        self._before = min(indexes)
        self._shares = dict.fromkeys(indexes, 0.0)

    def told(self, index: int, share: float, message: str) -> tuple[float, str]:
        """The tuning's share and message for a trial's; it never falls back.

        Args:
            index: the trial's.
            share: how far it is.
            message: what it says.
        """
        self._shares[index] = max(self._shares[index], share)
        done = self._before + sum(self._shares.values())
        what = f"trial {index + 1} of {self._trials}"
        if message.startswith(PAUSED):  # who pauses a job waits for that word
            what = message
        elif message:
            what = f"{what}: {message}"
        return _TRYING * done / self._trials, what


def recover(study: optuna.Study) -> None:
    """Give the parameters of trials that a crash left running to the next ones."""
    from optuna.trial import TrialState

    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)
        if left.params:
            study.enqueue_trial(left.params)


def finished(study: optuna.Study, index: int) -> Outcome | None:
    """The outcome of a trial that was finished before a crash."""
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished() and trial.user_attrs.get("index") == index:
            return trial.user_attrs.get("outcome")
    return None


def ask(study: optuna.Study, dimensions: Sequence[Dimension]) -> optuna.Trial:
    """The next trial, with its settings drawn.

    In a small grid one that has been tried gives way to the untried one that differs least from
    it, as long as there is one.
    """
    from optuna.trial import TrialState

    trial = study.ask()
    drawn(dimensions, trial)
    tried = [t.params for t in study.get_trials(deepcopy=False) if _counts(t, trial.number)]
    left = [setting for setting in grid(dimensions) if setting not in tried]
    if trial.params not in tried or not left:
        return trial
    study.tell(trial, state=TrialState.FAIL)
    own = trial.params
    study.enqueue_trial(min(left, key=lambda s: sum(s[name] != own[name] for name in s)))
    trial = study.ask()
    drawn(dimensions, trial)
    return trial


def _counts(trial: optuna.trial.FrozenTrial, but: int) -> bool:
    """True if a trial's settings were or are tried; one that a crash cut off is tried again."""
    from optuna.trial import TrialState

    failed = trial.state == TrialState.FAIL and "outcome" not in trial.user_attrs
    return trial.number != but and not failed


def settle(study: optuna.Study, trial: optuna.Trial, outcome: Outcome, objective: str) -> None:
    """Tell the study how a trial ended, and keep its outcome there."""
    from optuna.trial import TrialState

    trial.set_user_attr("outcome", outcome)
    told = outcome["trial"]
    if told["state"] == "complete":
        other = [told[OTHERS[objective]]] if objective in OTHERS else []
        study.tell(trial, [told["value"], *other])
    else:
        pruned = told["state"] == "pruned"
        study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)


def choose(outcomes: Sequence[Outcome], objective: str) -> Outcome:
    """The best complete trial.

    By quality, the lower loss where it is equal. Where another objective counts: the best by that
    among those of the front that lose at most `CLOSE` of the best quality.

    Raises:
        OperationFailed: if no trial was completed.
    """
    complete = [o for o in outcomes if o["trial"]["state"] == "complete"]
    if not complete:
        why = next((o["error"] for o in outcomes if o["error"]), "all were given up")
        raise OperationFailed(f"None of {len(outcomes)} trials was completed: {why}")
    best = max(complete, key=lambda o: (o["trial"]["value"], -o["measured"]["final_loss"]))
    if objective not in OTHERS:
        return best
    close = [o for o in complete if o["trial"]["value"] >= best["trial"]["value"] - CLOSE]
    return min(close, key=lambda o: (o["trial"][OTHERS[objective]], -o["trial"]["value"]))


def front(outcomes: Sequence[Outcome], objective: str) -> list[int]:
    """The numbers of the trials that no other beats in both objectives; empty where one counts."""
    if objective not in OTHERS:
        return []
    other = OTHERS[objective]
    complete = [o["trial"] for o in outcomes if o["trial"]["state"] == "complete"]
    return [t["number"] for t in complete if not any(_beats(u, t, other) for u in complete)]


def _beats(a: Mapping[str, Any], b: Mapping[str, Any], other: str) -> bool:
    no_worse = a["value"] >= b["value"] and a[other] <= b[other]
    return no_worse and (a["value"] > b["value"] or a[other] < b[other])


def importance(study: optuna.Study, objective: str) -> dict[str, float]:
    """How much each setting mattered for quality; empty if that cannot be told.

    Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance",
    2014 (fANOVA).
    """
    import optuna
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    qualities = {t.values[0] for t in complete}
    if len(complete) < _LEAST_FOR_IMPORTANCE or len(qualities) < 2:
        return {}
    target = None if objective not in OTHERS else _quality
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, target=target)
    return {name: round(share, 4) for name, share in found.items()}


def _quality(trial: optuna.trial.FrozenTrial) -> float:
    return trial.values[0]
