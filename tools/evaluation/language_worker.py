"""The computing process for language models: `python -m tools.evaluation.language_worker spec`."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.evaluation.resampling import bootstrap, paired_p_value
from tools.kernel.child import child_main, emit

if TYPE_CHECKING:
    from tools.evaluation.statistics import Ints
    from tools.training.language.folder import LanguageModel

TASK = "pilothouse_answers"
_MOST_WORST = 5


def carry_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Do the task that a spec names."""
    tasks = {"answers": answers, "benchmark": benchmark}
    return tasks[spec["task"]](spec)


def answers(spec: dict[str, Any]) -> dict[str, Any]:
    """Ask a trained language model and its base the same questions.

    Args:
        spec: `folder` of the model, `rows` (JSON lines with `messages`), `max_new_tokens`.

    Returns:
        The measured fields of an `AnswersMeasured`.
    """
    from tools.training.language.folder import (
        load_language_model,
        read_facts,
        untrained_language_model,
    )

    chats = _chats(Path(spec["rows"]))
    folder = Path(spec["folder"])
    facts = read_facts(folder)
    trained = _Asked(load_language_model(folder), chats, spec, 0.05, "asking the model")
    plain = untrained_language_model(facts["base_model"], int(facts["max_length"]))
    base = _Asked(plain, chats, spec, 0.5, "asking the base model")
    order = np.argsort(trained.f1, kind="stable")[:_MOST_WORST]
    return {
        "rows": len(chats),
        **{name: _figure(getattr(trained, name)) for name in ("exact", "f1")},
        "perplexity": trained.perplexity(),
        "base_exact": float(base.exact.mean()),
        "base_f1": float(base.f1.mean()),
        "base_perplexity": base.perplexity()["value"],
        "gain_p_value": paired_p_value(trained.f1 - base.f1),
        "seconds": trained.seconds / len(chats),
        "worst": [trained.example(int(i)) for i in order],
    }


class _Asked:
    """What one model answered."""

    def __init__(
        self,
        model: LanguageModel,
        chats: list[list[dict[str, str]]],
        spec: dict[str, Any],
        start: float,
        message: str,
    ) -> None:
        from tools.training.language.answers import exact, f1

        emit(progress=start, message=message)
        began = time.perf_counter()
        self._chats = chats
        self.said = model.generate([chat[:-1] for chat in chats], spec["max_new_tokens"])
        self.seconds = time.perf_counter() - began
        emit(progress=start + 0.3, message=f"{message}: perplexity")
        self._losses = np.array(model.answer_losses(chats), dtype=np.float64)
        both = [(a, chat[-1]["content"]) for a, chat in zip(self.said, chats, strict=True)]
        self.exact = np.array([exact(*pair) for pair in both], dtype=np.float64)
        self.f1 = np.array([f1(*pair) for pair in both])

    def perplexity(self) -> dict[str, float]:
        """Of the right answers' tokens, resampled by rows."""

        def of(chosen: Ints) -> float:
            loss, tokens = self._losses[chosen].sum(axis=0)
            return math.exp(loss / max(tokens, 1))

        found = bootstrap(len(self._losses), of)
        return {"value": found.value, "low": found.low, "high": found.high}

    def example(self, row: int) -> dict[str, Any]:
        """A row to look at."""
        chat = self._chats[row]
        return {
            "question": chat[-2]["content"][:500],
            "answer": self.said[row][:500],
            "right": chat[-1]["content"][:500],
            "f1": float(self.f1[row]),
        }


def _figure(values: np.ndarray) -> dict[str, float]:
    found = bootstrap(len(values), lambda chosen: float(values[chosen].mean()))
    return {"value": found.value, "low": found.low, "high": found.high}


def _chats(path: Path) -> list[list[dict[str, str]]]:
    return [json.loads(line)["messages"] for line in path.read_text().splitlines()]


def benchmark(spec: dict[str, Any]) -> dict[str, Any]:
    """Run lm-evaluation-harness on a task that is declared in its own YAML format.

    Args:
        spec: `folder` of a trained model, or `base_model`; `rows`, `workdir`, `shots`.

    Returns:
        The measured fields of a `BenchmarkResult`.
    """
    from importlib import import_module
    from importlib.metadata import version

    harness: Any = import_module("lm_eval.evaluator")
    models: Any = import_module("lm_eval.models.huggingface")
    tasks: Any = import_module("lm_eval.tasks")

    emit(progress=0.05, message="loading the model")
    model, tokenizer = _transformers(spec)
    folder = Path(spec["workdir"]) / "tasks"
    declare_task(folder, Path(spec["rows"]))
    emit(progress=0.2, message="the harness is at work")
    wrapped = models.HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, device="cpu")
    found: Any = harness.simple_evaluate(
        model=wrapped,
        tasks=[TASK],
        num_fewshot=spec["shots"],
        task_manager=tasks.TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=200,
        log_samples=False,
    )
    told: dict[str, Any] = found["results"][TASK]
    metrics = {k: float(v) for k, v in told.items() if isinstance(v, int | float)}
    return {
        "rows": len(_chats(Path(spec["rows"]))),
        "metrics": metrics,
        "harness": f"lm-evaluation-harness {version('lm_eval')}",
    }


def declare_task(folder: Path, rows: Path) -> None:
    """Write a task of questions and answers as the harness reads it: YAML and JSON lines.

    Measured is the harness' own `exact_match`, without case and punctuation.
    """
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "test.jsonl"
    asked = [
        {"question": chat[-2]["content"], "answer": chat[-1]["content"]} for chat in _chats(rows)
    ]
    data.write_text("".join(f"{json.dumps(row)}\n" for row in asked))
    task = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "fewshot_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 48, "do_sample": False},
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "ignore_case": True,
                "ignore_punctuation": True,
            }
        ],
        "metadata": {"version": 1.0},
    }
    (folder / f"{TASK}.yaml").write_text(yaml.safe_dump(task))


def _transformers(spec: dict[str, Any]) -> tuple[Any, Any]:
    from tools.training.language.folder import load_language_model, untrained_language_model

    if spec["folder"]:
        loaded = load_language_model(Path(spec["folder"]))
    else:
        loaded = untrained_language_model(spec["base_model"])
    return loaded.model, loaded.tokenizer


if __name__ == "__main__":
    child_main(carry_out)
