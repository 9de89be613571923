"""A language model's variant in llama.cpp beside its parent in torch: chats in, answers out.

The variant is asked as a device asks it: through llama.cpp's chat completions, with the template
and the tokenizer of its own file, one chat at a time, greedily.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tools.kernel.child import emit
from tools.kernel.errors import InvalidInput, OperationFailed
from tools.kernel.stillness import alone
from tools.training.language.answers import exact, f1
from tools.training.optimizing import manifest as manifests

if TYPE_CHECKING:
    from tools.datasets.kinds import Message

NEW_TOKENS = 64
TIMED = 20
"""Answers whose time counts: others stand still meanwhile, and must not for minutes."""
_ADAPTER = "adapter.gguf"


class Answering(Protocol):
    """A loaded language model."""

    def answer(self, chat: Sequence[Message]) -> str:
        """The most probable answer to a chat whose last message is not the assistant's."""
        ...


class LlamaVariant:
    """A GGUF variant in llama.cpp; not safe to use from several threads at once.

    Args:
        folder: the variant's folder.
        threads: compute threads.

    Raises:
        InvalidInput: if the folder is no whole GGUF variant.
        OperationFailed: if llama.cpp cannot load it.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        told = manifests.read(folder)
        if told.runtime != "llamacpp":
            raise InvalidInput(f"{told.variant} is no language model that runs in llama.cpp.")
        self._server = open_server(folder, told.entry, told.max_length + NEW_TOKENS, threads)

    def answer(self, chat: Sequence[Message]) -> str:
        """See `Answering`.

        Raises:
            OperationFailed: if llama.cpp refuses the chat.
        """
        said = self._server.handle_chat_completions(
            {
                "messages": list(chat),
                "max_tokens": NEW_TOKENS,
                "temperature": 0.0,
                "cache_prompt": False,
            }
        )
        if "choices" not in said:
            raise OperationFailed(f"llama.cpp gave no answer: {json.dumps(said)[:200]}")
        return str(said["choices"][0]["message"]["content"] or "").strip()


def open_server(folder: Path, entry: str, context: int, threads: int = 1) -> Any:
    """llama.cpp's server on a GGUF file, with the adapter that lies beside it.

    Args:
        folder: where the files are.
        entry: the model's file.
        context: the most tokens of a chat and its answer.
        threads: compute threads.

    Raises:
        OperationFailed: if llama.cpp cannot load it.
    """
    llama: Any = import_module("xllamacpp")  # compiled, without types
    given = llama.CommonParams()
    given.model.path = str(folder / entry)
    if (folder / _ADAPTER).is_file():
        given.lora_adapters = [llama.CommonAdapterLoraInfo(str(folder / _ADAPTER), 1.0)]
    given.hostnames, given.port = ["127.0.0.1"], 0
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = threads
    given.n_ctx, given.n_parallel, given.fit_params = context, 1, False
    given.ui = given.endpoint_slots = False
    given.offline, given.verbosity = True, 0
    try:
        return llama.Server(given)
    except (RuntimeError, ValueError) as error:
        raise OperationFailed(f"llama.cpp cannot load {entry}: {error}") from error


class _Parent:
    """The parent as the training left it, in torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        import torch

        from tools.training.language.folder import load_language_model

        torch.set_num_threads(threads)
        self._model = load_language_model(folder)

    def answer(self, chat: Sequence[Message]) -> str:
        return self._model.generate([chat], NEW_TOKENS)[0]


def open_answering(folder: Path, threads: int = 1) -> Answering:
    """The language model in a folder: a variant in llama.cpp, or what a training wrote in torch."""
    variant = manifests.is_variant(folder)
    return LlamaVariant(folder, threads) if variant else _Parent(folder, threads)


def answers(model: Answering, spec: dict[str, Any]) -> dict[str, Any]:
    """Ask a model every held-out question, and keep its answers.

    Args:
        model: what is asked.
        spec: of `measure`; `rows` holds a JSON object with `messages` a line.

    Returns:
        `score`, the sum of the answers' F1; `exact`, how many are right word for word; `rows`;
        `p50_ms` and `p95_ms` of a whole answer, of `TIMED` of them; `alone`, see `stillness`.
    """
    chats = read_chats(Path(spec["rows"]))
    begin, end = spec.get("span", (0.0, 1.0))
    model.answer(chats[0][:-1])  # the first answer pays for what is set up once
    with alone() as timed:
        known, seconds = _timed(model, chats)
    said: list[str] = []
    for place, chat in enumerate(chats):
        said.append(known[place] if place in known else model.answer(chat[:-1]))
        share = begin + (end - begin) * (place + 1) / len(chats)
        emit(progress=share, message=spec.get("message", "measuring"))
    Path(spec["predictions"]).write_text(json.dumps(said, ensure_ascii=False))
    right = [chat[-1]["content"] for chat in chats]
    return {
        "score": sum(f1(a, b) for a, b in zip(said, right, strict=True)),
        "exact": sum(exact(a, b) for a, b in zip(said, right, strict=True)),
        "rows": len(chats),
        "p50_ms": round(float(np.quantile(seconds, 0.50)) * 1000, 4),
        "p95_ms": round(float(np.quantile(seconds, 0.95)) * 1000, 4),
        "alone": timed.alone,
    }


def _timed(
    model: Answering, chats: Sequence[Sequence[Message]]
) -> tuple[dict[int, str], list[float]]:
    """The answers to a spread sample of the chats, by place, and the seconds of each."""
    known: dict[int, str] = {}
    seconds: list[float] = []
    for place in [*range(0, len(chats), max(1, len(chats) // TIMED))][:TIMED]:
        began = time.perf_counter()
        known[place] = model.answer(chats[place][:-1])
        seconds.append(time.perf_counter() - began)
    return known, seconds


def read_chats(path: Path) -> list[list[Message]]:
    """The chats of a file of JSON lines, the right answer last in each."""
    return [json.loads(line)["messages"] for line in path.read_text("utf-8").splitlines()]
