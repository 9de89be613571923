"""The models that a training can start from, and how a name becomes a folder."""

from __future__ import annotations

import shlex
from pathlib import Path

from tools.kernel.entities import EntityName, fold, nearest
from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.paths import absolute
from tools.training import hub

DEFAULT = "minilm"
NAMES = (
    EntityName(
        "minilm",
        also=(
            "MiniLM-L6",
            "MiniLM-L6-v2",
            "all-MiniLM-L6-v2",
            "sentence-transformers/all-MiniLM-L6-v2",
            "the MiniLM encoder",
        ),
    ),
    EntityName("smollm2", also=("SmolLM2-135M", "SmolLM2-135M-Instruct", "smol lm")),
)

_PUBLISHED = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
    "smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
}

_CONVERTING = (
    "python3 -m venv /tmp/convert && "
    "/tmp/convert/bin/pip install transformers sentencepiece protobuf && "
    "cd {folder} && /tmp/convert/bin/python -c 'from transformers import AutoTokenizer as T; "
    'T.from_pretrained(".").save_pretrained(".")\''
)
"""Commands that make a tokenizer.json of a tokenizer.model."""


def published(name: str) -> str:
    """Under which name other programs find a base model: its hub id, or its folder.

    Args:
        name: as `canonical` returns it.
    """
    return _PUBLISHED.get(name, name)


def canonical(name: str) -> str:
    """The known name behind a spelling, or the absolute path of a folder, also for a hub id.

    Raises:
        InvalidInput: if it can be neither a name nor a path.
        NotFound: if it is neither, with the nearest names; or a hub id that was not fetched yet.
    """
    folded = fold(name)
    for entry in NAMES:
        if folded in {fold(entry.name), *(fold(also) for also in entry.also)}:
            return entry.name
    folder = absolute(name)
    if folder.is_dir():
        return str(folder.resolve())
    if hub.is_id(name):
        return str(hub.cached(name))
    raise NotFound(
        f"There is no base model named {name!r}, and no such folder.",
        suggestions=nearest(name, [entry.name for entry in NAMES]),
        hint="Name minilm, a folder with config.json, model.safetensors and tokenizer.json, or a "
        "hub id such as org/model.",
    )


def check(name: str) -> None:
    """Refuse a base model that cannot be trained as a text classifier.

    Raises:
        InvalidInput: for a model of another kind or a folder that is no encoder model.
    """
    if name == "smollm2":
        raise InvalidInput(
            "smollm2 is a generative model; classifiers are trained on an encoder.",
            hint="Use minilm as the base model; smollm2 learns from prompts and completions.",
        )
    if name == DEFAULT:
        return
    require_tokenizer(Path(name))
    missing = [f for f in ("config.json", "tokenizer.json") if not (Path(name) / f).is_file()]
    weights = ("model.safetensors", "pytorch_model.bin")
    if not any((Path(name) / f).is_file() for f in weights):
        missing.append("model.safetensors")
    if missing:
        raise InvalidInput(f"{name} is no model folder: {', '.join(missing)} missing.")


def require_tokenizer(folder: Path) -> None:
    """Refuse a folder whose tokenizer is a SentencePiece file alone.

    Turning such a file into tokenizer.json takes a newer protobuf than the other libraries here
    allow, so it is done in an environment of its own, once.

    Raises:
        InvalidInput: says what makes a tokenizer.json of it.
    """
    model = folder / "tokenizer.model"
    if (folder / "tokenizer.json").is_file() or not _is_sentencepiece(model):
        return
    raise InvalidInput(
        f"{folder} has its tokenizer as tokenizer.model (SentencePiece) alone; trainings, and what "
        "serves their models, read tokenizer.json.",
        hint=f"Make one of it, once, with a newer protobuf than Pilothouse's: "
        f"`{_CONVERTING.format(folder=shlex.quote(str(folder)))}`.",
    )


def _is_sentencepiece(file: Path) -> bool:
    """True for a SentencePiece model; a file of that name may also be tiktoken's, which is text."""
    try:
        with file.open("rb") as opened:
            return opened.read(1) == b"\n"  # the tag of its first field, a piece
    except OSError:
        return False


def folder(name: str) -> Path:
    """The folder that holds a base model's files.

    Raises:
        Unavailable: if the asset has not been fetched.
    """
    if name in (DEFAULT, "smollm2"):
        from tools.kernel.assets import asset_path

        return asset_path(name)
    return Path(name)
