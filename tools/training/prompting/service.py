"""Finding a prompt as a durable job: a search in two places, one way of keeping what it finds.

A model on this machine answers in a child process; a configured language model is asked from here,
where every answer is counted in the asking person's budget.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.operations import Call, Evidence, Preview
from tools.training.enough import require_learnable
from tools.training.prompting import instructions as wordings
from tools.training.prompting.picture import draw, table
from tools.training.prompting.search import Pair, Search, run
from tools.training.prompting.types import OptimizedPrompt, OptimizePrompt, PromptTrial
from tools.training.prompting.worker import prompt

if TYPE_CHECKING:
    from tools.kernel.endpoint import Answer, Endpoint
    from tools.kernel.kernel import Kernel

WORKER = "tools.training.prompting.worker"
BUNDLED = "smollm2"
PROMPT = "prompt.json"
_KINDS = ("prompt_completion", "messages")
_MOST_TRAIN = 400
_MAX_LENGTH = 2048
_FEW = 100
_WRITTEN = 4
_SECONDS = 1.5
_TOKENS = 200


class PromptService:
    """Searches for prompts; one instance a kernel, safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        from tools.datasets.service import DatasetService
        from tools.training.tracking import TrainingRuns

        self._kernel = kernel
        self._datasets = kernel.get(DatasetService)
        self._runs = TrainingRuns(kernel.settings)

    def normalise(self, args: OptimizePrompt, tenant: str) -> OptimizePrompt:
        """Pin the dataset's version, and who answers.

        Raises:
            InvalidInput: if both a model and a base model are named.
        """
        if args.model and args.base_model:
            raise InvalidInput("Name either a registered model or a base model, not both.")
        found: dict[str, Any] = {"dataset": str(self._datasets.resolve(tenant, args.dataset))}
        if args.model:
            from tools.training.optimizing.versions import versions

            parent = versions(self._kernel).parent(args.model, args.version, tenant)
            found["version"] = parent.version
        elif not args.base_model and self._kernel.settings.model is None:
            found["base_model"] = BUNDLED
        return args.model_copy(update=found)

    def preview(self, args: OptimizePrompt, tenant: str) -> Preview:
        """Who would be asked how much; refuses what cannot be searched."""
        search, warnings = self._search(args, tenant)
        self._folder(args, tenant)
        count = search.questions()
        external = not (args.model or args.base_model)
        return Preview(
            summary=f"Try {args.trials} prompts for {self._name(args)} on "
            f"{len(search.validation)} validation questions of {args.dataset}, prove the best on "
            f"{len(search.test)} test questions: at most {count} answers.",
            seconds=_SECONDS * count,
            cost=self._kernel.budget.model_cost(count * _TOKENS, count * args.max_new_tokens)
            if external
            else None,
            warnings=warnings,
        )

    def run(self, args: OptimizePrompt, call: Call) -> OptimizedPrompt:
        """Search as a durable job; deterministic outside its steps."""
        job = call.running
        prepared = job.step("prepare", self._prepare, args, call)
        found = job.step("search", self._found, args, prepared, call)
        kept = job.step("keep", self._keep, args, prepared, found, call)
        return OptimizedPrompt.model_validate(kept)

    def evidence(self, run_id: str, tenant: str) -> list[Evidence]:
        """What MLflow and the disk say of the run and its prompt."""
        from tools.kernel.mlflow_store import artifact_folder

        run_ = self._runs.run(run_id, tenant)
        path = artifact_folder(self._kernel.settings, run_id) / PROMPT
        facts = {
            "status of the run": run_.info.status,
            "gain on the test split": run_.data.metrics.get("gain"),
            "SHA-256 of the prompt": _sha256(path) if path.is_file() else None,
        }
        return [Evidence(fact=k, value=v, source="mlflow tracking") for k, v in facts.items()]

    # The steps

    def _prepare(self, args: OptimizePrompt, call: Call) -> dict[str, Any]:
        call.running.progress(0.0, "preparing the questions")
        search, warnings = self._search(args, call.tenant)
        told = asdict(search)
        if not (args.model or args.base_model):
            endpoint = self._endpoint(call)
            try:
                told["instructions"] += wordings.written(
                    lambda system, asked: endpoint.ask(system, asked, 400).text,
                    search.instructions[0],
                    search.train,
                    _WRITTEN,
                )
            finally:
                endpoint.close()
            told["instructions"] = wordings.distinct(told["instructions"])
        if not args.instructions:
            told["instructions"] = wordings.and_none(told["instructions"])
        return {"search": told, "warnings": warnings}

    def _found(self, args: OptimizePrompt, prepared: dict[str, Any], call: Call) -> dict[str, Any]:
        if not (args.model or args.base_model):
            return self._ask_configured(args, Search(**prepared["search"]), call)
        folder = self._folder(args, call.tenant)
        spec = {
            "folder": str(folder) if folder else None,
            "base_model": args.base_model,
            "search": prepared["search"],
            "workdir": str(call.running.workdir),
            "max_length": _MAX_LENGTH,
            "max_new_tokens": args.max_new_tokens,
        }
        return call.running.child(WORKER, spec)

    def _ask_configured(self, args: OptimizePrompt, search: Search, call: Call) -> dict[str, Any]:
        job, endpoint = call.running, self._endpoint(call)
        answers: list[Answer] = []

        def ask(instruction: str, examples: Sequence[Pair], questions: Sequence[str]) -> list[str]:
            turns = prompt("", examples)
            said: list[str] = []
            for question in questions:
                job.check_cancelled()
                answers.append(endpoint.ask(instruction, question, args.max_new_tokens, turns))
                said.append(answers[-1].text)
            return said

        try:
            found = run(search, ask, job.workdir, job.progress)
        finally:
            endpoint.close()
        return {**found, "asked": len(answers), "cost": sum(a.cost for a in answers)}

    def _keep(
        self, args: OptimizePrompt, prepared: dict[str, Any], found: dict[str, Any], call: Call
    ) -> dict[str, Any]:
        search = Search(**prepared["search"])
        trials = [
            PromptTrial(
                number=t["number"],
                instruction=search.instructions[t["instruction"]],
                examples=t["examples"],
                value=t["value"],
            )
            for t in found["trials"]
        ]
        folder = call.running.workdir
        plot = folder / "prompts.png"
        draw(trials, args.metric, plot)
        pairs = [(asked, answered) for asked, answered in found["examples"]]
        messages = prompt(found["instruction"], pairs)
        (folder / PROMPT).write_text(json.dumps({"messages": messages}, indent=1))
        run_id, artifact = self._store(args, found, call, (folder / PROMPT, plot))
        return OptimizedPrompt(
            job=call.running.id,
            run_id=run_id,
            model=self._name(args),
            dataset=args.dataset,
            metric=args.metric,
            validation_rows=len(search.validation),
            test_rows=len(search.test),
            trials=trials,
            best_trial=found["best"],
            start_score=found["start_test"],
            best_score=found["best_test"],
            gain=found["gain"],
            gain_low=found["low"],
            gain_high=found["high"],
            improved=found["low"] > 0,
            prompt=messages,  # pyright: ignore[reportArgumentType]  # Pydantic makes messages of it
            artifact=str(artifact),
            artifact_sha256=_sha256(artifact),
            asked=found["asked"],
            cost=found["cost"],
            table=table(trials, args.metric),
            plot=str(plot),
            warnings=prepared["warnings"],
        ).model_dump(mode="json")

    def _store(
        self, args: OptimizePrompt, found: dict[str, Any], call: Call, files: Sequence[Path]
    ) -> tuple[str, Path]:
        """A run in MLflow with figures and files; may be repeated after a crash."""
        from tools.kernel.mlflow_store import artifact_folder, client

        dataset = self._datasets.resolve(call.tenant, args.dataset)
        settings, mlflow = self._kernel.settings, client(self._kernel.settings)
        wanted = {"metric": args.metric, "trials": args.trials, "shots": args.shots}
        name = f"{dataset.name}-prompt"
        run_id = self._runs.start(
            call.running.id,
            call.tenant,
            name,
            dataset,
            {"task": "prompt", "answers": self._name(args)},
            {**wanted, "seed": args.seed},
        )
        self._datasets.record_use(dataset, call.tenant, f"training job {call.running.id}")
        began = self._runs.run(run_id, call.tenant).info.start_time
        for key in ("start_test", "best_test", "gain", "low", "high", "cost"):
            mlflow.log_metric(run_id, key, float(found[key]), timestamp=began, step=0)
        for path in files:
            mlflow.log_artifact(run_id, str(path))
        mlflow.set_terminated(run_id, status="FINISHED")
        return run_id, artifact_folder(settings, run_id) / PROMPT

    # What is asked, and who

    def _search(self, args: OptimizePrompt, tenant: str) -> tuple[Search, list[str]]:
        dataset = self._datasets.resolve(tenant, args.dataset)
        if (kind := dataset.profile.kind) not in _KINDS:
            raise Conflict(
                f"{args.dataset} holds no answers: its rows are {kind}.",
                hint="It needs a column `prompt` and a column `completion`, or chats.",
            )
        require_learnable(dataset)
        seen: set[str] = set()
        systems: Counter[str] = Counter()
        pairs = {
            split: self._pairs(args.dataset, split, tenant, seen, systems)
            for split in ("train", "validation", "test")
        }
        for split, found in pairs.items():
            if not found and split != "train":
                raise Conflict(
                    f"{args.dataset} has no {split} rows of its own to try a prompt on.",
                    hint="Split it anew with a validation and a test share.",
                )
        train = pairs["train"][:_MOST_TRAIN]
        own = systems.most_common(1)
        start = args.instructions or [own[0][0] if own else wordings.START]
        edits = wordings.edited(start[0], [answer for _, answer in train])
        test = _spread(pairs["test"], args.rows)
        search = Search(
            instructions=wordings.distinct([*start, *edits]),
            train=train,
            validation=_spread(pairs["validation"], args.rows),
            test=test,
            metric=args.metric,
            trials=args.trials,
            shots=args.shots,
            seed=args.seed,
        )
        few = f"Only {len(test)} test questions: the interval is wide."
        return search, [few] if len(test) < _FEW else []

    def _pairs(
        self, dataset: str, split: str, tenant: str, seen: set[str], systems: Counter[str]
    ) -> list[Pair]:
        """Last questions with their answers, without those that an earlier split has."""
        from tools.datasets.kinds import conversation

        found: list[Pair] = []
        for row in self._datasets.rows(tenant, dataset, split):
            chat = conversation(row)
            systems.update(m["content"] for m in chat if m["role"] == "system")
            asked, answered = chat[-2]["content"], chat[-1]["content"]
            if len(chat) > 1 and _plain(asked) not in seen:
                found.append((asked, answered))
        seen.update(_plain(asked) for asked, _ in found)
        return found

    def _folder(self, args: OptimizePrompt, tenant: str) -> Path | None:
        """A registered model's files; None for the others, where a base model must be fetched."""
        from tools.training import base_models
        from tools.training.optimizing.versions import versions

        if args.base_model:
            base_models.folder(args.base_model)
        if not args.model:
            return None
        parent = versions(self._kernel).parent(args.model, args.version, tenant)
        if not (parent.folder / "language.json").is_file():
            raise Conflict(
                f"{parent} is no language model.", hint="Name one, or a base model: smollm2."
            )
        return parent.folder

    def _endpoint(self, call: Call) -> Endpoint:
        from tools.kernel.endpoint import Endpoint

        return Endpoint(self._kernel, call.context.principal)

    def _name(self, args: OptimizePrompt) -> str:
        if args.model:
            return f"{args.model} v{args.version}"
        return args.base_model or str(self._kernel.settings.model)


def _spread(pairs: list[Pair], most: int) -> list[Pair]:
    step = max(1, len(pairs) // most)
    return pairs[::step][:most]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
