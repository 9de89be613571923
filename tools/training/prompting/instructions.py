"""The instructions that a search chooses from: given ones, edits of the first, an LLM's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tools.training.language.answers import words

START = "Answer the question."
MOST = 16
_EDITS = (
    "Give only the answer, without any explanation.",
    "Use the same form as the answers in the examples.",
    "Be brief and exact.",
)
_WRITER = (
    "You improve the instruction that is given to another language model. Write better "
    "instructions for the same task, one a line, without numbers or quotation marks."
)
_SHOWN = 5
_LONGEST = 400


def edited(start: str, answers: Sequence[str]) -> list[str]:
    """The starting instruction with one sentence more, and without any of its own words.

    Args:
        start: the instruction.
        answers: right answers of the training split; most of them set the length that is asked.
    """
    lengths = sorted(len(words(answer)) for answer in answers)
    most = max(1, lengths[(len(lengths) * 9) // 10]) if lengths else 20
    brief = f"Answer in at most {most} words."
    return [*(f"{start} {edit}" for edit in (*_EDITS, brief)), brief]


def written(
    ask: Callable[[str, str], str], start: str, pairs: Sequence[tuple[str, str]], count: int
) -> list[str]:
    """Instructions that a language model writes after it has seen some questions and answers.

    Args:
        ask: answers a system message and a question.
        start: the instruction to better.
        pairs: questions with right answers, of the training split.
        count: how many to ask for.
    """
    shown = "\n".join(f"Question: {q}\nAnswer: {a}" for q, a in pairs[:_SHOWN])
    told = ask(_WRITER, f"Instruction: {start}\n\n{shown}\n\nWrite {count} instructions.")
    lines = (line.strip(" \t-*\"'").lstrip("0123456789.) ") for line in told.splitlines())
    return [line[:_LONGEST] for line in lines if line][:count]


def and_none(instructions: Sequence[str]) -> list[str]:
    """The starting instruction, no instruction at all, then the others.

    A model that was trained without a system message often answers best without one.
    """
    return [*instructions[:1], "", *instructions[1:]]


def distinct(instructions: Sequence[str]) -> list[str]:
    """Without repetitions, in order, at most `MOST`."""
    kept: dict[str, str] = {}
    for one in instructions:
        kept.setdefault(" ".join(one.casefold().split()), one.strip())
    return [one for key, one in kept.items() if key][:MOST]
