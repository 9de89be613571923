"""llama.cpp's own HTTP server in a process of its own: a language model that needs no network.

`python -m agents.llama_server MODEL.gguf PORT THREADS CONTEXT` serves until it is told to stop, and
prints its address once it answers. It speaks OpenAI's protocol and decodes under JSON schemas.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from tools.kernel.errors import InvalidInput, NotFound, Unavailable

LOOPBACK = "127.0.0.1"
_MAGIC = b"GGUF"


def gguf(model: str) -> Path:
    """The GGUF file that a path, or the name of a model asset, means.

    Raises:
        NotFound: there is no such file and no such asset.
        InvalidInput: the file is no GGUF.
        AssetMissing: the asset was not fetched.
    """
    from tools.kernel.assets import asset_path, manifest

    asset = manifest().assets.get(model)
    path = Path(model).expanduser()
    if asset is not None and asset.files[0].path.endswith(".gguf"):
        path = asset_path(model, asset.files[0].path)
    if not path.is_file():
        raise NotFound(
            f"There is no model file {model}.", hint="Name a GGUF file, or an asset: smollm2."
        )
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise InvalidInput(f"{path} is no GGUF file.")
    return path.resolve()


def serve(model: Path, port: int, threads: int, context: int) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM.

    Args:
        model: the GGUF file.
        port: 0 takes a free one.
        threads: compute threads.
        context: tokens of prompt and answer together.

    Raises:
        Unavailable: llama.cpp is not installed, or cannot load the model.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = _started(model, port, threads, context)
    print(f"{server.listening_address}/v1", flush=True)
    stop.wait()


def _started(model: Path, port: int, threads: int, context: int) -> Any:
    try:
        llama: Any = import_module("xllamacpp")  # compiled, without types
    except ImportError as error:
        raise Unavailable(
            "llama.cpp is not installed.", hint="Install its Python package, xllamacpp."
        ) from error
    given = llama.CommonParams()
    given.model.path = str(model)
    given.hostnames, given.port = [LOOPBACK], port
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = threads
    given.n_ctx, given.fit_params = context, False
    given.ui = given.endpoint_slots = False
    given.offline, given.verbosity = True, 0
    try:
        return llama.Server(given)
    except Exception as error:  # llama.cpp's own, with no class to tell them apart
        raise Unavailable(f"llama.cpp cannot serve {model.name}: {error}.") from error


if __name__ == "__main__":
    serve(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5]))
