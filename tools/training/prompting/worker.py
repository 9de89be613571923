"""The computing process of a search with a language model on this machine.

`python -m tools.training.prompting.worker spec`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.kernel.child import child_main, emit
from tools.training.prompting.search import Pair, Search, run


def chat(instruction: str, examples: Sequence[Pair], question: str) -> list[dict[str, str]]:
    """A prompt as messages: the instruction, the examples as earlier turns, the question."""
    return [*prompt(instruction, examples), {"role": "user", "content": question}]


def prompt(instruction: str, examples: Sequence[Pair]) -> list[dict[str, str]]:
    """What stands before a question; no system message where there is no instruction."""
    told = [{"role": "system", "content": instruction}] if instruction else []
    for asked, answered in examples:
        told.append({"role": "user", "content": asked})
        told.append({"role": "assistant", "content": answered})
    return told


def search_here(spec: dict[str, Any]) -> dict[str, Any]:
    """Search with a registered model's files, or a base model.

    Args:
        spec: `folder` of a trained model or None, `base_model`, `search` (the fields of a
            `Search`), `workdir`, `max_new_tokens`.

    Returns:
        As `tools.training.prompting.search.run`, with the number of questions `asked`.
    """
    from tools.training.language.folder import load_language_model, untrained_language_model

    emit(progress=0.0, message="loading the model")
    if spec["folder"]:
        model = load_language_model(Path(spec["folder"]))
    else:
        model = untrained_language_model(spec["base_model"], spec["max_length"])
    asked = 0

    def ask(instruction: str, examples: Sequence[Pair], questions: Sequence[str]) -> list[str]:
        nonlocal asked
        asked += len(questions)
        chats = [chat(instruction, examples, question) for question in questions]
        return model.generate(chats, spec["max_new_tokens"])

    def report(share: float, message: str) -> None:
        emit(progress=share, message=message)

    found = run(Search(**spec["search"]), ask, Path(spec["workdir"]), report)
    return {**found, "asked": asked, "cost": 0.0}


if __name__ == "__main__":
    child_main(search_here)
