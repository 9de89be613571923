"""Chats as token ids, with a mark on what is to be learnt: the assistant's words, and their end.

The model's own chat template writes a chat. Question and answer are tokenised apart, so that the
question's tokens in training are those that a generation starts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tools.datasets.kinds import Message


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One chat.

    Attributes:
        ids: its tokens.
        learnt: for each token, whether it is an answer's.
        whole: how many tokens the chat has, however many of them are kept.
    """

    ids: list[int]
    learnt: list[bool]
    whole: int

    @property
    def cut(self) -> bool:
        """Whether it was longer than allowed."""
        return self.whole > len(self.ids)


def question_text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> str:
    """A chat up to where the assistant is to go on.

    Without a chat template, the messages' contents by lines.
    """
    if tokenizer.chat_template is None:
        return "".join(f"{message['content']}\n" for message in messages)
    told: Any = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    return str(told)


def token_row(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], max_length: int
) -> TokenRow:
    """The tokens of a chat, every answer in it marked.

    Of a chat that is too long the oldest tokens are left out, and of a too long last answer the
    end.

    Args:
        tokenizer: of the model, with its chat template.
        messages: the chat, an assistant's answer last.
        max_length: the most tokens.
    """
    ids: list[int] = []
    learnt: list[bool] = []
    written = ""
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        question = question_text(tokenizer, messages[:place])
        if not question.startswith(written):  # the template shows earlier turns in another way
            ids, learnt, written = [], [], ""
        asked = _tokens(tokenizer, _after_end(tokenizer, question[len(written) :]))
        answer = _tokens(tokenizer, message["content"].strip())
        end: Any = tokenizer.eos_token_id
        if end is not None:
            answer.append(int(end))
        ids += asked + answer
        learnt += [False] * len(asked) + [True] * len(answer)
        written = question + message["content"].strip()
    return _cut(ids, learnt, max_length)


def _after_end(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """What follows an answer, without the end that the answer has been given already."""
    end = str(tokenizer.eos_token or "")
    rest = text.lstrip()
    return rest[len(end) :] if end and rest.startswith(end) else text


def question_ids(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], room: int
) -> list[int]:
    """The tokens of a chat up to where the assistant is to go on; its newest `room` tokens."""
    return _tokens(tokenizer, question_text(tokenizer, messages))[-room:]


def _cut(ids: list[int], learnt: list[bool], most: int) -> TokenRow:
    if len(ids) <= most:
        return TokenRow(ids, learnt, len(ids))
    answer = len(learnt) - 1 - learnt[::-1].index(False) + 1 if False in learnt else 0
    least = min(most // 4, answer)  # some of the question stays, whatever the answer's length
    end = min(len(ids), answer - least + most)
    start = max(0, end - most)
    return TokenRow(ids[start:end], learnt[start:end], len(ids))


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    found: Any = tokenizer(text, add_special_tokens=False)
    return [int(each) for each in found["input_ids"]]


def shared_prefix(rows: Sequence[TokenRow]) -> int:
    """How many first tokens all rows have in common and do not learn: a template's head."""
    if len(rows) < 2:
        return 0
    first = rows[0]
    most = min(min(len(row.ids) for row in rows) - 1, len(first.ids) - 1)
    for place in range(max(0, most)):
        for row in rows:
            if row.ids[place] != first.ids[place] or row.learnt[place]:
                return place
    return max(0, most)
