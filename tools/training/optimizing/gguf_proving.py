"""Proof that llama.cpp reads chats as the trained model does: template, then token for token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.answering import open_server

if TYPE_CHECKING:
    from tools.datasets.kinds import Message

_CONTEXT, _SECONDS = 512, 60.0
_TEXTS = (
    "Where is my parcel?",
    "It's 2024: I'll pay 1,234.56 or 99999 for 3 of them, they've said.",
    "Zürich, naïve façade; Größe übrig. Это не тест. 北京欢迎你。 🙂👍🏽",
    "def f(x):\n    return {'a': x ** 2}  # what?!\n\n\n\tdone",
    "  two spaces before,   three between, and one after ",
    "HTTP/1.1 GET_URL camelCase <tag attr=\"1\"/> C:\\temp\\n $x += 'don't'",
)


def refuse_other_tokens(folder: Path, entry: str, tokenizer: Any) -> None:
    """Refuse a variant that llama.cpp would show other tokens than the model was trained on.

    Args:
        folder: the variant's folder.
        entry: its GGUF file.
        tokenizer: of the trained model, in transformers.

    Raises:
        InvalidInput: naming the chat that is read in two ways.
    """
    from tools.training.language.rows import question_ids

    server = open_server(folder, entry, _CONTEXT)
    for chat in _chats():
        wanted = question_ids(tokenizer, chat, _CONTEXT)
        asked = _posted(server, "apply-template", {"messages": chat})["prompt"]
        body = {"content": asked, "add_special": True, "parse_special": True}
        found = _posted(server, "tokenize", body)["tokens"]
        if found != wanted:
            raise InvalidInput(
                f"llama.cpp reads the chat {chat[-1]['content']!r} as {_parting(found, wanted)}.",
                hint="Its answers would not be the trained model's; the tokenizer or the chat "
                "template has something that llama.cpp does not do.",
            )


def _chats() -> list[list[Message]]:
    single: list[list[Message]] = [[{"role": "user", "content": text}] for text in _TEXTS]
    turns: list[Message] = [
        {"role": "user", "content": "Which one?"},
        {"role": "assistant", "content": "The second."},
        {"role": "user", "content": "And why?"},
    ]
    return [*single, turns]


def _parting(found: list[int], wanted: list[int]) -> str:
    """Where two readings part, in short."""
    pairs = zip(found, wanted, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(found), len(wanted)))
    near = slice(max(0, at - 1), at + 3)
    return f"…{found[near]}… where the model was trained on …{wanted[near]}…"


def _posted(server: Any, where: str, body: dict[str, Any]) -> Any:
    """What the server answers; it listens on this machine alone."""
    found = httpx.post(
        f"{server.listening_address}/{where}", json=body, timeout=_SECONDS, trust_env=False
    )
    return found.raise_for_status().json()
