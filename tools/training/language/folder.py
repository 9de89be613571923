"""A trained language model's folder: writing it, loading it, answering and measuring with it.

The folder, as a training writes it:

    language.json      format, task (`language`), base model, method, longest chat in tokens
    adapter/           what was learnt, as peft writes it (methods lora, qlora, prompt)
    model/             the whole model, as transformers writes it (method full; `merge` too)
    tokenizer.json, tokenizer_config.json, chat_template.jinja   the tokenizer
    README.md          the model card, in the hub's format

`load_language_model(folder)` is what other domains use; it needs no training code. An adapter is
loaded by peft onto the base model that `language.json` names (`merged=False`), or is added into the
base's weights, which is faster (`merged=True`, the default wherever it can be done).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.language.bases import load_model, load_tokenizer, ready
from tools.training.language.rows import question_ids, token_row

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from tools.datasets.kinds import Message

FORMAT = 1
FACTS = "language.json"
_BATCH = 16


@dataclass(slots=True)
class LanguageModel:
    """Answers chats; not safe to use from several threads at once.

    Attributes:
        model: the torch model.
        tokenizer: with the chat template.
        max_length: tokens of a chat, question and answer together.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    max_length: int

    def generate(self, chats: Sequence[Sequence[Message]], max_new_tokens: int = 64) -> list[str]:
        """The most probable answer to each chat, word for word (greedy).

        Args:
            chats: messages, a user's or system's last.
            max_new_tokens: the longest answer.
        """
        room = max(8, self.max_length - max_new_tokens)
        asked = [question_ids(self.tokenizer, chat, room) for chat in chats]
        answers = [""] * len(asked)
        order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found = self._answer([asked[i] for i in chosen], max_new_tokens)
            for i, text in zip(chosen, found, strict=True):
                answers[i] = text
        return answers

    def _answer(self, asked: list[list[int]], max_new_tokens: int) -> list[str]:
        import torch

        longest = max(len(ids) for ids in asked)
        tokenizer: Any = self.tokenizer
        fill = tokenizer.pad_token_id
        ids = torch.tensor([[fill] * (longest - len(row)) + row for row in asked])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in asked])
        model: Any = self.model
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=fill,
                eos_token_id=tokenizer.eos_token_id,
            )
        return [
            str(tokenizer.decode(row[longest:], skip_special_tokens=True)).strip() for row in out
        ]

    def answer_losses(self, chats: Sequence[Sequence[Message]]) -> list[tuple[float, int]]:
        """For each chat the summed loss of its answers' tokens in nats, and their number.

        Perplexity is exp(sum of losses / sum of numbers).
        """
        import torch
        from torch.nn import functional

        model: Any = self.model
        found: list[tuple[float, int]] = []
        for chat in chats:
            row = token_row(self.tokenizer, chat, self.max_length)
            places = [i for i, learnt in enumerate(row.learnt) if learnt and i > 0]
            with torch.inference_mode():
                logits = model(torch.tensor([row.ids])).logits[0, -len(row.ids) :].float()
            wanted = torch.tensor([row.ids[i] for i in places])
            scores = logits[[i - 1 for i in places]]
            loss = functional.cross_entropy(scores, wanted, reduction="sum").item()
            found.append((loss, len(places)))
        return found

    def perplexity(self, chats: Sequence[Sequence[Message]]) -> float:
        """How many tokens an answer's token is chosen from, as it were; 1 is certainty."""
        losses = self.answer_losses(chats)
        return math.exp(sum(loss for loss, _ in losses) / max(1, sum(n for _, n in losses)))


def load_language_model(folder: Path, *, merged: bool = True) -> LanguageModel:
    """The language model in a folder, on one processor, in float32.

    Args:
        folder: as a training wrote it.
        merged: add low-rank matrices into the weights; False keeps peft's module around the model.

    Raises:
        InvalidInput: if the folder is no trained language model, or incomplete.
        Unavailable: if the base model that it rests on has not been fetched.
    """
    import torch

    facts = read_facts(folder)
    tokenizer = load_tokenizer(folder)
    if (folder / "model").is_dir():
        model: Any = load_model(folder / "model", torch.float32)
    else:
        from peft import PeftModel

        base: Any = load_model(base_folder(facts), torch.float32)
        model = PeftModel.from_pretrained(base, str(folder / "adapter"))
        if merged and facts["method"] != "prompt":
            model = model.merge_and_unload()
    return LanguageModel(model.eval(), tokenizer, int(facts["max_length"]))


def untrained_language_model(base_model: str, max_length: int = 512) -> LanguageModel:
    """A base model as it is before training: the baseline of an evaluation."""
    import torch

    folder = base_folder({"base_model": base_model})
    model: Any = load_model(folder, torch.float32)
    return LanguageModel(model.eval(), load_tokenizer(folder), max_length)


def base_folder(facts: dict[str, Any]) -> Path:
    """Where the files of a folder's base model are, as transformers reads them."""
    from tools.training import base_models

    return ready(base_models.folder(str(facts["base_model"])))


def read_facts(folder: Path) -> dict[str, Any]:
    """A language model folder's `language.json`.

    Raises:
        InvalidInput: if it is missing, damaged or of a format that is not known.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{folder} is no trained language model.") from None
    if facts.get("format") != FORMAT:
        raise InvalidInput(f"{folder} has format {facts.get('format')}, known is {FORMAT}.")
    return facts
