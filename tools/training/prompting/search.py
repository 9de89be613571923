"""A search over instructions and worked examples: tried on the validation split, proven on test.

Demonstrations are bootstrapped as in Khattab et al., "DSPy", 2023: training questions that the
model already answers well come first. Instructions and sets of examples are searched together, as
in Opsahl-Ong et al., "Optimizing Instructions and Demonstrations for Multi-Stage Language Model
Programs", 2024, by Optuna's tree-structured Parzen estimator. The test split is asked once, with
the starting prompt and the chosen one; the gain has a paired bootstrap interval.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.training.language.answers import exact, f1

if TYPE_CHECKING:
    import optuna

Pair = tuple[str, str]
Ask = Callable[[str, Sequence[Pair], Sequence[str]], list[str]]
"""Answers questions, given an instruction and worked examples."""
Report = Callable[[float, str], None]

RESAMPLES = 10_000
_SETS = 6
_SHOWN = 24
_GOOD = 0.5
_DRAWS = 20
_BEFORE, _AFTER = 0.1, 0.8


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched; every field is plain data.

    Attributes:
        instructions: to choose from; the first is the starting prompt, an empty one is none.
        train: questions with answers that examples are taken from.
        validation: what a prompt is chosen on.
        test: what the chosen one is proven on.
        metric: `exact_match` or `f1`.
        trials: how many prompts to try, the starting one included.
        shots: worked examples in a prompt at most.
        seed: of what is drawn.
    """

    instructions: list[str]
    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    metric: str
    trials: int
    shots: int
    seed: int

    def questions(self) -> int:
        """How many questions the search asks at most."""
        bootstrap = min(_SHOWN, len(self.train)) if self.shots else 0
        return bootstrap + self.trials * len(self.validation) + 2 * len(self.test)


def run(search: Search, ask: Ask, folder: Path, report: Report) -> dict[str, Any]:
    """Search, choose, prove.

    Args:
        search: what is searched.
        ask: the language model.
        folder: where the study lies, so that a killed search goes on where it was.
        report: told the share that is done, and what is going on.

    Returns:
        `trials`, `best` (its number), the best's `instruction` and `examples`, `start_test`,
        `best_test`, `gain`, `low`, `high`.
    """
    report(0.0, "asking for demonstrations")
    sets = _example_sets(search, ask, folder / "demonstrations.json")
    study = _study(search, folder / "study.log")
    _try(search, ask, sets, study, report)
    tried = _tried(study, sets)
    best = max(tried, key=lambda t: (t["value"], -t["examples"], -t["number"]))
    instruction, examples = search.instructions[best["instruction"]], sets[best["set"]]
    report(_AFTER, "proving the best prompt on the test split")
    before = _scores(search, ask, search.instructions[0], (), search.test)
    same = (best["instruction"], best["set"]) == (0, 0)
    after = before if same else _scores(search, ask, instruction, examples, search.test)
    low, high = interval(before, after)
    return {
        "trials": tried,
        "best": best["number"],
        "instruction": instruction,
        "examples": [list(pair) for pair in examples],
        "start_test": float(np.mean(before)),
        "best_test": float(np.mean(after)),
        "gain": float(np.mean(after) - np.mean(before)),
        "low": low,
        "high": high,
    }


def interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean paired difference.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    gain = np.asarray(after) - np.asarray(before)
    drawn = np.random.default_rng(0).integers(len(gain), size=(RESAMPLES, len(gain)))
    low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _example_sets(search: Search, ask: Ask, path: Path) -> list[list[Pair]]:
    """No examples, and sets of them; first what the model answers well under the first prompt."""
    if not search.shots or not search.train:
        return [[]]
    draw = random.Random(search.seed)  # noqa: S311  # draws examples, no secrets
    shown = draw.sample(search.train, min(_SHOWN, len(search.train)))
    if path.is_file():
        scores = json.loads(path.read_text())
    else:
        scores = _scores(search, ask, search.instructions[0], (), shown)
        path.write_text(json.dumps(scores))
    good = [pair for pair, score in zip(shown, scores, strict=True) if score >= _GOOD]
    sets: list[list[Pair]] = [[]]
    for number in range(_SETS):
        pool = good if good and number % 2 == 0 else shown
        most = min(search.shots, len(pool))
        size = most if number < 2 else draw.randint(1, most)
        chosen = draw.sample(pool, size)
        if chosen not in sets:
            sets.append(chosen)
    return sets


def _study(search: Search, path: Path) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="prompt",
        storage=JournalStorage(JournalFileBackend(str(path))),
        sampler=optuna.samplers.TPESampler(seed=search.seed),
        direction="maximize",
        load_if_exists=True,
    )
    if not study.trials:
        study.enqueue_trial({"instruction": 0, "set": 0})
        if "" in search.instructions:
            study.enqueue_trial({"instruction": search.instructions.index(""), "set": 0})
    return study


def _try(
    search: Search, ask: Ask, sets: list[list[Pair]], study: optuna.Study, report: Report
) -> None:
    """Try prompts that were not tried yet; a repeated draw costs no question."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    known = {_key(t.params) for t in study.trials if t.state == TrialState.COMPLETE}

    def score(trial: optuna.Trial) -> float:
        chosen = trial.suggest_categorical("instruction", [*range(len(search.instructions))])
        examples = trial.suggest_categorical("set", [*range(len(sets))])
        if (chosen, examples) in known:
            raise TrialPruned
        instruction = search.instructions[chosen]
        scores = _scores(search, ask, instruction, sets[examples], search.validation)
        known.add((chosen, examples))
        return float(np.mean(scores))

    wanted = min(search.trials, len(search.instructions) * len(sets))
    for _ in range(_DRAWS * wanted):
        if len(known) == wanted:
            break
        share = _BEFORE + (_AFTER - _BEFORE) * len(known) / wanted
        report(share, f"prompt {len(known) + 1} of {wanted}")
        study.optimize(score, n_trials=1)


def _tried(study: optuna.Study, sets: list[list[Pair]]) -> list[dict[str, Any]]:
    from optuna.trial import TrialState

    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    return [
        {
            "number": number,
            "instruction": int(t.params["instruction"]),
            "set": int(t.params["set"]),
            "examples": len(sets[int(t.params["set"])]),
            "value": float(t.value or 0.0),
        }
        for number, t in enumerate(complete, start=1)
    ]


def _key(params: dict[str, Any]) -> tuple[int, int]:
    return int(params["instruction"]), int(params["set"])


def _scores(
    search: Search, ask: Ask, instruction: str, examples: Sequence[Pair], rows: Sequence[Pair]
) -> list[float]:
    said = ask(instruction, examples, [question for question, _ in rows])
    measure = exact if search.metric == "exact_match" else f1
    return [float(measure(a, right)) for a, (_, right) in zip(said, rows, strict=True)]
