"""llama.cpp: language models in GGUF, with an adapter beside the base where there is one."""

from __future__ import annotations

import json
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from edge.engines.base import Chat
from edge.errors import BadRequest
from edge.profiles import Profile

ADAPTER = "adapter.gguf"
_CONTEXT = 2048
_SECONDS = 600.0


class LlamaChat(Chat):
    """A language model behind llama.cpp's own server, on a port that only this program may use.

    Args:
        server: an `xllamacpp.Server`.
        secret: the key that its port asks for.
    """

    def __init__(self, server: Any, secret: str) -> None:
        self._server = server
        self._url = f"{server.listening_address}/v1/chat/completions"
        self._secret = secret
        self._opener = build_opener(ProxyHandler({}))

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """See `Chat`; streams are answered whole."""
        data = json.dumps({**body, "stream": False}).encode()
        request = Request(self._url, data=data)  # noqa: S310 - llama.cpp's own port
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self._secret}")
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                told = error.read(2000).decode("utf-8", "replace")
            if error.code < 500:
                raise BadRequest(told) from error
            raise RuntimeError(told) from error


def load(path: Path, profile: Profile) -> LlamaChat:
    """Load a `.gguf` file; an adapter is never the entry, but lies beside it."""
    llama: Any = import_module("xllamacpp")  # compiled, without types
    base = next(p for p in sorted(path.parent.glob("*.gguf")) if p.name != ADAPTER)
    secret = secrets.token_hex(16)
    given = llama.CommonParams()
    given.model.path = str(base)
    if (path.parent / ADAPTER).is_file():
        given.lora_adapters = [llama.CommonAdapterLoraInfo(str(path.parent / ADAPTER), 1.0)]
    given.hostnames, given.port, given.api_keys = ["127.0.0.1"], 0, [secret]
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = profile.threads
    given.n_ctx, given.fit_params = _CONTEXT, False
    given.n_parallel = profile.concurrency
    given.ui = given.endpoint_slots = False
    given.offline, given.verbosity = True, 0
    return LlamaChat(llama.Server(given), secret)
