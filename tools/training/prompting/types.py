"""What a search for a prompt takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

PromptMetric = Literal["exact_match", "f1"]


class OptimizePrompt(Args):
    """For which questions, with which language model, by which metric."""

    dataset: Annotated[
        str, Slot(EntityKind.DATASET, "Which questions and answers is the prompt for?")
    ] = Field(description="Prompts with answers, or chats: a dataset's name, or `name@2`.")
    model: Annotated[str | None, Slot(EntityKind.MODEL, "Which language model?")] = Field(
        None, description="A registered language model.", max_length=80
    )
    version: Annotated[int | None, Slot(EntityKind.MODEL_VERSION, "Which version?")] = Field(
        None, ge=1, description="Its version; the newest when not given."
    )
    base_model: Annotated[
        str | None, Slot(EntityKind.BASE_MODEL, "Which base model shall answer?")
    ] = Field(
        None,
        description="Or a base model, such as the bundled smollm2. When neither is given, the "
        "configured language model answers, and smollm2 where none is configured.",
        max_length=300,
    )
    metric: PromptMetric = Field(
        "f1", description="What counts: `exact_match`, or `f1` of the words that are shared."
    )
    trials: int = Field(
        12, ge=2, le=200, description="How many prompts to try, the starting one included."
    )
    shots: int = Field(4, ge=0, le=16, description="Worked examples in a prompt at most.")
    instructions: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field(
        default_factory=list,
        description="Instructions to choose from; the first is the starting prompt. The data's own "
        "system message, or a plain one, when not given.",
        max_length=16,
    )
    rows: int = Field(
        40, ge=1, le=1000, description="Questions of the validation and of the test split at most."
    )
    max_new_tokens: int = Field(48, ge=1, le=1024, description="The longest answer, in tokens.")
    seed: int = Field(0, ge=0, le=2**31, description="Of what is drawn.")


class PromptTrial(Result):
    """One prompt that was tried.

    Attributes:
        number: which one; 0 is the starting prompt.
        instruction: its instruction.
        examples: how many worked examples it has.
        value: the metric on the validation split, 0 to 1.
    """

    number: int
    instruction: str
    examples: int
    value: float


class PromptMessage(Result):
    """One message of a prompt: `system`, `user` or `assistant`, and what it says."""

    role: str
    content: str


class OptimizedPrompt(Result):
    """The best prompt, and what it is worth.

    Attributes:
        job: the job that searched.
        run_id: its MLflow run, which holds `prompt.json`.
        model: who answered.
        dataset: whose questions, `name@2`.
        metric: what counted.
        validation_rows: questions that the prompt was chosen on.
        test_rows: questions that it was proven on, asked once.
        trials: every prompt that was tried.
        best_trial: the number of the chosen one.
        start_score: the metric of the starting prompt on the test split.
        best_score: that of the chosen prompt.
        gain: the difference.
        gain_low: lower end of its 95 % paired bootstrap interval.
        gain_high: upper end of it.
        improved: whether the whole interval is above 0; without it no gain is claimed.
        prompt: the chosen prompt: what is to stand before a question.
        artifact: the file that holds it.
        artifact_sha256: the file's SHA-256.
        asked: questions that were asked.
        cost: money, by the configured prices.
        table: the prompts as a text table, best first.
        plot: the picture of the search.
        warnings: what a reader must know.
    """

    job: int
    run_id: str
    model: str
    dataset: str
    metric: str
    validation_rows: int
    test_rows: int
    trials: list[PromptTrial]
    best_trial: int
    start_score: float
    best_score: float
    gain: float
    gain_low: float
    gain_high: float
    improved: bool
    prompt: list[PromptMessage]
    artifact: str
    artifact_sha256: str
    asked: int
    cost: float
    table: str
    plot: str
    warnings: list[str] = Field(default_factory=list)
