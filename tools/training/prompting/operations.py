"""The operation that finds a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.training.prompting.types import OptimizedPrompt, OptimizePrompt

if TYPE_CHECKING:
    from tools.training.prompting.service import PromptService


def _service(call: Call) -> PromptService:
    from tools.training.prompting.service import PromptService

    return call.get(PromptService)


@operation(
    "training.optimize_prompt",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "optimise the prompt for the helpdesk answers",
        "find the best few-shot examples for faq-pairs",
        "optimize the prompt on support-chats with 20 trials",
        "which instruction works best for faq-pairs",
        "search for a better prompt for smollm2 on faq-pairs",
        "improve the instructions for the helpdesk answers by exact match",
        "choose worked examples for the prompt from support-chats",
        "prompt optimisation on faq-pairs with f1",
        "find a better system prompt for support-writer on faq-pairs",
        "try 8 prompts on the helpdesk answers and keep the best",
    ),
)
def optimize_prompt(args: OptimizePrompt, call: Call) -> OptimizedPrompt:
    """Search instructions and few-shot examples for a language model's prompt, as a job.

    Prompts are chosen by Optuna on the validation split; the best is compared with the starting one
    once on the test split. A gain is claimed only if its 95 % bootstrap interval is above 0.

    Args:
        dataset: prompts with answers, or chats, in three splits.
        model: a registered language model.
        version: its version; the newest when left out.
        base_model: or a base model; the configured language model when neither is named, and
            smollm2 where none is configured.
        metric: `exact_match` or `f1`.
        trials: how many prompts to try, the starting one included.
        shots: worked examples in a prompt at most.
        instructions: to choose from; the first is the starting prompt.
        rows: questions of the validation and of the test split at most.
        max_new_tokens: the longest answer, in tokens.
        seed: of what is drawn.

    Raises:
        Conflict: the dataset holds no answers or lacks a split; the model is no language model.
        BudgetExceeded: today's budget is used up.
        Unavailable: the configured language model does not answer.
    """
    return _service(call).run(args, call)


@optimize_prompt.normalise
def _(args: OptimizePrompt, call: Call) -> OptimizePrompt:
    return _service(call).normalise(args, call.tenant)


@optimize_prompt.preview
def _(args: OptimizePrompt, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@optimize_prompt.read_back
def _(args: OptimizePrompt, result: OptimizedPrompt, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.run_id, call.tenant)


@optimize_prompt.inverse
def _(args: OptimizePrompt, result: OptimizedPrompt, call: Call) -> Inverse | None:
    return Inverse(operation="training.delete_run", arguments={"run_id": result.run_id})


@optimize_prompt.says
def _(args: OptimizePrompt, result: OptimizedPrompt) -> str:
    span = f"{result.gain:+.3f} ({result.gain_low:+.3f} to {result.gain_high:+.3f})"
    verdict = "a gain" if result.improved else "no gain is shown: keep the starting prompt"
    return (
        f"Tried {len(result.trials)} prompts for {result.model} on {result.dataset}. On "
        f"{result.test_rows} unseen questions prompt {result.best_trial} has {result.metric} "
        f"{result.best_score:.3f}, the starting prompt {result.start_score:.3f}: {span}, {verdict}."
        f"\n\n{result.table}"
    )
